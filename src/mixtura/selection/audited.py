"""What an audit found: its verdict, and its text."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mixtura.estimators.mixing import MixingBound
from mixtura.report.digits import counted
from mixtura.result import Fit

# Less than this, in nats over all rows or per row, is what rounding parameters for print costs.
PRINTED, PRINTED_PER_ROW = 0.1, 2e-5
# Of the optima met so many are listed.
LISTED = 5


@dataclass(frozen=True)
class Audit:
    """What became of a mixture when somebody looked; frozen.

    loglik   total log-likelihood of the mixture as it was given (nats)
    weight   sum of the row weights (rows without weights)
    nearby   the `Fit` that a climb from there ended at; None where it failed
    search   the `Fit` of a search that knows nothing of it; None where it failed
    failure, search_failure  why the one that is None failed, else empty
    collapsed  whether the climb failed because components collapsed
    mixture  the fitted estimator of `best`
    bound    what more components could add to that, where all share one covariance
    """

    loglik: float
    weight: float
    nearby: Fit | None
    search: Fit | None
    failure: str = ""
    search_failure: str = ""
    collapsed: bool = False
    mixture: Any = field(default=None, repr=False, compare=False)
    bound: MixingBound | None = None

    @property
    def best(self) -> Fit:
        """The highest end of the two, and one without collapsed components if there is one."""
        ends = [end for end in (self.search, self.nearby) if end is not None]
        return max(ends, key=_rank)

    @property
    def gain(self) -> float:
        """Nats that a climb from the mixture gains; NaN where it failed.

        Negative where the mixture has a component narrower than a fit lets one become.
        """
        return math.nan if self.nearby is None else self.nearby.loglik - self.loglik

    @property
    def missing(self) -> float:
        """Nats by which the highest regular end is above the mixture."""
        return self.best.loglik - self.loglik

    @property
    def verdict(self) -> str:
        """One of "collapsed" (components on a point or line, where the likelihood has no maximum),
        "not climbed" (`failure` says why), "not an optimum", "a lower optimum", "the best known".

        Differences below a tenth of a nat, or below 2e-5 nats per row where that is more, are taken
        for the rounding of printed parameters, but not where the climb left a saddle: from beside
        a maximum none is met.
        """
        if self.gain > self._printed or self._saddles():
            return "not an optimum"
        if self.nearby is None and not self.collapsed:
            return "not climbed"
        if self.nearby is None or self.nearby.floored or self.gain < -self._printed:
            return "collapsed"
        return "a lower optimum" if self.missing > self._printed else "the best known"

    def _saddles(self) -> int:
        """How many the climb has left."""
        found = None if self.nearby is None else self.nearby.certificate
        return 0 if found is None else found.saddles_left

    @property
    def _printed(self) -> float:
        return max(PRINTED, PRINTED_PER_ROW * self.weight)

    def summary(self) -> str:
        """The audit in a few lines of text."""
        lines = [
            ("verdict", self.verdict),
            ("as given", f"{self.loglik:.4f} nats, {self.loglik / self.weight:.4f} per row"),
            ("climbing from it", self._climb()),
            ("the search", self._search()),
        ]
        optima = () if self.search is None else self.search.landscape
        if optima:
            listed = [
                f"{each.mean_loglik * self.weight:.4f}" + "".join(f" ({m})" for m in each.marks)
                for each in optima
            ]
            more = ", ..." if len(listed) > LISTED else ""
            lines.append(("optima it met", f"{len(optima)}: {', '.join(listed[:LISTED])}{more}"))
        if self.bound is not None:
            lines.append(("more components", self.bound.summary()))
        return "\n".join(f"{name:16}  {told}" for name, told in lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return {
            "verdict": self.verdict,
            "log_likelihood": self.loglik,
            "weight": self.weight,
            "gain": None if math.isnan(self.gain) else self.gain,
            "missing": self.missing,
            "nearby": None if self.nearby is None else self.nearby.to_dict(),
            "search": None if self.search is None else self.search.to_dict(),
            "failure": self.failure,
            "search_failure": self.search_failure,
            "bound": None if self.bound is None else self.bound.to_dict(),
        }

    def _climb(self) -> str:
        if self.nearby is None:
            return f"fails: {self.failure}"
        steps = counted(self.nearby.iterations, "step")
        what = "gains" if round(self.gain, 4) >= 0 else "loses"
        told = f"{what} {abs(self.gain):.4f} nats in {steps}, to: {self.nearby.verdict}"
        if self._saddles():
            told += f"; leaves {counted(self._saddles(), 'saddle')} on its way"
        if self.nearby.floored:
            names = ", ".join(str(spike.component) for spike in self.nearby.floored)
            told += f"; held up by the penalty against collapse alone: component {names}"
        return told

    def _search(self) -> str:
        if self.search is None:
            return f"fails: {self.search_failure}"
        climbs = counted(sum(start.outcome == "kept" for start in self.search.starts), "climb")
        above = self.search.loglik - self.loglik
        told = f"{above:.4f} nats higher" if above > self._printed else "nothing higher"
        return f"{told}, {climbs} finished; to: {self.search.verdict}"


def _rank(fit: Fit) -> tuple[bool, float]:
    return not fit.floored, fit.loglik

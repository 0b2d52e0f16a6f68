"""What a fit found and how sure it is: the record behind `fit_result_`, reports and files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import product
from typing import Any

from mixtura.ranges import Count, Finite, Positive
from mixtura.records import Equation, Spike, Standing
from mixtura.schema import read

# Starts that end this close, in log-likelihood per row, have found the same optimum.
SAME_OPTIMUM = 1e-6
# Fewer finished climbs tell too little of those to come.
FEWEST = 8


@dataclass(frozen=True)
class StartReport:
    """One start: how it was made and where it led.

    loglik is the (unpenalised) mean log-likelihood per row where it ended, on the rows it was run
    on; None when it failed. outcome is "kept", "dropped", "collapsed" or "failed". Of those kept or
    collapsed: belief is what the prior that was asked for adds to loglik in the objective,
    unfinished says that the climb ended before it converged, and spurious that a component there
    is narrow and holds a few rows, as in `Standing`.
    """

    name: str
    iterations: Count
    loglik: float | None
    outcome: str
    detail: str = ""
    belief: Finite = 0.0
    unfinished: bool = False
    spurious: bool = False

    @property
    def finished(self) -> bool:
        """Whether it was climbed over all rows."""
        return self.outcome in ("kept", "collapsed")


@dataclass(frozen=True)
class Optimum:
    """An end that climbs met.

    mean_loglik  log-likelihood per row
    hits         how many of them, by the kind of start
    collapsed    whether components there are held up by the penalty alone
    belief       what the prior that was asked for adds per row: ends are ranked by the sum
    unfinished   whether the climbs ended there before they converged: it is no optimum then
    spurious     whether a component there is narrow and holds a few rows, as in `Standing`
    """

    mean_loglik: float
    hits: dict[str, int]
    collapsed: bool
    belief: float = 0.0
    unfinished: bool = False
    spurious: bool = False

    @property
    def mean_objective(self) -> float:
        """What fits are chosen by, per row: the log-likelihood, and the prior where one is."""
        return self.mean_loglik + self.belief

    @property
    def marks(self) -> tuple[str, ...]:
        """What there is to say of it, in words."""
        few = self.spurious and not self.collapsed
        said = ("collapsed", self.collapsed), ("spurious", few), ("not converged", self.unfinished)
        return tuple(word for word, holds in said if holds)


def landscape_of(starts: Iterable[StartReport], gap: float) -> tuple[Optimum, ...]:
    """The ends that climbs met, the highest objective first; those of climbs that have not
    converged are apart.

    Ends are one optimum where the next higher is no further above than three times `SAME_OPTIMUM`
    and the `gap`, what was still to be gained where a climb ended.
    """
    starts = list(starts)
    margin = 3 * SAME_OPTIMUM + (gap if math.isfinite(gap) else 0.0)
    kinds = product(("kept", "collapsed"), (False, True))
    met = [one for kind in kinds for one in _optima(starts, kind, margin)]
    return tuple(sorted(met, key=lambda optimum: -optimum.mean_objective))


def climbs(landscape: Iterable[Optimum]) -> int:
    """How many ended there."""
    return sum(sum(one.hits.values()) for one in landscape)


def chance_of_higher(landscape: Sequence[Optimum]) -> float | None:
    """The estimated chance that one more climb, begun as these were, ends higher than all of them.

    None where fewer than FEWEST converged. After n climbs that met w optima, those not yet met take
    w (w + 1) / (n (n - 1)) of all starts (Boender & Rinnooy Kan 1987, Bayesian stopping rules for
    multistart global optimization methods, Mathematical Programming 37), and a new one is as often
    the highest of w + 1 as any; so w / (n (n - 1)), and at most 1 / (n + 1), what it is where no
    two ends are alike.
    """
    optima = [one for one in landscape if not one.unfinished]
    n, w = climbs(optima), len(optima)
    return None if n < FEWEST else min(w / (n * (n - 1)), 1 / (n + 1))


def _optima(starts: Iterable[StartReport], kind: tuple[str, bool], margin: float) -> list[Optimum]:
    """Those of the climbs that ended so: (outcome, whether unfinished)."""
    ends = [
        (s.loglik + s.belief, s.name, s)
        for s in starts
        if (s.outcome, s.unfinished) == kind and s.loglik is not None and not math.isnan(s.loglik)
    ]
    met: list[Optimum] = []
    last = math.inf
    for height, name, one in sorted(ends, key=lambda end: end[:2], reverse=True):
        if last - height > margin:
            assert one.loglik is not None
            collapsed, unfinished = kind[0] == "collapsed", kind[1]
            met.append(Optimum(one.loglik, {}, collapsed, one.belief, unfinished, one.spurious))
        met[-1].hits[name] = met[-1].hits.get(name, 0) + 1
        last = height
    return met


@dataclass(frozen=True)
class Certificate:
    """What kind of point a climb ended at.

    verdict       "interior maximum", "penalised maximum" (of the log-likelihood with the penalty
                  against collapse), "ridge" (a direction in which the log-likelihood is flat),
                  "saddle" (one in which it still rises, though no way up was found), "boundary"
                  (a component is empty or at its floor), "local maximum" (of a block model: no move
                  of one node gains, nor other parameters), "not a maximum" (a solver that looks for
                  something else found it), "not converged" or "not examined"
    curvature     smallest eigenvalue of the observed information as a share of the complete-data
                  information: 1 minus EM's rate of convergence; None when not examined
    error         how far from it the nearest true eigenvalue may be
    method        "exact" (every direction), "lanczos", "single moves" or "none"
    passes        sweeps over all rows that the examination took, escapes included
    saddles_left  saddles and ridges met on the way and left
    detail        why the verdict is "boundary", "not a maximum", "not converged" or "not
                  examined"
    """

    verdict: str
    curvature: float | None = None
    error: float = 0.0
    method: str = "none"
    passes: Count = 0
    saddles_left: Count = 0
    detail: str = ""


# What a Fit holds beside its account; files have it elsewhere.
HELD = ("params", "summary")


# What files leave out where there is nothing to say.
_SELDOM = ("belief", "unfinished", "spurious")


def _without_held(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        name: value for name, value in items if name not in HELD and (value or name not in _SELDOM)
    }


@dataclass(frozen=True)
class Fit:
    """The outcome of a fit; frozen, and JSON in and out by `to_dict` and `from_dict`.

    loglik        total log-likelihood of the returned parameters, never penalised (nats)
    weight        sum of the row weights (rows without weights)
    trace         total log-likelihood from the start of the last climb to the returned parameters,
                  after the last values of the climb that a warm start continued
    penalised     whether that climb carried the penalty against collapse (then trace may dip)
    passes        sweeps over all rows, a look at the whole observed information counted as one,
                  though it takes the time of 10 to 70; sample_passes those over the sample used
                  for the starts (of few components over part of it a share)
    iterations    steps of the last climb, of whatever kind
    converged, reason   whether and why the climb stopped
    gradient_norm square root of the objective's slope along EM's step, per row: unit-free
    gap           estimated gain per row still to come, in the solver's own criterion
    certificate   what kind of point that is, from the curvature there
    n_parameters  free parameters, for BIC and AIC
    solver, engine  what ran
    remark        what the engine has to say of its passes, that a higher end was left as noise,
                  and what max_seconds left out
    starts        every start tried
    moves         moves of single components that improved the best short run
    sample_rows   rows the starts were found on
    floored       components that only the penalty keeps from collapsing
    empty         components with less than half a row, of posteriors too, where they are no fault
    rows          rows with a positive weight
    params        the parameters found
    summary       the model's summary there; both are None after a trip through a file
    held          columns, or dependent groups of columns, without variance of their own
    bound         whether loglik and trace are a lower bound of the evidence (ELBO), not of a point
    equations     what that is, one for each direction: a column or sum that is the same in all rows
    standings     how sound each component is
    """

    loglik: Finite
    weight: Positive
    trace: tuple[float, ...]
    penalised: bool
    passes: Count
    sample_passes: Count
    iterations: Count
    converged: bool
    reason: str
    gradient_norm: float
    gap: float
    n_parameters: Count
    solver: str
    engine: str
    starts: tuple[StartReport, ...] = ()
    moves: Count = 0
    sample_rows: Count = 0
    floored: tuple[Spike, ...] = ()
    empty: tuple[Count, ...] = ()
    held: tuple[Count, ...] = ()
    equations: tuple[Equation, ...] = ()
    rows: Count = 0
    certificate: Certificate = Certificate("not examined")
    remark: str = ""
    bound: bool = False
    standings: tuple[Standing, ...] = ()
    params: Any = field(default=None, repr=False, compare=False)
    summary: Any = field(default=None, repr=False, compare=False)

    @property
    def verdict(self) -> str:
        """What kind of point the fit ended at: "interior maximum", "saddle", ..."""
        return self.certificate.verdict

    @property
    def mean_loglik(self) -> float:
        """Log-likelihood per unit of weight."""
        return self.loglik / self.weight

    @property
    def landscape(self) -> tuple[Optimum, ...]:
        """The ends that climbs met, the highest objective first; see `landscape_of`."""
        return landscape_of(self.starts, self.gap)

    @property
    def met(self) -> Optimum | None:
        """The end in the landscape that is this fit's own; None without one."""
        ends = [one for one in self.landscape if one.collapsed == bool(self.floored)]
        return min(ends, key=lambda one: abs(one.mean_loglik - self.mean_loglik), default=None)

    @property
    def chance_of_higher(self) -> float | None:
        """The estimated chance that one more climb, begun as these were, ends higher.

        None where fewer than eight converged; see `chance_of_higher`.
        """
        return chance_of_higher(self.landscape)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in HELD}
        return asdict(Fit(**plain), dict_factory=_without_held)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Fit:
        """The inverse of `to_dict`, also after a trip through JSON; ValueError names a bad part."""
        for name in HELD:
            if name in document:
                raise ValueError(f"fit has an unknown {name!r}")
        found: Fit = read(cls, document, "fit")
        return found

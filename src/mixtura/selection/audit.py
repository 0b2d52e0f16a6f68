"""`audit`: is a mixture that somebody has fitted or published an optimum, and the highest one?"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from mixtura.data.rows import Rows
from mixtura.data.tables import Table
from mixtura.errors import FAILURES, FitError
from mixtura.estimators.chain import ChainEstimator
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.known import refuse_told
from mixtura.estimators.mixing import MixingBound, boundable, mixing_bound
from mixtura.estimators.posterior_mixture import PosteriorMixture
from mixtura.records import Seed, Weights
from mixtura.report.digits import counted
from mixtura.result import Fit
from mixtura.solvers.clock import at_once

# Less than this, in nats over all rows or per row, is what rounding parameters for print costs.
PRINTED, PRINTED_PER_ROW = 0.1, 2e-5
# Printed weights may sum to 1 but for so much.
ROUNDED = 0.02
# Parameters that say how a mixture is looked for, not what it is.
HOW = (
    "tol",
    "max_iter",
    "n_init",
    "init_params",
    "weights_init",
    "means_init",
    "precisions_init",
    "warm_start",
    "solver",
    "engine",
    "verbose",
)
# Of the optima met so many are listed.
LISTED = 5
# As scikit-learn writes a mixture.
GIVEN = ("weights", "means", "covariances")


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


@at_once()
def audit(
    mixture: Any, X: Any, *, sample_weight: Weights = None, n_init: int = 10, random_state: Seed = 0
) -> Audit:
    """Climb from a mixture, and search beside it, on the table that it is said to fit.

    Parameters
    ----------
    mixture : fitted estimator or mapping
        A mixture of this package; scikit-learn's `GaussianMixture`, or another estimator that has
        ``weights_``, ``means_``, ``covariances_`` and ``covariance_type``; or these four as a
        mapping, without the underscore (``covariance_type`` is "full" where it is left out).
    X : array-like or data frame of shape (n_samples, n_features)
        In the units that it was fitted in.
    sample_weight : array-like of shape (n_samples,), optional
    n_init : int, default 10
        Climbs of the search, as in `GaussianMixture`.
    random_state : int, RandomState instance or None, default 0

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        For parameters that are no mixture, and as `fit` does.
    FitError
        Where neither the climb nor the search ends anywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import audit
    >>> X = np.loadtxt("examples/faithful.csv", delimiter=",", skiprows=1)
    >>> printed = {
    ...     "weights": [0.36, 0.64],
    ...     "means": [[2.04, 54.5], [4.29, 80.0]],
    ...     "covariances": [[[0.07, 0.44], [0.44, 33.7]], [[0.17, 0.94], [0.94, 36.0]]],
    ... }
    >>> found = audit(printed, X)
    >>> found.verdict, round(found.missing, 2)
    ('the best known', 0.02)
    """
    given = _estimator(mixture)
    plain = _plain(given) | {"random_state": random_state}
    search = clone(given).set_params(**plain | {"n_init": n_init})
    near = copy.copy(given).set_params(**plain | {"warm_start": True})
    near.converged_ = True
    ends: dict[str, Any] = {}
    failures: dict[str, Exception] = {}
    for name, each in (("nearby", near), ("search", search)):
        try:
            ends[name] = _fitted(each, X, sample_weight)
        except FAILURES as error:
            failures[name] = error
    if not ends:
        raise FitError(
            "neither a climb from the mixture nor a search ends anywhere: "
            f"{failures['nearby']}; {failures['search']}"
        )
    total, weight = _told(given, X, sample_weight)
    fits = {name: end.fit_result_ for name, end in ends.items()}
    best = max(ends, key=lambda name: _rank(fits[name]))
    found = ends[best].set_params(warm_start=False)
    return Audit(
        total,
        weight,
        fits.get("nearby"),
        fits.get("search"),
        failure=str(failures.get("nearby", "")),
        search_failure=str(failures.get("search", "")),
        collapsed=isinstance(failures.get("nearby"), FitError),
        mixture=found,
        bound=_bound(found, X, sample_weight),
    )


def _bound(mixture: Any, X: Any, sample_weight: Weights) -> MixingBound | None:
    if not boundable(mixture) or mixture.fit_result_.floored:
        return None
    if isinstance(X, Table):
        X, sample_weight = X.X, X.sample_weight
    rows = mixture._asked(X, filling=True)
    whole = isinstance(rows, Rows) and not np.isnan(rows.X).any()
    return mixing_bound(mixture, X, sample_weight) if whole else None


def _plain(given: Any) -> dict[str, Any]:
    """How a fit is done where nobody says how: what limited the other must not limit the look."""
    defaults = signature(type(given)).parameters
    return {name: defaults[name].default for name in HOW if name in defaults}


def _rank(fit: Fit) -> tuple[bool, float]:
    return not fit.floored, fit.loglik


def _estimator(mixture: Any) -> ClimbedMixture:
    """The mixture as an estimator of ours; ValueError where it is none."""
    # Of a posterior its plug-in mixture is looked at, as of scikit-learn's.
    if isinstance(mixture, ClimbedMixture) and not isinstance(mixture, PosteriorMixture):
        check_is_fitted(mixture)
        refuse_told("audit", mixture)
        if getattr(mixture, "trim", 0):
            raise ValueError(
                "audit: a trimmed fit is an optimum of the rows that it keeps, and an audit climbs "
                "on all of them: audit a fit to those that predict does not call -1"
            )
        return mixture
    if isinstance(mixture, Mapping):
        found = {**mixture}
    else:
        found = {name: getattr(mixture, f"{name}_", None) for name in GIVEN}
        found["covariance_type"] = getattr(mixture, "covariance_type", "full")
        found["feature_names"] = getattr(mixture, "feature_names_in_", None)
    lacking = [name for name in GIVEN if found.get(name) is None]
    if lacking or isinstance(mixture, ChainEstimator):
        raise ValueError(
            "mixture: a fitted mixture is audited, or a mapping with weights, means and "
            f"covariances, and this {type(mixture).__name__} is none"
            + (f": it has no {' or '.join(lacking)}" if isinstance(mixture, Mapping) else "")
        )
    if unknown := set(found) - {*GIVEN, "covariance_type", "feature_names"}:
        raise ValueError(
            f"mixture: holds {min(unknown)!r} beside weights, means, covariances, covariance_type "
            "and feature_names: leave it out"
        )
    weights = np.asarray(found["weights"], dtype=np.float64)
    if abs(weights.sum() - 1) <= ROUNDED:
        found["weights"] = weights / weights.sum()
    return GaussianMixture.from_parameters(**found)


def _fitted(estimator: Any, X: Any, sample_weight: Weights) -> Any:
    with warnings.catch_warnings():
        # What a fit warns of is what an audit tells.
        warnings.simplefilter("ignore")
        if isinstance(X, Table):
            return estimator.fit_table(X)
        return estimator.fit(X, sample_weight=sample_weight)


def _told(mixture: Any, X: Any, sample_weight: Weights) -> tuple[float, float]:
    """(total log-likelihood, sum of the weights)."""
    rows = X.X if isinstance(X, Table) else X
    weights = X.sample_weight if isinstance(X, Table) else sample_weight
    log_density = mixture.score_samples(rows)
    w = np.ones(len(log_density)) if weights is None else np.asarray(weights, dtype=np.float64)
    some = w > 0
    return float(w[some] @ log_density[some]), float(w.sum())

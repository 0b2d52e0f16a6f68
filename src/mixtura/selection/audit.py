"""`audit`: is a mixture that somebody has fitted or published an optimum, and the highest one?"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
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
from mixtura.records import Array, Seed, Weights
from mixtura.selection.audited import Audit, _rank
from mixtura.solvers.clock import at_once

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
# As scikit-learn writes a mixture.
GIVEN = ("weights", "means", "covariances")


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
    # A table that is not the mixture's is refused before any climb.
    log_density = given.score_samples(X.X if isinstance(X, Table) else X)
    plain = _plain(given) | {"random_state": random_state}
    search = clone(given).set_params(**plain | {"n_init": n_init})
    # An audit looks for the highest optimum, of one initialisation too.
    search._highest = True
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
    total, weight = _total(log_density, X.sample_weight if isinstance(X, Table) else sample_weight)
    fits = {name: end.fit_result_ for name, end in ends.items()}
    best = max(ends, key=lambda name: _rank(fits[name]))
    found = ends[best].set_params(warm_start=False)
    found._highest = type(found)._highest
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


def _total(log_density: Array, weights: Weights) -> tuple[float, float]:
    """(total log-likelihood, sum of the weights)."""
    w = np.ones(len(log_density)) if weights is None else np.asarray(weights, dtype=np.float64)
    some = w > 0
    return float(w[some] @ log_density[some]), float(w.sum())

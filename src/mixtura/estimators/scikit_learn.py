"""Fitted mixtures of scikit-learn as ours, and back: the attributes are the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.estimators.document import ARRAYS
from mixtura.estimators.hyperparameters import PROCESS
from mixtura.families.gaussian.covariance import structure

# What is fitted, by the same names and in the same shapes there and here.
HELD = (*ARRAYS, "converged_", "n_iter_", "lower_bound_", "n_features_in_")
PRIOR = ("mean_precision_prior", "mean_prior", "degrees_of_freedom_prior", "covariance_prior")
POSTERIOR = (
    "weight_concentration_",
    "mean_precision_",
    "degrees_of_freedom_",
    "weight_concentration_prior_",
    *(f"{name}_" for name in PRIOR),
)


def to_sklearn(mixture: Any) -> Any:
    """`mixture`, ours and fitted, as scikit-learn's estimator: see `Exports.to_sklearn`."""
    from sklearn import mixture as sklearn_mixture

    posterior = hasattr(mixture, "weight_concentration_")
    kind = sklearn_mixture.GaussianMixture
    if posterior:
        kind = sklearn_mixture.BayesianGaussianMixture
    found = kind(
        covariance_type=structure(mixture.covariance_type).form.name,
        **settings_of(mixture, posterior),
    )
    copy_fitted(mixture, found)
    found.lower_bounds_ = list(mixture.lower_bounds_)
    if posterior:
        _keep_active(found, mixture)
        # Expected sticks of a truncated process leave a rest, which scikit-learn shares out.
        found.weights_ = found.weights_ / found.weights_.sum()
    return found


def settings_of(mixture: Any, posterior: bool) -> dict[str, Any]:
    """The settings that say what a mixture is, on either side."""
    same = {"n_components": len(mixture.means_), "random_state": mixture.random_state}
    if not posterior:
        return same
    prior = {name: getattr(mixture, f"{name}_") for name in ("weight_concentration_prior", *PRIOR)}
    prior["weight_concentration_prior_type"] = mixture.weight_concentration_prior_type
    return same | prior


def copy_fitted(source: Any, target: Any) -> None:
    """Set the fitted attributes that both have."""
    for name in (*HELD, *POSTERIOR, "feature_names_in_"):
        value = getattr(source, name, None)
        if value is not None:
            setattr(target, name, value.copy() if isinstance(value, np.ndarray) else value)


def _keep_active(found: Any, mixture: Any) -> None:
    """Leave out of a posterior the components that no row may belong to.

    Of a process the sticks before them do not change; ValueError where weights hang together.
    """
    active, K = int(mixture.active_.sum()), len(mixture.means_)
    if active == K:
        return
    if mixture.weight_concentration_prior_type != PROCESS:
        raise ValueError(
            f"to_sklearn: moves have deleted {K - active} of {K} components, and with "
            "weight_concentration_prior_type='dirichlet_distribution' scikit-learn gives such "
            "components rows: fit with moves=False for it"
        )
    found.n_components = active
    per_component = [*ARRAYS, "mean_precision_", "degrees_of_freedom_"]
    if structure(mixture.covariance_type).form.shared:
        per_component = ["weights_", "means_", "mean_precision_"]
    for name in per_component:
        setattr(found, name, getattr(found, name)[:active])
    found.weight_concentration_ = tuple(part[:active] for part in mixture.weight_concentration_)

"""Where a fit of Gaussian components begins: at the last one, or with parameters that are given."""

from __future__ import annotations

import numpy as np

from mixtura.estimators import factored, initial
from mixtura.estimators.gaussian_face import GaussianFace
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import structure
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


def continued(estimator: GaussianFace, d: int) -> MixtureParams:
    """The last fit's mixture, if this one can begin there."""
    shape = structure(estimator.covariance_type)
    form, kind = shape.form, shape.factors
    if kind is not None:
        _refuse_other_factors(estimator, kind, d)
        return estimator._fitted()[1]
    K, means, factors = estimator.n_components, estimator.means_, estimator.precisions_cholesky_
    if means.shape != (K, d) or factors.shape != form.shape(K, d):
        raise ValueError(
            f"warm_start: the last fit has means of shape {means.shape} and precisions "
            f"of shape {factors.shape}, which {K} components "
            f"with covariance_type={estimator.covariance_type!r} over {d} columns cannot continue: "
            "set warm_start=False"
        )
    return estimator._fitted()[1]


def _refuse_other_factors(estimator: GaussianFace, kind: FactorAnalytic, d: int) -> None:
    K = estimator.n_components
    found = [getattr(estimator, name, np.empty(0)).shape for name in ("means_", *factored.HELD)]
    if found != [(K, d), kind.loadings_shape(K, d), kind.noise_shape(K, d)]:
        raise ValueError(
            f"warm_start: the last fit has means, loadings and noise of shapes {found}, which {K} "
            f"components with covariance_type={str(kind)!r} over {d} columns cannot continue: "
            "set warm_start=False"
        )


def given(estimator: GaussianFace, d: int) -> dict[str, Array]:
    """The parameters the caller fixed at the start, by name, in float64."""
    shape = structure(estimator.covariance_type)
    form, K = shape.form, estimator.n_components
    found: dict[str, Array] = {}
    if estimator.weights_init is not None:
        found["weights"] = initial.check_weights(estimator.weights_init, K).astype(np.float64)
    if estimator.means_init is not None:
        found["means"] = initial.check_means(estimator.means_init, K, d).astype(np.float64)
    if estimator.precisions_init is not None:
        value = initial.check_matrices(estimator.precisions_init, form, K, d, "precision")
        cov = found["covariances"] = initial.invert(value, form)
        initial.check_structure(cov, shape, np.zeros((K, d)), "precisions_init")
    return found

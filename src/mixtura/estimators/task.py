"""An estimator's settings, checked against the table: the task of one fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.estimators import factored, initial
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.registry import family
from mixtura.fitting.mixture_fit import Task
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

if TYPE_CHECKING:
    from mixtura.estimators.gaussian_mixture import GaussianMixture


def asked_of(estimator: GaussianMixture, d: int) -> Task:
    """What a fit to d columns is asked for."""
    shape = structure(estimator.covariance_type)
    again = estimator.warm_start and hasattr(estimator, "converged_")
    return Task(
        family=family(estimator.covariance_type, estimator.reg_covar),
        n_components=estimator.n_components,
        tol=estimator.tol,
        max_iter=estimator.max_iter,
        n_init=estimator.n_init,
        init_params=estimator.init_params,
        engine=estimator.engine,
        solver=estimator.solver,
        given=_given(estimator, shape.form, d),
        begin=_continued(estimator, shape.form, d) if again else None,
        last=getattr(estimator, "fit_result_", None),
    )


def _continued(estimator: GaussianMixture, form: Form, d: int) -> MixtureParams:
    """The last fit's mixture, if this one can begin there."""
    kind = structure(estimator.covariance_type).factors
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


def _refuse_other_factors(estimator: GaussianMixture, kind: FactorAnalytic, d: int) -> None:
    K = estimator.n_components
    found = [getattr(estimator, name, np.empty(0)).shape for name in ("means_", *factored.HELD)]
    if found != [(K, d), kind.loadings_shape(K, d), kind.noise_shape(K, d)]:
        raise ValueError(
            f"warm_start: the last fit has means, loadings and noise of shapes {found}, which {K} "
            f"components with covariance_type={str(kind)!r} over {d} columns cannot continue: "
            "set warm_start=False"
        )


def _given(estimator: GaussianMixture, form: Form, d: int) -> dict[str, Array]:
    """The parameters the caller fixed at the start, by name, in float64."""
    given, K = {}, estimator.n_components
    if estimator.weights_init is not None:
        given["weights"] = initial.check_weights(estimator.weights_init, K).astype(np.float64)
    if estimator.means_init is not None:
        given["means"] = initial.check_means(estimator.means_init, K, d).astype(np.float64)
    if estimator.precisions_init is not None:
        value = initial.check_matrices(estimator.precisions_init, form, K, d, "precision")
        cov = given["covariances"] = initial.invert(value, form)
        shape = structure(estimator.covariance_type)
        initial.check_structure(cov, shape, np.zeros((K, d)), "precisions_init")
    return given

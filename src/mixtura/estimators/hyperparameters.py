"""The prior of a `BayesianGaussianMixture`: what is asked for, or scikit-learn's from the table."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from sklearn.utils import check_array

from mixtura.data.moments import TableMoments, source_moments
from mixtura.data.source import Source
from mixtura.estimators.initial import check_shape
from mixtura.families.frames import Affine
from mixtura.families.gaussian.covariance import Structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.held import held_in
from mixtura.families.gaussian.table_scale import table_scale
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.models.weight_priors import Dirichlet, StickBreaking, WeightPrior
from mixtura.records import Array
from mixtura.supports import Real

PROCESS, DISTRIBUTION = WEIGHT_PRIORS = ("dirichlet_process", "dirichlet_distribution")


class AskingWeights(Protocol):
    """An estimator with the settings of a prior of weights."""

    weight_concentration_prior_type: str
    weight_concentration_prior: float | None


class Asking(AskingWeights, Protocol):
    """And of Gaussian components."""

    n_components: int
    reg_covar: float
    mean_precision_prior: float | None
    mean_prior: Any
    degrees_of_freedom_prior: float | None
    covariance_prior: Any

    def _names(self) -> list[str]: ...


def weight_prior(estimator: AskingWeights, K: int) -> WeightPrior:
    """That of the weights; 1 / K where no concentration is given."""
    given = estimator.weight_concentration_prior
    alpha = 1.0 / K if given is None else float(given)
    if estimator.weight_concentration_prior_type == PROCESS:
        return StickBreaking(alpha)
    return Dirichlet(alpha, K)


def component_prior(
    estimator: Asking, shape: Structure, rows: Source
) -> tuple[NormalWishart, tuple[Affine, ...]]:
    """That of the components, and frames in which the table has no units.

    By default, as in scikit-learn: the table's mean, worth one row; d degrees of freedom; the
    table's covariance, with n - 1.
    """
    d, form, table = rows.d, shape.form, source_moments(rows)
    given = estimator.mean_precision_prior
    freedom = estimator.degrees_of_freedom_prior
    if freedom is not None and not freedom > d - 1.0:
        raise ValueError(
            "The parameter 'degrees_of_freedom_prior' should be greater than "
            f"{d - 1}, but got {freedom:.3f}."
        )
    mean = table.mean
    if estimator.mean_prior is not None:
        mean = _numbers(estimator.mean_prior)
        check_shape(mean, (d,), "means")
        Real().check(mean, "mean_prior")
    prior = NormalWishart(
        form,
        mean,
        1.0 if given is None else float(given),
        float(d) if freedom is None else float(freedom),
        _scale(estimator, form, table),
        float(estimator.reg_covar),
        shape.one_covariance,
    )
    held = held_in(table.covariance, table.mean, form).added
    frames = form.frames(table.covariance + held)
    return prior, tuple(Affine(table.mean, each) for each in frames)


def _scale(estimator: Asking, form: Form, table: TableMoments) -> Array:
    shape = np.shape(form.identity(len(table.mean)))
    if estimator.covariance_prior is not None:
        scale = _numbers(estimator.covariance_prior)
        check_shape(scale, shape, f"{form.name} covariance_prior")
        form.support.check(scale, f"{form.name} covariance_prior")
        return scale
    return table_scale(form, table, estimator._names(), "give covariance_prior")


def _numbers(given: Any) -> Array:
    if np.ndim(given) == 0:
        return np.asarray(given, dtype=np.float64)
    kinds = [np.float64, np.float32]
    return np.asarray(check_array(given, dtype=kinds, ensure_2d=False), dtype=np.float64)

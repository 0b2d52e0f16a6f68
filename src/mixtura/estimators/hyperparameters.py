"""Priors of posteriors with Gaussian components: what is asked, or scikit-learn's from the table.

`component_prior` reads scikit-learn's names, `state_prior` hmmlearn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.utils import check_array

from mixtura.data.moments import TableMoments, source_moments
from mixtura.data.sequences import Sequences
from mixtura.data.source import Source
from mixtura.estimators.hmm_priors import filled, stored
from mixtura.estimators.initial import check_shape
from mixtura.families.frames import Affine
from mixtura.families.gaussian.covariance import Structure, structure
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


@dataclass(frozen=True)
class AskedWishart:
    """A prior of Gaussian components, checked; None: that of the table.

    scale_name is what the parameter for `scale` is called.
    """

    shape: Structure
    mean: Array | None
    precision: float | None
    freedom: float | None
    scale: Array | None
    scale_name: str
    reg_covar: float = 0.0

    def prior(self, table: TableMoments, names: Sequence[str]) -> NormalWishart:
        """The prior for a table with columns of these names.

        By default, as in scikit-learn: the table's mean, worth one row; d degrees of freedom; the
        table's covariance, with n - 1.
        """
        form, scale = self.shape.form, self.scale
        if scale is None:
            scale = table_scale(form, table, names, f"give {self.scale_name}")
        return NormalWishart(
            form,
            table.mean if self.mean is None else self.mean,
            1.0 if self.precision is None else float(self.precision),
            float(len(table.mean)) if self.freedom is None else float(self.freedom),
            scale,
            float(self.reg_covar),
            self.shape.one_covariance,
        )


def component_prior(
    estimator: Asking, shape: Structure, rows: Source
) -> tuple[NormalWishart, tuple[Affine, ...]]:
    """That of the components, and frames in which the table has no units."""
    d, form, table = rows.d, shape.form, source_moments(rows)
    freedom, mean, scale = estimator.degrees_of_freedom_prior, estimator.mean_prior, None
    if freedom is not None and not freedom > d - 1.0:
        raise ValueError(
            "The parameter 'degrees_of_freedom_prior' should be greater than "
            f"{d - 1}, but got {freedom:.3f}."
        )
    if mean is not None:
        mean = _numbers(mean)
        check_shape(mean, (d,), "means")
        Real().check(mean, "mean_prior")
    if estimator.covariance_prior is not None:
        scale = _numbers(estimator.covariance_prior)
        check_shape(scale, np.shape(form.identity(d)), f"{form.name} covariance_prior")
        form.support.check(scale, f"{form.name} covariance_prior")
    asked = AskedWishart(
        shape,
        mean,
        estimator.mean_precision_prior,
        freedom,
        scale,
        "covariance_prior",
        estimator.reg_covar,
    )
    held = held_in(table.covariance, table.mean, form).added
    frames = form.frames(table.covariance + held)
    return asked.prior(table, estimator._names()), tuple(Affine(table.mean, B) for B in frames)


class AskingStates(Protocol):
    """An estimator with hmmlearn's settings of the prior of Gaussian states."""

    n_components: int
    covariance_type: str
    means_prior: Any
    beta_prior: float | None
    dof_prior: float | None
    scale_prior: Any

    def _names(self) -> list[str]: ...


def state_prior(estimator: AskingStates, rows: Sequences) -> NormalWishart:
    """That of the states; ValueError where it is none."""
    d, kind, freedom = rows.d, estimator.covariance_type, estimator.dof_prior
    if freedom is not None and not freedom > d - 1:
        raise ValueError(
            f"dof_prior must be above {d - 1}, for X has {d} columns, got {freedom!r}: give more, "
            "or leave it out"
        )
    mean, scale = estimator.means_prior, estimator.scale_prior
    if mean is not None:
        mean = filled("means_prior", mean, (d,))
    if scale is not None:
        shape, one = stored(kind, d), np.ndim(scale) == 0
        scale = filled("scale_prior", scale, shape)
        scale = scale * np.eye(d) if one and len(shape) == 2 else scale
        structure(kind).form.support.check(scale, "scale_prior")
    asked = AskedWishart(structure(kind), mean, estimator.beta_prior, freedom, scale, "scale_prior")
    return asked.prior(source_moments(rows.rows()), estimator._names())


def _numbers(given: Any) -> Array:
    if np.ndim(given) == 0:
        return np.asarray(given, dtype=np.float64)
    kinds = [np.float64, np.float32]
    return np.asarray(check_array(given, dtype=kinds, ensure_2d=False), dtype=np.float64)

"""Fewer rows than columns: the mixture within the span of the rows, a small problem, exactly.

In standardised columns the m distinct rows are z = Q y, Q (d, m) orthonormal, and across that span
no row ever varies. There the table's S is the identity (`prior.table_prior` of so few rows), so
Sigma_k = (W_k + 2aS) / (n_k + 2a) is Q A_k Q' + c_k (1 - Q Q') at every step: a matrix A_k (m, m)
and one variance c_k for all the d - m other directions. A column of zeros that counts d - m times
(`Spanned`) stands for those, and EM in m + 1 columns takes the very steps of EM in d.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.column_moments import ColumnMoments, column_moments
from mixtura.data.moments import TableMoments
from mixtura.data.rows import Rows
from mixtura.data.survey import Survey
from mixtura.families.condensed import Condensed
from mixtura.families.equations import HELD_SHARE
from mixtura.families.gaussian import triangular
from mixtura.families.gaussian.matrices import Full
from mixtura.families.gaussian.prior import CovariancePrior, table_prior
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params,
    gaussian_params_from_root,
)
from mixtura.families.gaussian.variances import Diagonal
from mixtura.records import AnyArray, Array, Equation

# With fewer columns than this there is little to save.
_MANY_COLUMNS = 64


@dataclass(frozen=True)
class Spanned(Full):
    """One matrix per component, whose last column stands for `times` equal ones of zeros.

    held columns more are constant in the table, and have the variance HELD_SHARE; scale is the sum
    of the logarithms of the units that all are measured in.
    """

    times: int = 1
    held: int = 0
    scale: float = 0.0

    @property
    def whole(self) -> bool:  # type: ignore[override]
        return False

    def columns(self, d: int) -> int:
        return d - 1 + self.times + self.held

    def half_log_det(self, whiten: Array, d: int) -> Array:
        across = (self.times - 1) * np.log(whiten[:, -1, -1])
        return np.asarray(super().half_log_det(whiten, d) + across - self.scale)

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        found = super().excess(whiten, counts, second, d)
        found[:, -1, -1] *= self.times
        return found

    def trace_within(self, whiten: Array, matrix: Array, d: int) -> float:
        last = float((whiten[:, -1, -1] ** 2).sum() * matrix[-1, -1])
        return super().trace_within(whiten, matrix, d) + (self.times - 1) * last


class SpanSurvey(Survey):
    """Of rows in their span, whose columns have the variance 1 that the table's have."""

    @cached_property
    def moments(self) -> TableMoments:
        d, rows = self.source.d, self.source
        return TableMoments(
            rows.weight, rows.positive, np.zeros(d), np.eye(d), len(self.sample.X), self.groups
        )


@dataclass(frozen=True)
class Span(Condensed):
    """basis is Q (d, m); moments are the columns' of the table, groups its components at least."""

    rows: Rows
    sample: Rows
    basis: Array
    moments: ColumnMoments
    groups: int

    @cached_property
    def prior(self) -> CovariancePrior:
        """Of the columns alone."""
        return table_prior(Diagonal(), self.moments)

    @property
    def equations(self) -> tuple[Equation, ...]:
        return self.prior.equations

    @property
    def held_columns(self) -> tuple[int, ...]:
        return self.prior.held_columns

    @property
    def varied(self) -> AnyArray:
        """The columns that are not constant."""
        return np.flatnonzero(self.moments.variance > 0)

    @cached_property
    def unit(self) -> Array:
        return np.sqrt(np.where(self.moments.variance > 0, self.moments.variance, HELD_SHARE))

    @property
    def form(self) -> Spanned:
        d, m = self.basis.shape
        across = len(self.varied) - m
        return Spanned(across, d - len(self.varied), float(np.log(self.unit).sum()))

    @cached_property
    def survey(self) -> Survey:
        return SpanSurvey(self._within(self.rows), self._within(self.sample), self.groups)

    def _within(self, rows: Rows) -> Rows:
        Z = (rows.X.astype(np.float64) - self.moments.mean) / self.unit
        Y = np.zeros((rows.n, self.basis.shape[1] + 1))
        Y[:, :-1] = Z @ self.basis
        return Rows(Y, rows.sample_weight)

    def params(self, components: GaussianParams) -> GaussianParams:
        means = self.moments.mean + components.means[:, :-1] @ self.basis.T * self.unit
        d = len(self.unit)
        roots = np.empty((len(means), d, d))
        for k, matrix in enumerate(components.covariances):
            across = matrix[-1, -1]
            inner = matrix[:-1, :-1] - across * np.eye(len(matrix) - 1)
            cov = self.basis @ inner @ self.basis.T
            cov.flat[:: d + 1] += np.where(self.moments.variance > 0, across, 1.0)
            cov *= self.unit[:, None]
            cov *= self.unit
            roots[k] = triangular.cholesky(cov, k)
        return gaussian_params_from_root(means, roots, Full())

    def statistics(
        self, stats: GaussianStatistics, within: GaussianParams, params: GaussianParams
    ) -> GaussianStatistics:
        first, second = np.empty_like(params.means), np.empty_like(params.root)
        for k, root in enumerate(within.root[:, :-1, :-1]):
            # From the whitened units of the span to those of the table.
            turn = params.whiten[k] @ (self.unit[:, None] * (self.basis @ root))
            first[k] = turn @ stats.first[k, :-1]
            second[k] = turn @ stats.second[k, :-1, :-1] @ turn.T
        return GaussianStatistics(stats.counts, first, second)

    def constant(
        self, params: GaussianParams, counts: Array
    ) -> dict[int, tuple[tuple[int, float], ...]]:
        variances = np.einsum("kij,kij->ki", params.root, params.root)
        return self.prior.constant(gaussian_params(params.means, variances, Diagonal()), counts)


def span_of(survey: Survey) -> Span | None:
    """The rows of a table in their span; None where that has as many directions as columns.

    Also where columns are few, and where rows only pass by.
    """
    rows, sample = survey.source, survey.sample
    if not isinstance(rows, Rows) or rows.d < _MANY_COLUMNS or rows.n >= rows.d:
        return None
    moments = column_moments(rows)
    varied = moments.variance > 0
    if np.count_nonzero(varied) <= len(sample.X):
        return None
    Z = (sample.X[:, varied].astype(np.float64) - moments.mean[varied]) / np.sqrt(
        moments.variance[varied]
    )
    basis = np.zeros((rows.d, len(sample.X)))
    basis[varied] = np.linalg.qr(Z.T)[0]
    return Span(rows, sample, basis, moments, survey.groups)

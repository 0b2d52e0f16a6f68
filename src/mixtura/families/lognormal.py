"""The log-normal family: columns of positive numbers, independent within a component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled, standardised
from mixtura.families.by_column import by_column
from mixtura.families.dispersion import DispersionPrior, pooled
from mixtura.families.gaps import cells, observed, shares
from mixtura.families.portrait import Portrait, separation
from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics
from mixtura.supports import TINY, Positive, Real


@dataclass(frozen=True)
class LogNormalParams(Params):
    log_means: Annotated[Array, Real()]
    log_variances: Annotated[Array, Positive()]


@dataclass(frozen=True)
class LogNormalStatistics(Statistics):
    """Moments of log x about the components' current means (about 0 where there are none).

    counts (K,); first and second moment and rows in which a cell is there, each (K, d).
    """

    counts: Array
    first: Array
    second: Array
    cells: Array


@dataclass(frozen=True)
class LogNormal(Family):
    """log p(x | k) = sum_j -log x_j - 1/2 [log 2 pi v_kj + (log x_j - m_kj)^2 / v_kj]

    log_means      (K, d)  m_kj, real; exp(m) is the median
    log_variances  (K, d)  v_kj, positive
    statistics     counts, moments of log x about m, rows in which a cell is there
    M-step         m = sum r log x / sum r;  v = sum r (log x - m)^2 / sum r
    A Gaussian of the logarithms with a diagonal covariance. Where all rows of a component are
    equal in a column the likelihood has no bound: see LogNormalPrior.
    Reference: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, ch. 14.
    """

    record = LogNormalParams
    allows_gaps = True
    least = 0.0

    def settled(self, survey: Survey, K: int) -> Settled:
        found = Family.settled(self, survey, K)
        # Once more about the means found, where no digits are lost.
        sample = survey.sample
        weights = np.ones(sample.n) if sample.sample_weight is None else sample.sample_weight
        resp = np.repeat(weights[:, None] / K, K, axis=1)
        stats = self.statistics(sample.X, resp, found.base)
        base = self.maximize(stats, found.base, found.prior)
        prior = LogNormalPrior.of(survey, base.log_variances[0], self.name)
        return replace(found, base=base, prior=prior)

    def log_density(self, X: AnyArray, params: LogNormalParams) -> Array:
        logs, seen = _logs(X)
        out = np.empty((len(X), len(params.log_means)))
        for k, (m, v) in enumerate(zip(params.log_means, params.log_variances, strict=True)):
            parts = (logs - m) ** 2 / v + np.log(2 * np.pi * v)
            out[:, k] = np.einsum("ij,ij->i", parts, np.broadcast_to(seen, parts.shape))
        return np.asarray(-0.5 * out - logs.sum(axis=1, keepdims=True))

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> LogNormalStatistics:
        logs, seen = _logs(X)
        first, second = np.empty((2, resp.shape[1], logs.shape[1]))
        for k in range(resp.shape[1]):
            y = logs * seen if params is None else (logs - params.log_means[k]) * seen
            first[k], second[k] = resp[:, k] @ y, resp[:, k] @ (y * y)
        return LogNormalStatistics(resp.sum(axis=0), first, second, cells(resp, seen))

    def maximize(self, stats: LogNormalStatistics, params: Any, prior: Any) -> LogNormalParams:
        zero = np.zeros_like(stats.first)
        before = LogNormalParams(zero, zero + 1.0) if params is None else params
        shift = shares(stats.first, stats.cells, zero)
        squares = np.maximum(stats.second - stats.first * shift, 0.0)
        variances = pooled(prior, squares, stats.cells, before.log_variances)
        new = LogNormalParams(before.log_means + shift, np.maximum(variances, TINY))
        prior.refuse_collapse(new, stats.counts)
        return new

    def score(self, stats: LogNormalStatistics, params: LogNormalParams) -> dict[str, Array]:
        v = params.log_variances
        slope = 0.5 * (stats.second / v - stats.cells) / v
        return {"log_means": stats.first / v, "log_variances": slope}

    def information(self, params: LogNormalParams, shares: Array) -> dict[str, Array]:
        v, part = params.log_variances, shares[:, None]
        return {"log_means": part / v, "log_variances": part * np.full_like(v, 0.5)}

    def transported(
        self, stats: LogNormalStatistics, before: LogNormalParams, after: LogNormalParams
    ) -> LogNormalStatistics:
        shift = before.log_means - after.log_means
        first = stats.first + shift * stats.cells
        second = stats.second + shift * (stats.first + first)
        return replace(stats, first=first, second=second)

    def means(self, params: LogNormalParams) -> Array:
        return np.exp(params.log_means + params.log_variances / 2)

    def variances(self, params: LogNormalParams) -> Array:
        return np.expm1(params.log_variances) * self.means(params) ** 2

    def portrait(self, params: LogNormalParams, weights: Array, names: Sequence[str]) -> Portrait:
        # Of the logarithms, which tell as much: a long tail does not pass for a difference.
        tells = separation(weights, params.log_means, params.log_variances)
        return replace(by_column(self, params, weights, names), tells=tells)

    def sample(self, labels: AnyArray, params: LogNormalParams, rng: RandomNumbers) -> Array:
        deviations = np.sqrt(params.log_variances)[labels]
        return np.exp(params.log_means[labels] + deviations * rng.standard_normal(deviations.shape))

    def frame(self, X: AnyArray) -> Array:
        """Logarithms, standardised."""
        return standardised(np.log(X))


def _logs(X: AnyArray) -> tuple[Array, Array]:
    """(logarithms, 0 in the gaps; 1 where a cell is there, as in `gaps.observed`)."""
    return observed(np.log(np.asarray(X, dtype=np.float64)))


@dataclass(frozen=True)
class LogNormalPrior(DispersionPrior):
    """Rows added with the table's variance of logarithms: that of `families.gaussian.prior`."""

    # Moments are about the means: only the rounding of the logarithms themselves is left, squared.
    rounding: ClassVar[float] = 1e-26

    def dispersion(self, params: LogNormalParams) -> Array:
        return params.log_variances

    def dispersed(self, params: LogNormalParams, dispersion: Array) -> LogNormalParams:
        return replace(params, log_variances=dispersion)

    def row(self, params: LogNormalParams) -> Array:
        v = params.log_variances
        return np.asarray(-0.5 * (np.log(v) + self.target / v))

    def row_score(self, params: LogNormalParams) -> dict[str, Array]:
        v = params.log_variances
        return {"log_variances": 0.5 * (self.target / v - 1.0) / v}

"""The family of factor analysers: K normal densities whose covariances are factors and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mixtura.errors import Collapse, IllDefined
from mixtura.families.base import Family
from mixtura.families.factor.chart import FactorChart, factor_chart
from mixtura.families.factor.look import FactorLook
from mixtura.families.factor.prior import NoisePrior
from mixtura.families.factor.records import FactorParams, FactorStatistics, factor_params
from mixtura.families.factor.score import score
from mixtura.families.factor.start import started
from mixtura.families.factor.step import maximised
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian import ORDINARY_SHARE, PENALTY_SHARE, ROUNDED
from mixtura.families.prior import NUMERIC_SPREAD, SPURIOUS_SPREAD
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import Real

# A column whose noise is less than this share of what the other columns leave open of it is itself
# one of the factors: a Heywood case, on the way to no noise at all. Columns that tell each other
# precisely have little noise too, but then the others leave no more open.
HEYWOOD = 0.02
# Under maximum likelihood the way there may be slow: where a climb that has not converged leaves a
# column less than this, it is taken to be on it.
SLOWLY = 0.2
# Rows looked at together where all are asked for at once.
_ROWS = 2048


@dataclass(frozen=True)
class FactorAnalysers(Family):
    """x = m_k + Lambda_k z + e with z ~ N(0, I_q), e ~ N(0, Psi_k), Psi_k diagonal.

    means       (K, d)     real
    loadings    (K, d, q)  real, known up to a rotation of the factors; (1, d, q) where common
    noise       (K, d)     positive; one line where it is common, one column where isotropic
    statistics  sums of rows, squares, factor scores and their products (FactorStatistics)
    M-step      `factor.step`, without a d x d matrix
    Reference: McNicholas & Murphy (2008), Parsimonious Gaussian mixture models, Statistics and
    Computing 18.
    """

    kind: FactorAnalytic
    least_rows: ClassVar[int] = 2048

    def params(self, arrays: Mapping[str, Array]) -> FactorParams:
        return factor_params(arrays["means"], arrays["loadings"], arrays["noise"])

    def log_density(self, X: AnyArray, params: FactorParams) -> Array:
        out = np.empty((len(X), len(params.means)))
        for first in range(0, len(X), _ROWS):
            rows = slice(first, first + _ROWS)
            out[rows] = FactorLook(X[rows], params).log_density
        return out

    def look(self, X: AnyArray, params: FactorParams) -> FactorLook:
        return FactorLook(X, params)

    def statistics(self, X: AnyArray, resp: Array, params: FactorParams) -> FactorStatistics:
        return FactorLook(X, params).statistics(resp)

    def start(
        self, X: AnyArray, resp: Array, params: FactorParams, prior: NoisePrior
    ) -> FactorParams:
        return started(X, resp, params, self.kind, prior)

    def maximize(
        self, stats: FactorStatistics, params: FactorParams, prior: NoisePrior
    ) -> FactorParams:
        """One step of EM with expanded parameters."""
        new = factor_params(*maximised(stats, params, self.kind, prior))
        self.refuse_collapse(new, stats.counts, prior)
        return new

    def score(
        self, stats: FactorStatistics, params: FactorParams, prior: NoisePrior
    ) -> dict[str, Array]:
        return score(stats, params, self.kind, prior)

    def log_prior(self, params: FactorParams, prior: NoisePrior) -> float:
        if prior.strength == 0:
            return 0.0
        times = params.means.shape[1] if self.kind.isotropic else 1
        penalty = prior.target / params.noise + np.log(params.noise)
        return float(-prior.strength * times * penalty.sum())

    def counts(self, stats: FactorStatistics) -> Array:
        return stats.counts

    def rounding(self, params: FactorParams) -> float:
        """Of a difference of sums as large as the strongest factors are, in units of the noise."""
        eps = float(np.finfo(np.float64).eps)
        return float(min(1.0, ROUNDED * params.means.shape[1] * eps * params.signal))

    def obstacle(self, prior: NoisePrior) -> str:
        if prior.absolute:
            return "with a reg_covar above 0 EM does not maximise the likelihood"
        if np.any(prior.held):
            return "a column has no variance of its own, which only EM's steps can hold"
        return ""

    def chart(self, params: FactorParams, weights: Array) -> FactorChart:
        return factor_chart(params, weights, self.kind)

    def variances(self, params: FactorParams) -> Array:
        return params.variances

    def covariances(self, params: FactorParams, columns: AnyArray) -> Array:
        return params.among(columns)

    def n_parameters(self, params: FactorParams) -> int:
        K, d = params.means.shape
        return Real().size((K, d)) + self.kind.n_parameters(K, d)

    def sample(self, labels: AnyArray, params: FactorParams, rng: RandomNumbers) -> Array:
        K, d = params.means.shape
        out = rng.standard_normal((len(labels), d))
        scores = rng.standard_normal((len(labels), self.kind.n_factors))
        loadings = np.broadcast_to(params.loadings, (K, *params.loadings.shape[1:]))
        deviation = np.broadcast_to(np.sqrt(params.noise), (K, d))
        for k in range(K):
            own = labels == k
            out[own] = out[own] * deviation[k] + scores[own] @ loadings[k].T + params.means[k]
        return out

    def spread(self, params: FactorParams, prior: NoisePrior) -> Array:
        """The smallest noise variance of each component, as a share of the table's; (K,)."""
        # Only with a constant floor may a column be without any variance to compare with.
        scale = np.where(prior.scale > 0, prior.scale, 1.0)
        smallest = (params.noise / scale).min(axis=1)
        return np.broadcast_to(smallest, (len(params.means),)).copy()

    def refuse_collapse(self, params: FactorParams, counts: Array, prior: NoisePrior) -> None:
        """At maximum likelihood, stop before the noise of a component vanishes."""
        if prior.strength > 0 or prior.absolute > 0:
            return
        spread = self.spread(params, prior)
        if not prior.judged:
            if spread.min() < NUMERIC_SPREAD:
                raise IllDefined(int(spread.argmin()))
            return
        rows = self._rows(counts)
        bad = self._too_narrow(params, spread, rows * prior.count_scale)
        if bad.any():
            k = int(np.argmax(bad))
            raise Collapse(k, float(rows[k]), float(spread[k]))

    def _rows(self, counts: Array) -> Array:
        """The rows behind the noise of each component."""
        return np.full(len(counts), counts.sum()) if self.kind.common_noise else counts

    @property
    def _few(self) -> int:
        """Rows that factors can follow one by one."""
        return max(2 * (self.kind.n_factors + 2), 5)

    def vanishing(
        self, params: FactorParams, counts: Array, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        if self.kind.isotropic:
            return {}
        small = params.uniqueness < (SLOWLY if slowly else HEYWOOD)
        small &= (self._rows(counts) >= self._few)[:, None]
        return {
            int(k): tuple(np.flatnonzero(small[k]).tolist())
            for k in np.flatnonzero(small.any(axis=1))
        }

    def _too_narrow(self, params: FactorParams, spread: Array, rows: Array) -> Any:
        few = rows < self._few
        bad = (spread < NUMERIC_SPREAD) | ((spread < SPURIOUS_SPREAD) & few)
        if not self.kind.isotropic:
            bad = bad | (params.uniqueness < HEYWOOD).any(axis=1)
        return bad

    def narrow(
        self, params: FactorParams, counts: Array, prior: NoisePrior
    ) -> list[tuple[int, float]]:
        a, rows = prior.strength, self._rows(counts)
        spread = self.spread(params, prior)
        if prior.absolute > 0:
            smallest = np.broadcast_to(params.noise.min(axis=1), counts.shape)
            bad = (prior.absolute > PENALTY_SHARE * smallest) & (counts >= 1)
            return [(int(k), float(smallest[k])) for k in np.flatnonzero(bad)]
        bad = self._too_narrow(params, spread, rows * prior.count_scale)
        if a > 0:
            share = 2 * a / ((rows + 2 * a) * spread)
            bad = bad | (share > PENALTY_SHARE) & (rows * prior.count_scale >= 1)
        return [(int(k), float(spread[k])) for k in np.flatnonzero(bad)]

    def sobered(
        self, params: FactorParams, weights: Array, narrow: list[int], prior: NoisePrior
    ) -> FactorParams:
        if self.kind.common_noise:
            return params
        lenders = np.setdiff1d(np.flatnonzero(weights > 0), narrow)
        noise = params.noise.copy()
        if len(lenders):
            noise[narrow] = np.average(noise[lenders], axis=0, weights=weights[lenders])
        else:
            noise = noise + ORDINARY_SHARE * prior.scale
        return factor_params(params.means, params.loadings, noise)

    def transported(
        self, stats: FactorStatistics, before: FactorParams, after: FactorParams
    ) -> FactorStatistics:
        raise ValueError(
            f"covariance_type={str(self.kind)!r}: the factors take another scale in every step, so "
            "sums of different steps cannot be averaged, as solver='online', 'stochastic' and "
            "partial_fit do. Use solver='auto' or 'em', with fit"
        )

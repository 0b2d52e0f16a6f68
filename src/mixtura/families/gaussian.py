"""The Gaussian family: K normal densities under one covariance structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.errors import Collapse, IllDefined
from mixtura.families.base import Family
from mixtura.families.chart import GaussianChart, gaussian_chart
from mixtura.families.covariance import Structure
from mixtura.families.forms import Form
from mixtura.families.gaussian_records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params,
    gaussian_params_from_root,
)
from mixtura.families.prior import NUMERIC_SPREAD, SPURIOUS_SPREAD, CovariancePrior
from mixtura.families.triangular import square, times
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import Real

# A narrowest variance that is penalty by more than this share has hardly any scatter of its own.
PENALTY_SHARE = 0.9
# Of many rows a variance without the penalty's share may be this small a part of the table's: a
# thin line. Below it they lie on one value, as rounded numbers do, but for the tails of others.
THIN_SPREAD = 1e-6
# The width that all components get, as a share of the table's covariance, when all are narrow.
ORDINARY_SHARE = 0.01
# Units of rounding in the entries of a matrix that an M-step makes.
ROUNDED = 8.0


@dataclass(frozen=True)
class Gaussian(Family):
    """log p(x | k) = -1/2 [d log 2 pi + log det Sigma_k + (x - m_k)' Sigma_k^-1 (x - m_k)]

    means       (K, d)        real
    covariances form's shape  positive definite; which ones are equal is the structure's business
    statistics  counts, first and second moments about the current means (GaussianStatistics)
    M-step      m_k = sum r x / n_k;  Sigma_k from the scatter about it by `structure.roots`
    Reference: McLachlan & Peel (2000), Finite Mixture Models, sections 3.2 and 3.9.
    """

    structure: Structure

    @property
    def form(self) -> Form:
        return self.structure.form

    def params(self, arrays: Mapping[str, Array]) -> GaussianParams:
        return gaussian_params(arrays["means"], arrays["covariances"], self.form)

    def log_density(self, X: AnyArray, params: GaussianParams) -> Array:
        out = np.empty((len(X), len(params.means)))
        for k in range(len(params.means)):
            y = self.form.residuals(X, params.means, params.whiten, k)
            out[:, k] = params.log_norm[k] - 0.5 * np.einsum("ij,ij->i", y, y)
        return out

    def statistics(self, X: AnyArray, resp: Array, params: GaussianParams) -> GaussianStatistics:
        first, seconds = np.empty_like(params.means), []
        for k in range(len(params.means)):
            y = self.form.residuals(X, params.means, params.whiten, k)
            first[k] = resp[:, k] @ y
            seconds.append(self.form.second(y, resp[:, k]))
        return GaussianStatistics(resp.sum(axis=0), first, self.form.gather(seconds))

    def maximize(
        self, stats: GaussianStatistics, params: GaussianParams, prior: CovariancePrior
    ) -> GaussianParams:
        """The M-step. A component with no rows keeps its mean and its covariance."""
        counts, form = stats.counts, self.form
        shift = stats.first / np.where(counts > 0, counts, 1.0)[:, None]
        means = params.means + form.move(params.root, shift)
        scatter = form.about(counts, shift, stats.second)
        root = self.structure.roots(form, params, scatter, counts, prior)
        new = gaussian_params_from_root(means, root, form)
        self.refuse_collapse(new, counts, prior)
        return new

    def refuse_collapse(
        self, params: GaussianParams, counts: Array, prior: CovariancePrior
    ) -> None:
        """At maximum likelihood, stop before a component reaches a singularity.

        Cholesky pivots bound the smallest eigenvalue of S^-1 Sigma_k from above and cost nothing.
        """
        if prior.pivots is None or prior.strength > 0:
            return
        spread = np.min((self.form.pivots(params.root) / prior.pivots) ** 2, axis=1)
        rows = counts.sum(keepdims=True) if self.form.shared else counts
        if prior.reference is None:
            if spread.min() < NUMERIC_SPREAD:
                raise IllDefined(int(spread.argmin()))
            return
        bad = too_narrow(spread, rows * prior.count_scale, params.means.shape[1])
        if bad.any():
            k = int(np.argmax(bad))
            raise Collapse(k, float(rows[k]), float(spread[k]))

    def rounding(self, params: GaussianParams) -> float:
        """Relative rounding of the correlations, over their smallest eigenvalue; at most 1."""
        if not self.form.correlates:
            return 0.0
        rows = np.linalg.norm(params.root, axis=-1, keepdims=True)
        smallest = np.linalg.svd(params.root / rows, compute_uv=False).min() ** 2
        d = params.means.shape[1]
        return float(min(1.0, ROUNDED * d * np.finfo(np.float64).eps / max(smallest, 1e-300)))

    def score(
        self, stats: GaussianStatistics, params: GaussianParams, prior: CovariancePrior
    ) -> dict[str, Array]:
        d = params.means.shape[1]
        means = self.form.pulled(params.whiten, stats.first)
        rows, second = prior.with_rows(self.form, params.whiten, stats.counts, stats.second, d)
        return {"means": means, "covariances": self.form.excess(params.whiten, rows, second, d)}

    def log_prior(self, params: GaussianParams, prior: CovariancePrior) -> float:
        if prior.strength == 0:
            return 0.0
        d = params.means.shape[1]
        half_log_det = self.form.half_log_det(params.whiten, d).sum()
        trace = self.form.trace_within(params.whiten, prior.target, d)
        return float(-prior.strength * (trace - 2 * half_log_det))

    def counts(self, stats: GaussianStatistics) -> Array:
        return stats.counts

    def obstacle(self, prior: CovariancePrior) -> str:
        if not self.structure.free:
            return f"covariance_type={self.structure.name!r} has no simple free coordinates"
        if np.any(prior.absolute):
            return "with a reg_covar above 0 EM does not maximise the likelihood"
        if np.any(prior.held):
            return "a column has no variance of its own, which only EM's steps can hold"
        return ""

    def chart(self, params: GaussianParams, weights: Array) -> GaussianChart:
        return gaussian_chart(self.form, params, weights, self.structure.tangent)

    def transported(
        self, stats: GaussianStatistics, before: GaussianParams, after: GaussianParams
    ) -> GaussianStatistics:
        form = self.form
        inner = form.compose(after.whiten, before.root)
        shift = form.move(after.whiten, before.means - after.means)
        first = form.move(inner, stats.first) + stats.counts[:, None] * shift
        second = form.carried(inner, shift, (stats.counts, stats.first, stats.second))
        return GaussianStatistics(stats.counts, first, second)

    def variances(self, params: GaussianParams) -> Array:
        return self.form.variances(params.covariances, *params.means.shape)

    def covariances(self, params: GaussianParams, columns: AnyArray) -> Array:
        some = self.form.among(params.covariances, columns)
        return self.form.dense(some, len(params.means), len(columns))

    def n_parameters(self, params: GaussianParams) -> int:
        K, d = params.means.shape
        return Real().size((K, d)) + self.structure.n_parameters(K, d)

    def sample(self, labels: AnyArray, params: GaussianParams, rng: RandomNumbers) -> Array:
        noise = rng.standard_normal((len(labels), params.means.shape[1]))
        out = np.empty_like(noise)
        # Noise has no order, so each component may take the next of it.
        order = np.argsort(labels, kind="stable")
        ends = np.cumsum(np.bincount(labels, minlength=len(params.means)))
        for k, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            root = params.root if self.form.shared else params.root[k]
            own = noise[start:stop]
            shape = own @ root.T if self.form.correlates else own * root
            out[order[start:stop]] = shape + params.means[k]
        return out

    def spread(self, params: GaussianParams, prior: CovariancePrior) -> Array:
        """The smallest eigenvalue of S^-1 Sigma_k, S the table's covariance; (K,)."""
        K = len(params.means)
        if prior.reference is None:
            return np.full(K, np.nan)
        if not self.form.correlates:
            share = params.covariances / self.form.restrict(prior.reference)
            if self.form.shared:
                return np.full(K, share.min())
            return np.asarray(share.reshape(K, -1).min(axis=1))
        values = np.linalg.eigvalsh(square(times(prior.units, params.root)))
        return np.full(K, values.min()) if self.form.shared else np.asarray(values.min(axis=1))

    def narrow(
        self, params: GaussianParams, counts: Array, prior: CovariancePrior
    ) -> list[tuple[int, float]]:
        """(component, spread) of those that only the penalty keeps from collapsing."""
        if np.any(prior.absolute):
            return self._at_the_floor(params, counts, prior.floor)
        spread = self.spread(params, prior)
        rows = np.full(len(counts), counts.sum()) if self.form.shared else counts
        a = prior.strength
        share = 2 * a / ((rows + 2 * a) * spread) if a > 0 else np.zeros(len(counts))
        held = rows * prior.count_scale
        # Without what the penalty added: many rows on a thin line are no spike, on one value are.
        own = (spread * (rows + 2 * a) - 2 * a) / np.maximum(rows, 1e-300)
        few = (held >= 1) & (held < few_rows(params.means.shape[1]))
        bad = too_narrow(spread, held, params.means.shape[1])
        bad = bad | (share > PENALTY_SHARE) & (few | (held >= 1) & (own < THIN_SPREAD))
        return [(int(k), float(spread[k])) for k in np.flatnonzero(bad)]

    def _at_the_floor(
        self, params: GaussianParams, counts: Array, floor: float
    ) -> list[tuple[int, float]]:
        if self.form.correlates:
            dense = self.form.dense(params.covariances, *params.means.shape)
            smallest = np.linalg.eigvalsh(dense).min(axis=1)
        else:
            smallest = self.variances(params).min(axis=1)
        bad = (floor > PENALTY_SHARE * smallest) & (counts >= 1)
        return [(int(k), float(smallest[k])) for k in np.flatnonzero(bad)]

    def sobered(
        self, params: GaussianParams, weights: Array, narrow: list[int], prior: CovariancePrior
    ) -> GaussianParams:
        if self.form.shared:
            return params
        lenders = np.setdiff1d(np.flatnonzero(weights > 0), narrow)
        cov = params.covariances.copy()
        if len(lenders):
            cov[narrow] = np.average(cov[lenders], axis=0, weights=weights[lenders])
        else:
            cov = cov + ORDINARY_SHARE * prior.scale
        return gaussian_params(params.means, cov, self.form)


def too_narrow(spread: Array, rows: Array, d: int) -> NDArray[np.bool_]:
    """Which components sit on a spike of the likelihood: too narrow for the rows they hold."""
    few = rows < few_rows(d)
    return (spread < NUMERIC_SPREAD) | ((spread < SPURIOUS_SPREAD) & few)


def few_rows(d: int) -> int:
    """A component of fewer rows than this may be one of the likelihood's spikes."""
    return max(2 * (d + 1), 5)

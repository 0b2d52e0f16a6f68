"""The conjugate prior of Gaussian components: normal means, Wishart precisions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.posterior import GaussianPosterior, gaussian_posterior
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.families.gaussian.upheld import mostly
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class NormalWishart(Prior):
    """p(m, L) = N(m | mean, (mean_precision L)^-1) Wishart(L | scale^-1, freedom), L a precision.

    mean            (d,)
    mean_precision  how many rows the mean is worth
    freedom         how many rows the covariance is worth, above d - 1
    scale           in one component's shape of the form; scale / freedom is like a covariance
    pooled          whether all components have one covariance, however it is stored
    reg_covar       added to the covariance of the rows of each component in every step; then the
                    steps do not maximise anything

    A form restricts the posterior alone. Each component has a precision of its own; a diagonal or
    spherical form makes the posterior's scale such a matrix, the tied one makes scale and freedom
    those of all components. What `posterior` gives is the best such distribution, so the bound
    rises with every form: where the free optimum is Wishart(A_k^-1, v_k), a scale restricted to a
    linear space is best at v = mean v_k, and its inverse there at the projection of mean A_k.
    """

    form: Form
    mean: Array
    mean_precision: float
    freedom: float
    scale: Array
    reg_covar: float = 0.0
    pooled: bool = False

    @property
    def monotone(self) -> bool:
        return self.reg_covar == 0

    def prior(self, K: int) -> GaussianPosterior:
        """K components that no row has told of."""
        means = np.tile(self.mean, (K, 1))
        root = self.form.root_of(self.form.repeat(np.asarray(self.scale / self.freedom), K))
        worth = np.full(K, self.mean_precision), np.full(K, self.freedom)
        return gaussian_posterior(means, root, self.form, *worth)

    @property
    def one(self) -> GaussianPosterior:
        """That of one component."""
        return self.prior(1)

    def extended(self, params: GaussianPosterior, K: int) -> GaussianPosterior:
        """The same among K components, of which the others are the prior.

        A covariance that components share is theirs too.
        """
        more = self.prior(K - len(params.means))
        shared = self.form.shared
        root = params.root if shared else np.concatenate([params.root, more.root])
        freedom = np.full(K, params.freedom[0])
        return gaussian_posterior(
            np.concatenate([params.means, more.means]),
            root,
            self.form,
            np.concatenate([params.mean_precision, more.mean_precision]),
            freedom if shared else np.concatenate([params.freedom, more.freedom]),
        )

    def posterior(self, stats: GaussianStatistics, now: GaussianParams) -> GaussianPosterior:
        """The best distribution given the sums, which are in the units of `now`.

        Source: Bishop (2006), equations 10.60 to 10.63.
        """
        form, counts, (K, d) = self.form, stats.counts, now.means.shape
        shift = stats.first / np.where(counts > 0, counts, 1.0)[:, None]
        off = now.means + form.move(now.root, shift) - self.mean
        mean_precision = self.mean_precision + counts
        # What the means' distance from the prior's adds to the scatter.
        pull = self.mean_precision * counts / mean_precision
        scatter = form.about(counts, shift, stats.second)
        scatter += form.about(-pull, form.move(now.whiten, off), np.zeros_like(stats.second))
        rows = counts
        if form.shared:
            rows = counts.sum(keepdims=True) / K
            scatter = scatter / K
        inner = scatter + form.whitened(now.whiten, self.scale)
        if self.reg_covar:
            unit = form.whitened(now.whiten, np.asarray(form.identity(d)))
            inner += self._along(self.reg_covar * rows, inner) * unit
        freedom = self.freedom + rows
        if self.pooled and not form.shared:
            # All are in the same units, for all have the same covariance.
            inner = np.broadcast_to(inner.mean(axis=0), inner.shape)
            freedom = np.full(K, freedom.mean())
        root = form.compose(now.root, form.root_of(inner / self._along(freedom, inner)))
        means = self.mean + (counts / mean_precision)[:, None] * off
        freedom = np.broadcast_to(freedom, K).copy()
        return gaussian_posterior(means, root, form, mean_precision, freedom)

    def _along(self, values: Array, like: Array) -> Array:
        """Values (K,), or one for all, along the components of `like`."""
        if self.form.shared:
            return values[0]  # type: ignore[no-any-return]
        return values.reshape(-1, *(1,) * (like.ndim - 1))

    def upheld(self, params: GaussianPosterior, counts: Array) -> AnyArray:
        parts = self.form.whitened(params.whiten, self.scale)
        return mostly(parts, self.form, 1.0 / params.freedom)

    def log_prior(self, params: GaussianPosterior) -> float:
        """Minus the Kullback-Leibler divergence of the posterior from the prior, every constant in.

        Source: Penny (2001), Kullback-Leibler divergences of normal, gamma, Dirichlet and Wishart
        densities, Wellcome Department of Cognitive Neurology.
        """
        d, form, v, v0 = len(self.mean), self.form, params.freedom, self.freedom
        ratio = self.mean_precision / params.mean_precision
        away = form.move(params.whiten, params.means - self.mean)
        of_means = d * (ratio - 1.0 - np.log(ratio)).sum() + self.mean_precision * (away**2).sum()
        half = np.arange(d)
        of_scales = v0 * (self._half_log_det - params.half_log_det)
        trace = form.trace_within(params.whiten, self.scale, d)
        traces = 0.5 * (trace * (len(v) if form.shared else 1) - d * v.sum())
        gammas = gammaln(0.5 * (v0 - half)).sum() - gammaln(0.5 * (v[:, None] - half)).sum(axis=1)
        slopes = 0.5 * (v - v0) * digamma(0.5 * (v[:, None] - half)).sum(axis=1)
        return -float(0.5 * of_means + (of_scales + gammas + slopes).sum() + traces)

    @cached_property
    def _half_log_det(self) -> Array:
        """1/2 log det of the inverse of `scale`, (1,)."""
        root = self.form.root_of(self.form.repeat(np.asarray(self.scale), 1))
        return self.form.half_log_det(self.form.invert_root(root), len(self.mean))

    def log_norm(self, params: GaussianPosterior) -> float:
        """Of the densities q(m_k, L_k), added, as scikit-learn counts: without powers of pi.

        Source: Bishop (2006), equation B.79.
        """
        d, v = len(self.mean), params.freedom
        gammas = gammaln(0.5 * (v[:, None] - np.arange(d))).sum(axis=1)
        scales = v * (params.half_log_det + 0.5 * d * np.log(2.0)) + gammas
        return float(scales.sum() - 0.5 * d * np.log(params.mean_precision).sum())

    def expected(self, stats: GaussianStatistics, params: GaussianPosterior) -> float:
        """sum_ik r_ik E[log p(x_i | k)], from the sums in the units of `params`."""
        form, d = self.form, len(self.mean)
        second = np.asarray(stats.second)
        whole = second if not form.correlates else second[..., np.arange(d), np.arange(d)]
        return float(stats.counts @ params.log_norm - 0.5 * whole.sum())

"""Gaussian components that are known by a posterior, not by a point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.families.beyond import log_t_tail
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import LOG_2PI, GaussianParams, GaussianStatistics
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import TINY


@dataclass(frozen=True)
class GaussianPosterior(GaussianParams):
    """q(m_k, L_k) = N(m_k | means_k, (b_k L_k)^-1) Wishart(L_k | W_k, v_k), L_k the precisions.

    covariances     in the form's shape: (v_k W_k)^-1, the inverse of the mean precision
    mean_precision  (K,) b_k, in rows
    freedom         (K,) v_k, in rows, above d - 1; equal where components share a covariance
    log_norm        (K,) is that of exp E[log p(x | k)], which has the form of a Gaussian density

    What a form restricts is W_k: diagonal, a multiple of the identity, or one for all components.
    Reference: Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.
    """

    mean_precision: Array = field(default_factory=lambda: np.empty(0))
    freedom: Array = field(default_factory=lambda: np.empty(0))

    def arrays(self) -> dict[str, Array]:
        own = {"mean_precision": self.mean_precision, "freedom": self.freedom}
        return super().arrays() | own

    def some(self, which: AnyArray | slice) -> GaussianPosterior:
        """Some of the components; a covariance that they share is theirs."""
        root = self.root if self.form.shared else self.root[which]
        worth = self.mean_precision[which], self.freedom[which]
        return gaussian_posterior(self.means[which], root, self.form, *worth)

    @property
    def scale(self) -> Array:
        """The inverses of W_k, in the form's shape: of shared ones that of all."""
        return np.asarray(self.covariances * _along(self.freedom, self.form))

    @property
    def half_log_det(self) -> Array:
        """(K,) or (1,): 1/2 log det of W_k."""
        d = self.means.shape[1]
        freedom = self.freedom[:1] if self.form.shared else self.freedom
        return np.asarray(self.form.half_log_det(self.whiten, d) - 0.5 * d * np.log(freedom))

    def drawn(self, draws: int, rng: np.random.RandomState) -> tuple[Array, Array]:
        """Means (draws, K, d) and covariances (draws, K, d, d), dense whatever the form.

        Precisions are R A A' R' with A lower triangular (Bartlett 1933; Johnson & Kotz 1972,
        Continuous Multivariate Distributions, chapter 38) and R R' = W_k.
        """
        K, d = self.means.shape
        roots = np.linalg.cholesky(self.form.dense(self.covariances, K, d))
        means, covariances = np.empty((draws, K, d)), np.empty((draws, K, d, d))
        for k, free in enumerate(self.freedom):
            A = np.tril(rng.standard_normal((draws, d, d)), -1)
            A[:, range(d), range(d)] = np.sqrt(rng.chisquare(free - np.arange(d), size=(draws, d)))
            half = np.linalg.solve(A, np.broadcast_to(np.sqrt(free) * roots[k].T, A.shape))
            covariances[:, k] = np.swapaxes(half, 1, 2) @ half
            noise = rng.standard_normal((draws, 1, d)) / np.sqrt(self.mean_precision[k])
            means[:, k] = self.means[k] + (noise @ half)[:, 0]
        return means, covariances

    def predictive(self, X: AnyArray) -> Array:
        """log p(x | k, the rows), (n, K): a t density with v_k + 1 - d degrees of freedom.

        Source: Bishop (2006), equations 10.81 and 10.82.
        """
        d, form = self.means.shape[1], self.form
        free, wider = self.predicted
        norm = gammaln(0.5 * (free + d)) - gammaln(0.5 * free)
        norm += form.half_log_det(self.whiten, d) - 0.5 * d * np.log(free * np.pi * wider)
        return np.asarray(norm - 0.5 * (free + d) * np.log1p(self._squares(X) / free))

    def log_beyond(self, X: AnyArray) -> Array:
        """log P(delta >= delta_k(x)), (n, K), delta a squared distance in that t density's scale:
        d times F of d and v_k + 1 - d degrees of freedom."""
        return log_t_tail(self._squares(X), self.means.shape[1], self.predicted[0])

    @property
    def predicted(self) -> tuple[Array, Array]:
        """(degrees of freedom; the scale matrix as a multiple of the covariance), each (K,)."""
        free = self.freedom + 1.0 - self.means.shape[1]
        return free, self.freedom * (1.0 + 1.0 / self.mean_precision) / free

    def _squares(self, X: AnyArray) -> Array:
        """(n, K), in units of that scale matrix."""
        out = np.empty((len(X), len(self.means)))
        for k in range(len(self.means)):
            y = self.form.residuals(X, self.means, self.whiten, k)
            out[:, k] = np.einsum("ij,ij->i", y, y)
        return np.asarray(out / self.predicted[1])


def gaussian_posterior(
    means: Array, root: Array, form: Form, mean_precision: Array, freedom: Array
) -> GaussianPosterior:
    """From the lower Cholesky factors (or standard deviations) of the covariances."""
    return _assembled(means, root, form.invert_root(root), form, mean_precision, freedom)


def gaussian_posterior_from_whiten(
    means: Array, whiten: Array, form: Form, mean_precision: Array, freedom: Array
) -> GaussianPosterior:
    """The same from their inverses."""
    return _assembled(means, form.invert_root(whiten), whiten, form, mean_precision, freedom)


def gaussian_posterior_from_scale(
    means: Array, scale: Array, form: Form, mean_precision: Array, freedom: Array
) -> GaussianPosterior:
    """The same from `GaussianPosterior.scale`."""
    root = form.root_of(scale / _along(freedom, form))
    return gaussian_posterior(means, root, form, mean_precision, freedom)


def _along(freedom: Array, form: Form) -> Array:
    """Degrees of freedom (K,) beside matrices in the form's shape."""
    sizes = (1,) * (len(form.shape(2, 2)) - 1)
    return np.asarray(freedom[0]) if form.shared else freedom.reshape(-1, *sizes)


def _assembled(
    means: Array,
    root: Array,
    whiten: Array,
    form: Form,
    mean_precision: Array,
    freedom: Array,
) -> GaussianPosterior:
    """With the norm of exp E[log p(x | k)].

    It is 1/2 E log det L - d/2 log 2 pi - d / (2 b); Bishop (2006), equations 10.64 and 10.65.
    """
    d = means.shape[1]
    log_det = form.half_log_det(whiten, d) - 0.5 * d * np.log(0.5 * freedom)
    log_det += 0.5 * digamma(0.5 * (freedom[:, None] - np.arange(d))).sum(axis=1)
    log_norm = log_det - 0.5 * d * (LOG_2PI + 1.0 / mean_precision)
    return GaussianPosterior(
        means, root, whiten, log_norm, form, mean_precision=mean_precision, freedom=freedom
    )


@dataclass(frozen=True)
class PosteriorGaussian(Gaussian):
    """exp E[log p(x | k)] under a Normal-Wishart posterior, whose M-step is Bayes' rule.

    It has the form of a Gaussian density and other norms, so passes and sums are the Gaussian
    family's.
    """

    record = GaussianPosterior
    fills_gaps = False

    def maximize(self, stats: GaussianStatistics, params: Any, prior: Any) -> GaussianPosterior:
        """The posterior given the sums; of a component without rows the prior."""
        found: GaussianPosterior = prior.posterior(stats, params)
        return found

    def predictive(self, X: AnyArray, params: GaussianPosterior) -> Array:
        """log p(x | k, the rows of the fit), (n, K)."""
        return params.predictive(X)

    def predicted(self, labels: AnyArray, params: GaussianPosterior, rng: RandomNumbers) -> Array:
        """Rows of that law of the labels' components: a normal one over the root of a chi-squared
        share, as a t is."""
        free, wider = (each[labels] for each in params.predicted)
        away = self.sample(labels, params, rng) - params.means[labels]
        shares = np.maximum(rng.chisquare(free), TINY) / free
        return np.asarray(params.means[labels] + away * np.sqrt(wider / shares)[:, None])

    def log_beyond(self, X: AnyArray, params: Any) -> Array:
        """By the predictive density: a row is not far out for what few rows leave unknown."""
        return np.asarray(params.log_beyond(X))

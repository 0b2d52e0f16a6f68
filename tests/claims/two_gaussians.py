"""The smallest mixture: two Gaussians of equal weight and known covariance I, by a user."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from mixtura.models.base import Model
from mixtura.records import Array, Chunk, Params, Statistics, Summary
from mixtura.supports import Real


@dataclass(frozen=True)
class Means(Params):
    """means (2, d), all that is not known."""

    means: Annotated[Array, Real()]


@dataclass(frozen=True)
class MeansStatistics(Statistics):
    """counts_k = sum_i r_ik (2,) and sums_k = sum_i r_ik x_i (2, d)."""

    counts: Array
    sums: Array


def slopes(summary: Summary, params: Means) -> Array:
    """The gradient in the means (2, d)."""
    stats: Any = summary.statistics
    return np.asarray(stats.sums - stats.counts[:, None] * params.means)


class TwoGaussians(Model):
    """p(x) = N(x; m1, I) / 2 + N(x; m2, I) / 2, the rows in d dimensions.

    The responsibility of the second is the logistic function of the difference of the two
    log-densities.
    """

    def e_step(self, chunk: Chunk, params: Means) -> Summary:
        X, sample_weight, *_ = chunk
        first, second = params.means
        odds = X @ (second - first) - 0.5 * (second @ second - first @ first)
        rest = X - first
        # expit(odds) and log(1 + exp(odds)) from one exponential that cannot overflow.
        small = np.exp(-np.abs(odds))
        likelier, sum_ = 1.0 / (1.0 + small), np.maximum(odds, 0.0) + np.log1p(small)
        log_p = sum_ - 0.5 * np.einsum("ij,ij->i", rest, rest)
        log_p -= math.log(2.0) + 0.5 * X.shape[1] * math.log(2.0 * math.pi)
        to_second = np.where(odds >= 0, likelier, 1.0 - likelier)
        resp = np.stack([1.0 - to_second, to_second])
        if sample_weight is None:
            loglik, weight = float(log_p.sum()), float(len(X))
        else:
            loglik, weight = float(sample_weight @ log_p), float(sample_weight.sum())
            resp *= sample_weight
        return Summary(loglik, weight, MeansStatistics(resp.sum(axis=1), resp @ X))

    def m_step(self, summary: Summary, params: Means) -> Means:
        stats: Any = summary.statistics
        counts = stats.counts[:, None]
        # A mean so far out that no row belongs to it stays where it is.
        means = np.divide(stats.sums, counts, out=params.means.copy(), where=counts > 0)
        return Means(means)

    def score(self, summary: Summary, params: Means) -> dict[str, Array]:
        return {"means": slopes(summary, params)}

    def information(self, params: Means) -> dict[str, Array]:
        """Of each number of a mean half a row's."""
        return {"means": np.full((), 0.5)}

"""The smallest mixture: two Gaussians of equal weight and known covariance I, by a user."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.models.base import Model
from mixtura.records import AnyArray, Array, Chart, Params, Statistics, Summary


@dataclass(frozen=True)
class Means(Params):
    """means (2, d), all that is not known."""

    means: Array

    def arrays(self) -> dict[str, Array]:
        return {"means": self.means}


@dataclass(frozen=True)
class MeansStatistics(Statistics):
    """counts_k = sum_i r_ik (2,) and sums_k = sum_i r_ik x_i (2, d)."""

    counts: Array
    sums: Array


@dataclass(frozen=True)
class MeansChart(Chart):
    """means = means0 + sqrt(2) z: the complete-data information of a mean is half the identity."""

    centre: Means

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.centre.means.size

    def params(self, free: Array) -> Means:
        return Means(self.centre.means + math.sqrt(2.0) * free.reshape(self.centre.means.shape))

    def coordinates(self, params: Means) -> Array:
        return np.ravel(params.means - self.centre.means) / math.sqrt(2.0)

    def gradient(self, summary: Summary, params: Means) -> Array:
        return math.sqrt(2.0) * slopes(summary, params).ravel()

    @property
    def radius(self) -> Array:
        return np.full(self.size, 10.0)


def slopes(summary: Summary, params: Means) -> Array:
    """The gradient in the means (2, d)."""
    stats: Any = summary.components
    return np.asarray(stats.sums - stats.counts[:, None] * params.means)


class TwoGaussians(Model):
    """p(x) = N(x; m1, I) / 2 + N(x; m2, I) / 2, the rows in d dimensions.

    The responsibility of the second is the logistic function of the difference of the two
    log-densities.
    """

    def e_step(self, X: AnyArray, sample_weight: Array | None, params: Means) -> Summary:
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
        stats: Any = summary.components
        counts = stats.counts[:, None]
        # A mean so far out that no row belongs to it stays where it is.
        means = np.divide(stats.sums, counts, out=params.means.copy(), where=counts > 0)
        return Means(means)

    def score(self, summary: Summary, params: Means) -> dict[str, Array]:
        return {"means": slopes(summary, params)}

    def obstacle(self) -> str:
        return ""

    def chart(self, params: Means) -> MeansChart:
        return MeansChart(params)

    @property
    def monotone(self) -> bool:
        return True

    @property
    def penalised(self) -> bool:
        return False

    def unpenalised(self) -> TwoGaussians:
        return self

    def log_prior(self, params: Means) -> float:
        return 0.0

    def narrow(self, summary: Summary, params: Means) -> list[tuple[int, float, float]]:
        return []

    def sobered(self, summary: Summary, params: Means) -> Means:
        return params

    def refuse_collapse(self, summary: Summary, params: Means) -> None:
        """With the covariance known the likelihood is bounded: nothing can collapse."""

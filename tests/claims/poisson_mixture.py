"""A latent-variable model the library has never seen: a mixture of Poisson counts, by a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import null_space
from scipy.special import gammaln, log_softmax, logsumexp

from mixtura.models.base import Model
from mixtura.records import AnyArray, Array, Chart, Params, Statistics, Summary


@dataclass(frozen=True)
class PoissonParams(Params):
    """weights (K,) on the simplex, rates (K,) positive."""

    weights: Array
    rates: Array

    def arrays(self) -> dict[str, Array]:
        return {"weights": self.weights, "rates": self.rates}


@dataclass(frozen=True)
class PoissonStatistics(Statistics):
    """counts_k = sum_i r_ik and sums_k = sum_i r_ik x_i, both (K,)."""

    counts: Array
    sums: Array


@dataclass(frozen=True)
class PoissonChart(Chart):
    """weights = softmax(log pi0 + B z), rates = rates0 exp(s u).

    The complete-data information of a log-rate is pi rate, hence s = (pi0 rate0)^-1/2; B is
    diag(pi0)^-1/2 times an orthonormal basis of the complement of sqrt(pi0), for the same reason.
    """

    centre: PoissonParams

    @property
    def size(self) -> int:  # type: ignore[override]
        return 2 * len(self.centre.weights) - 1

    @property
    def basis(self) -> Array:
        root = np.sqrt(self.centre.weights)
        return np.asarray(null_space(root[None]) / root[:, None])

    @property
    def scale(self) -> Array:
        return np.asarray(1.0 / np.sqrt(self.centre.weights * self.centre.rates))

    def params(self, free: Array) -> PoissonParams:
        cut = len(self.centre.weights) - 1
        logits = np.log(self.centre.weights) + self.basis @ free[:cut]
        return PoissonParams(
            np.exp(log_softmax(logits)), self.centre.rates * np.exp(self.scale * free[cut:])
        )

    def coordinates(self, params: PoissonParams) -> Array:
        logits = np.log(params.weights / self.centre.weights)
        rates = np.log(params.rates / self.centre.rates)
        # diag(pi0) B is the transpose of B's left inverse.
        return np.concatenate([self.basis.T @ (self.centre.weights * logits), rates / self.scale])

    def gradient(self, summary: Summary, params: PoissonParams) -> Array:
        stats: Any = summary.components
        weights = stats.counts - summary.weight * params.weights
        rates = stats.sums - stats.counts * params.rates
        return np.concatenate([self.basis.T @ weights, self.scale * rates])

    @property
    def radius(self) -> Array:
        return np.full(self.size, 10.0)


class PoissonMixture(Model):
    """p(x) = sum_k pi_k exp(-rate_k) rate_k^x / x! for the one column of X."""

    def e_step(self, X: AnyArray, sample_weight: Array | None, params: PoissonParams) -> Summary:
        x = X[:, 0]
        weight = np.ones(len(x)) if sample_weight is None else sample_weight
        joint = (
            np.log(params.weights)
            + x[:, None] * np.log(params.rates)
            - params.rates
            - gammaln(x + 1.0)[:, None]
        )
        log_p = logsumexp(joint, axis=1)
        resp = weight[:, None] * np.exp(joint - log_p[:, None])
        return Summary(
            float(weight @ log_p),
            float(weight.sum()),
            PoissonStatistics(resp.sum(axis=0), x @ resp),
        )

    def m_step(self, summary: Summary, params: PoissonParams) -> PoissonParams:
        stats: Any = summary.components
        return PoissonParams(stats.counts / stats.counts.sum(), stats.sums / stats.counts)

    def score(self, summary: Summary, params: PoissonParams) -> dict[str, Array]:
        stats: Any = summary.components
        return {
            "weights": stats.counts / params.weights,
            "rates": stats.sums / params.rates - stats.counts,
        }

    def obstacle(self) -> str:
        return ""

    def chart(self, params: PoissonParams) -> PoissonChart:
        return PoissonChart(params)

    @property
    def monotone(self) -> bool:
        return True

    @property
    def penalised(self) -> bool:
        return False

    def unpenalised(self) -> PoissonMixture:
        return self

    def log_prior(self, params: PoissonParams) -> float:
        return 0.0

    def narrow(self, summary: Summary, params: PoissonParams) -> list[tuple[int, float, float]]:
        return []

    def sobered(self, summary: Summary, params: PoissonParams) -> PoissonParams:
        return params

    def refuse_collapse(self, summary: Summary, params: PoissonParams) -> None:
        """A Poisson likelihood is bounded: there is nothing to collapse onto."""

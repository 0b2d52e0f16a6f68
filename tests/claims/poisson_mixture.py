"""A latent-variable model the library has never seen: a mixture of Poisson counts, by a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.special import gammaln, logsumexp

from mixtura.models.base import Model
from mixtura.records import Array, Chunk, Params, Statistics, Summary
from mixtura.supports import Positive, Simplex


@dataclass(frozen=True)
class PoissonParams(Params):
    """weights (K,) on the simplex, rates (K,) positive."""

    weights: Annotated[Array, Simplex()]
    rates: Annotated[Array, Positive()]


@dataclass(frozen=True)
class PoissonStatistics(Statistics):
    """counts_k = sum_i r_ik and sums_k = sum_i r_ik x_i, both (K,)."""

    counts: Array
    sums: Array


class PoissonMixture(Model):
    """p(x) = sum_k pi_k exp(-rate_k) rate_k^x / x! for the one column of X."""

    def e_step(self, chunk: Chunk, params: PoissonParams) -> Summary:
        x = chunk.X[:, 0]
        weight = np.ones(len(x)) if chunk.weight is None else chunk.weight
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
        stats: Any = summary.statistics
        return PoissonParams(stats.counts / stats.counts.sum(), stats.sums / stats.counts)

    def score(self, summary: Summary, params: PoissonParams) -> dict[str, Array]:
        stats: Any = summary.statistics
        return {
            "weights": stats.counts / params.weights,
            "rates": stats.sums / params.rates - stats.counts,
        }

    def information(self, params: PoissonParams) -> dict[str, Array]:
        """Of a log-rate pi rate; the weights' free numbers have units already."""
        return {"weights": np.ones(()), "rates": params.weights * params.rates}

"""Mixtures of Gaussians whose covariance is known: what the theorems are about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.special import logsumexp

from mixtura.data.rows import Rows
from mixtura.engines.local import LocalSweep
from mixtura.models.base import Model
from mixtura.records import Array, Chunk, Params, Statistics, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.supports import Real


@dataclass(frozen=True)
class Means(Params):
    """means (K, d), all that is not known."""

    means: Annotated[Array, Real()]


@dataclass(frozen=True)
class MeansStatistics(Statistics):
    """counts_k = sum_i r_ik (K,) and sums_k = sum_i r_ik x_i (K, d)."""

    counts: Array
    sums: Array


@dataclass(frozen=True, eq=False)
class UnitGaussians(Model):
    """p(x) = sum_k N(x; m_k, I) / K."""

    def e_step(self, chunk: Chunk, params: Means) -> Summary:
        """Responsibilities of all components."""
        X, w, *_ = chunk
        K, d = params.means.shape
        distance = ((X[:, None] - params.means) ** 2).sum(axis=2)
        joint = -math.log(K) - 0.5 * distance - 0.5 * d * math.log(2.0 * math.pi)
        log_p = logsumexp(joint, axis=1)
        resp = np.exp(joint - log_p[:, None])
        if w is not None:
            resp *= w[:, None]
        loglik = float(log_p.sum() if w is None else w @ log_p)
        weight = float(len(X) if w is None else w.sum())
        return Summary(loglik, weight, MeansStatistics(resp.sum(axis=0), resp.T @ X))

    def m_step(self, summary: Summary, params: Means) -> Means:
        """Weighted means; a mean so far out that no row belongs to it stays where it is."""
        stats: Any = summary.statistics
        counts = stats.counts[:, None]
        return Means(np.divide(stats.sums, counts, out=params.means.copy(), where=counts > 0))


def climbed(
    X: Array,
    means: Array,
    *,
    sample_weight: Array | None = None,
    tol: float = 1e-9,
    max_iter: int = 2000,
) -> Climb:
    """EM from these means (K, d) on rows (n, d)."""
    model = UnitGaussians()
    sweep = LocalSweep(model, Rows(X, sample_weight))
    # Steps are counted one by one.
    sweep.stride = 1
    return em(Problem(model, sweep, Means(means), tol=tol, max_iter=max_iter))


def population(*centres: float, fine: int = 20) -> tuple[Array, Array]:
    """Equal N(c, 1) as rows (n, 1) with weights (n,) that sum to 1: the trapezoid rule.

    For integrands as smooth as these its error is below rounding, at `fine` points a unit; what a
    start from infinity has a kink in takes more.
    """
    low, high = min(centres) - 12.0, max(centres) + 12.0
    y = np.linspace(low, high, int(fine * (high - low)) + 1)
    density = np.mean([np.exp(-0.5 * (y - c) ** 2) for c in centres], axis=0)
    return y[:, None], density / density.sum()

"""The Poisson family: columns of counts, independent within a component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from mixtura.families.base import Family
from mixtura.families.believed import GAMMA_RATES
from mixtura.families.gaps import ColumnSums, observed, shares, summed
from mixtura.families.large_counts import log_masses
from mixtura.families.log_tails import log_gammainc, log_gammaincc
from mixtura.families.truncated_poisson import within
from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import TINY, Rate


@dataclass(frozen=True)
class PoissonParams(Params):
    rates: Annotated[Array, Rate()]


@dataclass(frozen=True)
class Poisson(Family):
    """log p(x | k) = sum_j x_j log rate_kj - rate_kj - log x_j!, rates (K, d) expected counts.

    M-step: rate = sum r x / sum r (McLachlan & Peel 2000, Finite Mixture Models, section 5.5).
    """

    record = PoissonParams
    conjugate = GAMMA_RATES
    statistics, within = summed, within
    allows_gaps = soft_starts = True
    column_kind = "counts"

    def log_density(self, X: AnyArray, params: PoissonParams) -> Array:
        return log_masses(*observed(X), params.rates)

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        before = np.ones_like(stats.sums) if params is None else params.rates
        return PoissonParams(np.maximum(shares(stats.sums, stats.cells, before), TINY))

    def score(self, stats: ColumnSums, params: PoissonParams) -> dict[str, Array]:
        return {"rates": stats.sums / params.rates - stats.cells}

    def information(self, params: PoissonParams, shares: Array) -> dict[str, Array]:
        return {"rates": shares[:, None] * params.rates}

    def means(self, params: PoissonParams) -> Array:
        return params.rates

    variances = means

    def log_sides(self, X: AnyArray, params: PoissonParams) -> tuple[Array, Array]:
        return log_gammaincc(X + 1, params.rates[:, 0]), log_gammainc(X + 1, params.rates[:, 0])

    def sample(self, labels: AnyArray, params: PoissonParams, rng: RandomNumbers) -> Array:
        return rng.poisson(params.rates[labels]).astype(np.float64)

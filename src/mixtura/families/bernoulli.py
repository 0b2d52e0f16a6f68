"""The Bernoulli family: columns of 0 and 1, independent within a component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from mixtura.families.base import Family
from mixtura.families.believed import BETA
from mixtura.families.domain import refuse_outside
from mixtura.families.gaps import ColumnSums, observed, shares, summed
from mixtura.families.portrait import Portrait, share_portrait
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import TINY, UnitInterval

# Shares of so little are the rounding of two sums over the same rows.
ROUNDING = 1e-13


@dataclass(frozen=True)
class BernoulliParams(Params):
    probabilities: Annotated[Array, UnitInterval()]


@dataclass(frozen=True)
class Bernoulli(Family):
    """log p(x | k) = sum_j x_j log probability_kj + (1 - x_j) log (1 - probability_kj)

    probabilities  (K, d)  from 0 to 1; of a 1
    statistics     counts, sums of x, rows in which a cell is there (ColumnSums)
    M-step         probability = sum r x / sum r
    A component that never met a 1 in a column has probability 0 there (but for rounding's sake).
    Reference: McLachlan & Peel (2000), Finite Mixture Models, section 5.2.
    """

    record = BernoulliParams
    conjugate = BETA
    statistics = summed
    allows_gaps = True
    column_kind = "levels"
    soft_starts = True

    def log_density(self, X: AnyArray, params: BernoulliParams) -> Array:
        x, seen = observed(X)
        yes = np.log(np.maximum(params.probabilities, TINY)).T
        no = np.log(np.maximum(1.0 - params.probabilities, TINY)).T
        # Both parts, not their difference: where one is hardly possible its logarithm is large.
        return np.asarray(x @ yes + (seen - x) @ no)

    def maximize(
        self, stats: ColumnSums, params: BernoulliParams | None, prior: Prior
    ) -> BernoulliParams:
        before = np.full_like(stats.sums, 0.5) if params is None else params.probabilities
        found = shares(stats.sums, stats.cells, before)
        # What rounding does to a sum of ones must not pass for a second outcome.
        return BernoulliParams(np.where(found > 1.0 - ROUNDING, 1.0, found))

    def score(self, stats: ColumnSums, params: BernoulliParams) -> dict[str, Array]:
        p = params.probabilities
        excess, spread = stats.sums - stats.cells * p, p * (1.0 - p)
        slope = np.divide(excess, spread, out=np.zeros_like(p), where=spread > 0)
        return {"probabilities": slope}

    def portrait(self, params: BernoulliParams, weights: Array, names: Sequence[str]) -> Portrait:
        words, caption = "0 or 1, independent within a group", "Share of ones within each group."
        return share_portrait(
            "Bernoulli", words, caption, weights, names, params.probabilities, whole=()
        )

    def sample(self, labels: AnyArray, params: BernoulliParams, rng: RandomNumbers) -> Array:
        p = params.probabilities[labels]
        return np.asarray(rng.uniform(size=p.shape) < p, dtype=np.float64)

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        refuse_outside(X, names, (X == 0) | (X == 1), "bernoulli", "0 and 1")

"""The exponential family: columns of positive numbers, independent within a component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from mixtura.families.base import Family
from mixtura.families.believed import GAMMA_MEANS
from mixtura.families.frames import standardised
from mixtura.families.gaps import ColumnSums, observed, shares, summed
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import Positive

# Intervals shorter than this share of the mean: the next term of the series is below rounding.
SHORT = 1e-2


@dataclass(frozen=True)
class ExponentialParams(Params):
    means: Annotated[Array, Positive()]


@dataclass(frozen=True)
class Exponential(Family):
    """log p(x | k) = sum_j -log mean_kj - x_j / mean_kj

    means       (K, d)  positive, in the column's units; 1 / rate
    statistics  counts, sums of x, rows in which a cell is there (ColumnSums)
    M-step      mean = sum r x / sum r
    Zeros are refused: a component of zeros alone would have a likelihood without bound.
    Reference: McLachlan & Peel (2000), Finite Mixture Models, section 5.4.
    """

    record = ExponentialParams
    conjugate = GAMMA_MEANS
    statistics = summed
    allows_gaps = True
    least = 0.0

    def log_density(self, X: AnyArray, params: ExponentialParams) -> Array:
        x, seen = observed(X)
        return np.asarray(-(seen @ np.log(params.means).T) - x @ (1.0 / params.means).T)

    def maximize(
        self, stats: ColumnSums, params: ExponentialParams | None, prior: Prior
    ) -> ExponentialParams:
        before = np.ones_like(stats.sums) if params is None else params.means
        return ExponentialParams(shares(stats.sums, stats.cells, before))

    def within(self, lower: Array, upper: Array, means: Array) -> tuple[Array, dict[str, Array]]:
        # Beyond `lower` it begins anew (Johnson, Kotz & Balakrishnan 1994, section 19.4).
        width = (upper - lower) / means
        with np.errstate(over="ignore", invalid="ignore"):
            left = np.where(width < np.inf, width / np.expm1(width), 0.0)
            series = width * (0.5 - width / 12 + width**3 / 720)
        passed = np.where(width < SHORT, series, 1.0 - left)
        return np.log(-np.expm1(-width)) - lower / means, {"sums": lower + means * passed}

    def score(self, stats: ColumnSums, params: ExponentialParams) -> dict[str, Array]:
        return {"means": (stats.sums / params.means - stats.cells) / params.means}

    def information(self, params: ExponentialParams, shares: Array) -> dict[str, Array]:
        return {"means": shares[:, None] * np.ones_like(params.means)}

    def means(self, params: ExponentialParams) -> Array:
        return params.means

    def variances(self, params: ExponentialParams) -> Array:
        return params.means**2

    def log_sides(self, X: AnyArray, params: ExponentialParams) -> tuple[Array, Array]:
        lasting = X / params.means[:, 0]
        with np.errstate(divide="ignore"):
            return np.log(-np.expm1(-lasting)), -lasting

    def sample(self, labels: AnyArray, params: ExponentialParams, rng: RandomNumbers) -> Array:
        return np.asarray(rng.exponential(params.means[labels]), dtype=np.float64)

    def frame(self, X: AnyArray) -> Array:
        """Logarithms, standardised: no unit, and equal ratios are equal steps."""
        return standardised(np.log(X))

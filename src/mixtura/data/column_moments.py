"""Mean and variance of each column, for models that look at no covariances of a whole table.

Nothing here grows with the square of the number of columns.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace

import numpy as np

from mixtura.data.moments import (
    CHUNK,
    FAR,
    FEW,
    TableMoments,
    constant_but_for_rounding,
    source_mean,
)
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.records import Array

# The distance between the quartiles of a normal distribution, in standard deviations.
_QUARTILES = 1.349


@dataclass(frozen=True)
class ColumnMoments:
    """weight = sum of weights, rows = those with a positive weight; mean, variance (d,)."""

    weight: float
    rows: int
    mean: Array
    variance: Array


# As much as a model has a use for.
Moments = TableMoments | ColumnMoments


def column_moments(source: Source) -> ColumnMoments:
    """Weighted mean and variance of each column, in two passes about the mean."""
    mean = source_mean(source)

    def squared(part: Source) -> Array:
        squares = np.zeros(part.d)
        for X, w, *_ in part.chunks(CHUNK):
            residual = np.asarray(X, dtype=np.float64) - mean
            residual *= residual
            squares += residual.sum(axis=0) if w is None else w @ residual
        return squares

    variance = source.reduced(squared, operator.add) / source.weight
    variance[constant_but_for_rounding(mean, variance, source)] = 0.0
    return ColumnMoments(source.weight, source.positive, mean, variance)


def robust(moments: ColumnMoments, sample: Rows) -> ColumnMoments:
    """The same with variances that a few far rows do not set, from a sample of the rows.

    Where a column has such rows its variance is that of a normal distribution with the same
    quartiles. Other columns keep theirs, and so do those that are mostly one value.
    """
    X = np.asarray(sample.X, dtype=np.float64)
    w = np.ones(len(X)) if sample.sample_weight is None else sample.sample_weight
    low, middle, high = _quantiles(X, w, (0.25, 0.5, 0.75))
    scale = ((high - low) / _QUARTILES) ** 2
    far = w @ ((X - middle) ** 2 > FAR * scale) / w.sum()
    outliers = (scale > 0) & (far > 0) & (far <= FEW)
    return replace(moments, variance=np.where(outliers, scale, moments.variance))


def _quantiles(X: Array, w: Array, levels: tuple[float, ...]) -> list[Array]:
    """The smallest values of each column (d,) with at least so much of the weight up to them."""
    order = np.argsort(X, axis=0)
    below = np.cumsum(w[order], axis=0)
    places = [np.argmax(below >= level * below[-1], axis=0) for level in levels]
    columns = np.arange(X.shape[1])
    return [X[order[place, columns], columns] for place in places]

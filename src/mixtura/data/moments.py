"""The mean and covariance of a whole table: the units everything else is measured in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array

_CHUNK = 16384


@dataclass(frozen=True)
class TableMoments:
    """weight = sum of weights, rows = rows with a positive weight, mean (d,), covariance (d, d)."""

    weight: float
    rows: int
    mean: Array
    covariance: Array


def table_moments(X: AnyArray, sample_weight: Array | None) -> TableMoments:
    """Weighted mean and (maximum likelihood) covariance, in two passes about the mean.

    Two passes because the one-pass formula loses twice the digits of the offset.
    """
    n, d = X.shape
    weight = float(n) if sample_weight is None else float(sample_weight.sum())
    rows = n if sample_weight is None else int(np.count_nonzero(sample_weight))
    shift = X[0].astype(np.float64)
    mean = (
        shift + sum((w @ (x - shift) for x, w in _chunks(X, sample_weight)), np.zeros(d)) / weight
    )
    scatter = np.zeros((d, d))
    for x, w in _chunks(X, sample_weight):
        residual = x - mean
        scatter += (residual.T * w) @ residual
    return TableMoments(weight, rows, mean, scatter / weight)


def _chunks(X: AnyArray, sample_weight: Array | None) -> Iterator[tuple[Array, Array]]:
    for start in range(0, len(X), _CHUNK):
        x = np.asarray(X[start : start + _CHUNK], dtype=np.float64)
        w = np.ones(len(x)) if sample_weight is None else sample_weight[start : start + _CHUNK]
        yield x, w

"""The mean and covariance of a whole table: the units everything else is measured in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array

_CHUNK = 4096


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
    total, scatter = np.zeros(d), np.zeros((d, d))
    for x, w in _chunks(X, sample_weight):
        total += (x - shift).sum(axis=0) if w is None else w @ (x - shift)
    mean = shift + total / weight
    for x, w in _chunks(X, sample_weight):
        residual = x - mean
        scatter += (residual if w is None else residual * w[:, None]).T @ residual
    return TableMoments(weight, rows, mean, scatter / weight)


def _chunks(X: AnyArray, sample_weight: Array | None) -> Iterator[tuple[Array, Array | None]]:
    for start in range(0, len(X), _CHUNK):
        rows = slice(start, start + _CHUNK)
        w = None if sample_weight is None else sample_weight[rows]
        yield np.asarray(X[rows], dtype=np.float64), w

"""Rows of which many are equal: each kind once, and which of them every row is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array

# So many kinds at most, and so many rows of each at least.
_MOST, _ROWS = 4096, 4
# Rows that tell whether looking at all of them is worth it, and that stay in the cache.
_FIRST, _NEAR = 2048, 1 << 15


@dataclass(frozen=True)
class Kinds:
    """rows (kinds, d); code (n,) int32, the kind of each row, -1 for a row of NaN alone."""

    rows: Array
    code: AnyArray


def kinds_of(X: AnyArray) -> Kinds | None:
    """The kinds of the rows (n, d), NaN a number as any other; None where they are many."""
    first = X[:_FIRST]
    if len(_coded(first)[1]) * _ROWS > max(len(first), _ROWS):
        return None
    code, where = _coded(X)
    if len(where) > _MOST or len(where) * _ROWS > len(X):
        return None
    rows = np.ascontiguousarray(X[where], dtype=np.float64)
    seen = ~np.isnan(rows).all(axis=1)
    if seen.all():
        return Kinds(rows, code.astype(np.int32, copy=False))
    place = np.where(seen, np.cumsum(seen) - 1, -1).astype(np.int32)
    return Kinds(rows[seen], place[code])


def _coded(X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """(which kind each row is, a row of each kind)."""
    # Of one column of few, but large, whole numbers most codes are of none.
    code, where = _met(*_levels(X[:, 0]))
    for column in X.T[1:]:
        own, levels = _levels(column)
        code, where = _met(code.astype(np.int64, copy=False) * levels + own, len(where) * levels)
    return code, where


def _levels(column: AnyArray) -> tuple[AnyArray, int]:
    """Numbers from 0 on, equal where the cells are, and how many there may be."""
    code = np.empty(len(column), dtype=np.int32)
    most = 0
    for i in range(0, len(column), _NEAR):
        cells, own = column[i : i + _NEAR], code[i : i + _NEAR]
        # What no int32 can hold, NaN among it, becomes another number.
        with np.errstate(invalid="ignore"):
            own[:] = cells
        # As a number without a sign what is negative is large.
        most = max(most, int(own.view(np.uint32).max()))
        if most >= _MOST or not (own == cells).all():
            values, found = np.unique(column, return_inverse=True)
            return found.ravel(), len(values)
    return code, most + 1


def _met(code: AnyArray, most: int) -> tuple[AnyArray, AnyArray]:
    """(codes below `most` by numbers from 0 on without any left out, a row of each)."""
    if most > 4 * len(code) + _MOST:
        _, where, found = np.unique(code, return_index=True, return_inverse=True)
        return found.ravel(), where
    where = np.full(most, -1)
    for i in range(0, len(code), _FIRST):
        own = code[i : i + _FIRST]
        where[own] = np.arange(i, i + len(own))
        # Of more codes than rows of a piece to ask would take longer than to go on.
        if most <= _FIRST and where.min() >= 0:
            return code, where
    met = where >= 0
    return (np.cumsum(met, dtype=code.dtype) - 1)[code], where[met]

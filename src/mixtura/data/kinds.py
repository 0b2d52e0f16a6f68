"""Rows of which many are equal: each kind once, and which of them every row is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array

# So many kinds at most, and so many rows of each at least.
_MOST, _ROWS = 4096, 4
# Rows that tell whether looking at all of them is worth it.
_FIRST = 2048


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
        return Kinds(rows, code.astype(np.int32))
    place = np.where(seen, np.cumsum(seen) - 1, -1).astype(np.int32)
    return Kinds(rows[seen], place[code])


def _coded(X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """(which kind each row is, a row of each kind)."""
    code, many = _levels(X[:, 0])
    for column in X.T[1:]:
        own, levels = _levels(column)
        code, many = _dense(code * levels + own, many * levels)
    # Of one column of few, but large, whole numbers most codes are of none.
    code, many = _dense(code, many)
    where = np.zeros(many, dtype=np.int64)
    where[code] = np.arange(len(X))
    return code, where


def _levels(column: AnyArray) -> tuple[AnyArray, int]:
    """Numbers from 0 on, equal where the cells are, and how many there may be."""
    # Of NaN comparisons tell nothing.
    if column.min() >= 0 and (most := column.max()) < _MOST:
        whole = column.astype(np.int64)
        if (whole == column).all():
            return whole, int(most) + 1
    values, found = np.unique(column, return_inverse=True)
    return found.ravel(), len(values)


def _dense(code: AnyArray, most: int) -> tuple[AnyArray, int]:
    """Codes below `most` by numbers from 0 on without any left out, and how many."""
    if most > 4 * len(code) + _MOST:
        values, found = np.unique(code, return_inverse=True)
        return found.ravel(), len(values)
    met = np.bincount(code, minlength=most) > 0
    if met.all():
        return code, most
    place = np.cumsum(met) - 1
    return place[code], int(place[-1]) + 1

"""Cells that are missing from rows whose columns are independent within a component.

There a gap is left out of its row's product, which is exact: the missing value is summed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.records import AnyArray, Array, Statistics


@dataclass(frozen=True)
class ColumnSums(Statistics):
    """Sums over rows for columns that are independent within a component.

    counts (K,)    sum_i r_ik
    sums   (K, d)  sum_i r_ik x_ij over the cells that are there
    cells  (K, d)  sum_i r_ik over the rows in which cell j is there
    """

    counts: Array
    sums: Array
    cells: Array


def column_sums(X: AnyArray, resp: Array) -> ColumnSums:
    """Those of these rows; `resp` (n, K) includes their weights."""
    x, seen = observed(X)
    return ColumnSums(totals(resp), np.asarray(resp.T @ x), cells(resp, seen))


def summed(family: Any, X: AnyArray, resp: Array, params: Any) -> ColumnSums:
    """`column_sums`, as a family's `statistics`."""
    return column_sums(X, resp)


def observed(X: AnyArray) -> tuple[Array, Array]:
    """(rows with 0 in the gaps, 1 where a cell is there and 0 where not).

    The second is one line of ones where nothing is missing: it broadcasts.
    """
    X = np.asarray(X, dtype=np.float64)
    # A sum is NaN if one of its terms is, and takes no array of its own.
    if not np.isnan(X.sum()):
        return X, np.ones((1, X.shape[1]))
    missing = np.isnan(X)
    return np.where(missing, 0.0, X), np.asarray(~missing, dtype=np.float64)


def totals(resp: Array) -> Array:
    """sum_i r_ik, (K,): by BLAS, for NumPy adds lines of a few numbers one by one."""
    return np.asarray(np.ones(len(resp)) @ resp)


def cells(resp: Array, seen: Array) -> Array:
    """sum_i r_ik over the rows in which column j is there, (K, d); `seen` is `observed`'s."""
    if len(seen) == len(resp):
        return np.asarray(resp.T @ seen)
    return totals(resp)[:, None] * seen


def shares(sums: Array, cells: Array, otherwise: Array) -> Array:
    """sums / cells; where a component has no cells of a column, `otherwise`."""
    out = np.broadcast_to(otherwise, sums.shape).copy()
    np.divide(sums, cells, out=out, where=cells > 0)
    return out

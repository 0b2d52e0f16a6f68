"""Columns of codes 0, 1, ...: how often each is met, and what each adds to a row's log-density."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.records import AnyArray, Array

# Rows that are looked at together when levels are counted.
_PIECE = 1 << 14


def largest_codes(survey: Survey) -> AnyArray:
    """The largest number of each column of a table, 0 where there is none; one pass."""

    def largest(part: Source) -> Array:
        most = np.zeros(part.d)
        for chunk in part.chunks(_PIECE):
            most = np.fmax(most, np.fmax.reduce(chunk.X, axis=0))
        return most

    most: Array = survey.source.reduced(largest, np.fmax)
    return most.astype(np.int64)


def met(X: AnyArray, levels: tuple[int, ...]) -> csr_array:
    """One number per level of each column, 1 where a row has it, (n, sum of levels).

    A gap has none. `@` sums what the levels of a row are worth, its transpose what rows are worth.
    """
    starts = np.cumsum((0, *levels))[:-1]
    n, d = X.shape
    codes = X + starts
    # A sum is NaN if one of its terms is, and takes no array of its own.
    if not np.isnan(codes.sum()):
        flat, ends = codes.ravel(), np.arange(0, n * d + 1, d)
    else:
        seen = ~np.isnan(codes)
        flat, ends = codes[seen], np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    places = flat.astype(np.int32), ends.astype(np.int32)
    return csr_array((np.ones(len(flat)), *places), shape=(n, sum(levels)))


def summed(hot: csr_array, table: Array) -> Array:
    """What the levels of each row are worth in `table` (K, sum of levels), (n, K)."""
    return np.asarray(hot @ np.ascontiguousarray(table.T))


def hits(hot: csr_array, resp: Array) -> Array:
    """sum_i r_ik over the rows with each level, (K, sum of levels)."""
    return np.asarray((hot.T @ np.ascontiguousarray(resp)).T)

"""The rows on which starts are found: all of a small table, a draw from a large one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.utils.random import sample_without_replacement

from mixtura.data.known_rows import KnownRows
from mixtura.data.rows import Rows, taken
from mixtura.data.source import Source
from mixtura.records import AnyArray

# Starts are found on at most this many rows (more for very many components).
SAMPLE_ROWS = 20_000
SAMPLE_ROWS_PER_COMPONENT = 200


def sample_size(d: int, K: int, numbers: int | None = None) -> int:
    """Up to how many rows with weight the sample is the whole table."""
    most = SAMPLE_ROWS if numbers is None else min(SAMPLE_ROWS, numbers // d)
    return max(most, SAMPLE_ROWS_PER_COMPONENT * K)


def sample_rows(
    rows: Source, K: int, rng: np.random.RandomState, numbers: int | None = None
) -> Rows:
    """The rows the starts are found on: all of a small table, else drawn without replacement.

    With `numbers` a wide table is drawn from more sparingly: at most about so many numbers.

    Equal rows are merged into one with their summed weight and the rows put in order, so that
    neither the order of a table nor writing a weight as copies of a row changes the starts. Rows of
    which something is known come too, up to half as many.
    """
    n, size = rows.positive, sample_size(rows.d, K, numbers)
    # Drawn without a permutation of all rows, which might not fit into memory.
    chosen = (
        np.arange(n)
        if n <= size
        else np.sort(sample_without_replacement(n, size, random_state=rng))
    )
    if isinstance(rows, KnownRows) and n > size:
        chosen = np.union1d(chosen, _told(rows, size // 2, rng))
    sample = taken(rows, chosen)
    keys = sample.X
    if isinstance(sample, KnownRows) and sample.known is not None:
        keys = np.column_stack([sample.X, sample.known])
    order = np.argsort(keys[:, 0], kind="stable")
    first = keys[order, 0]
    if not (first[1:] > first[:-1]).all():
        # By the other columns too; with gaps also where the first has some.
        order = np.lexsort(keys.T[::-1])
    keys = keys[order]
    new = np.concatenate([[True], (keys[1:] != keys[:-1]).any(axis=1)])
    w = None if sample.sample_weight is None else sample.sample_weight[order]
    weights = np.bincount(np.cumsum(new) - 1, weights=w).astype(np.float64)
    return replace(sample.take(order[new]), sample_weight=weights)


def _told(rows: KnownRows, most: int, rng: np.random.RandomState) -> AnyArray:
    """Where among the rows with weight those are of which something is known; some, if many."""
    w = rows.sample_weight
    told = np.flatnonzero(rows.told if w is None else rows.told[w > 0])
    return told if len(told) <= most else rng.choice(told, most, replace=False)

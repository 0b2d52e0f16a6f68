"""A start for groups that lie far apart in one column, which standardised rows hardly show.

Where another column has humps of its own, k-means of standardised rows goes by these, and EM cannot
come back: what a component is in the first column is then as wide as the table.
"""

from __future__ import annotations

import numpy as np

from mixtura.models.responsibilities import one_hot
from mixtura.records import Array

BY_COLUMN = "one column"
# Of a column's sum of squares at most this share may lie within its groups: they are then hundreds
# of their widths apart. Below the other share they are rounding, or repeated values.
_WITHIN, _ROUNDING = 1e-5, 1e-24
# Rows that each group needs, and numbers of a table that are sorted for it at most.
_ROWS, _NUMBERS = 10, 1_000_000


def by_column(Z: Array, K: int) -> Array | None:
    """Responsibilities (n, K) by the K - 1 widest gaps of one column of Z (n, d), that whose groups
    are the narrowest; None where in no column they lie far apart."""
    n, d = Z.shape
    if K < 2 or n < K * max(_ROWS, d + 2) or Z.size > _NUMBERS:
        return None
    order = np.argsort(Z, axis=0)
    ordered = np.take_along_axis(Z, order, axis=0)
    cuts = np.sort(np.argpartition(-np.diff(ordered, axis=0), K - 2, axis=0)[: K - 1], axis=0) + 1
    edges = np.concatenate([np.zeros((1, d), int), cuts, np.full((1, d), n)])
    enough = np.diff(edges, axis=0).min(axis=0) >= max(_ROWS, d + 2)
    best, least = None, _WITHIN
    for j in np.flatnonzero(enough):
        parts = np.split(ordered[:, j], cuts[:, j])
        scatter = [((part - part.mean()) ** 2).sum() for part in parts]
        whole = ((ordered[:, j] - ordered[:, j].mean()) ** 2).sum()
        if min(scatter) > _ROUNDING * whole and sum(scatter) <= least * whole:
            best, least = j, sum(scatter) / whole
    if best is None:
        return None
    labels = np.empty(n, dtype=np.int64)
    labels[order[:, best]] = np.repeat(np.arange(K), np.diff(edges[:, best]))
    return one_hot(labels, K)

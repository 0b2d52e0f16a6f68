"""Rows in an order in which those beside each other lie near each other."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray

# Rows that are left in any order; the kernels look at so many at a time.
LEAF = 64


def near_order(X: AnyArray) -> AnyArray:
    """The order (n,) of the leaves of a k-d tree: parts are halved across their longest side.

    All leaves but the last hold LEAF rows. Source: Bentley (1975), Multidimensional binary search
    trees used for associative searching, Communications of the ACM 18.
    """
    order = np.arange(len(X))
    parts = [(0, len(X))]
    while parts:
        first, last = parts.pop()
        if last - first <= LEAF:
            continue
        here = X[order[first:last]]
        side = here[:, int(np.argmax(np.ptp(here, axis=0)))]
        half = (last - first + LEAF) // (2 * LEAF) * LEAF
        order[first:last] = order[first:last][np.argpartition(side, half)]
        parts += [(first, first + half), (first + half, last)]
    return order

"""Rows of a transition matrix that are one: states that are left in the same way."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray, Array


def pooled(rows: Array, groups: AnyArray) -> Array:
    """The sums over each group's rows, (groups, K), of `rows` (K, K); groups (K,) int."""
    found = np.zeros((int(groups.max()) + 1, rows.shape[1]))
    np.add.at(found, groups, rows)
    return found


def first_of(groups: AnyArray) -> AnyArray:
    """The first state of each group, (groups,)."""
    return np.unique(groups, return_index=True)[1]

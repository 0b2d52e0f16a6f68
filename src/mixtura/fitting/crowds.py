"""A start for groups among rows that lie far out, which k-means gives centres of their own.

A component that begins about some of those never comes back: steps give it more of them, and what
it left is one component of two groups. Heavy tails hold such rows from any group that they lie
about, so groups can be found without them.
"""

from __future__ import annotations

import numpy as np

from mixtura.fitting.noise import LEAST_LEFT, NEIGHBOUR, in_crowds
from mixtura.fitting.seeding import nearest, seeds
from mixtura.models.responsibilities import one_hot
from mixtura.records import AnyArray, Array

CROWDS = "crowds"
# At most so many rows are looked at: their neighbours cost more than passes over more of them.
_ROWS = 4096


def crowd(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> AnyArray:
    """Which rows of Z are in crowds, of those looked at; all of them where hardly any are."""
    n = len(Z)
    looked: AnyArray = rng.choice(n, _ROWS, replace=False) if n > _ROWS else np.arange(n)
    if len(looked) <= 2 * NEIGHBOUR:
        return looked
    kept = looked[in_crowds(Z[looked])]
    enough = w[kept].sum() >= LEAST_LEFT * w[looked].sum() and len(kept) >= 2 * K
    return kept if enough else looked


def by_crowd(Z: Array, w: Array, K: int, crowded: AnyArray, rng: np.random.RandomState) -> Array:
    """Responsibilities (n, K) of the `crowded` rows alone, to the nearest of K seeds among them.

    The others are nobody's, so that the first components are as wide as their groups.
    """
    X, v, resp = Z[crowded], w[crowded], np.zeros((len(Z), K))
    resp[crowded] = one_hot(nearest(X, seeds(X, v, min(K, len(X)), rng)), K)
    return resp

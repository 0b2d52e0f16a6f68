"""Many draws at once: chunks in the pool, each with a stream of random numbers of its own.

The streams are children of one seed (NumPy's SeedSequence), cut by the number of rows alone, so a
draw does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray, Array

# Rows of one stream: their noise stays in the cache.
_CHUNK_ROWS = 1 << 14


def draw(model: Mixture, n: int, params: Any, rng: np.random.RandomState) -> tuple[Array, AnyArray]:
    """n independent rows and their labels; a few rows come from `rng` itself."""
    if n <= _CHUNK_ROWS:
        return next(drawn(model, n, params, rng))
    all_labels, done = np.empty(n, np.int64), 0
    rows: Array | None = None
    for X, labels in drawn(model, n, params, rng):
        rows = np.empty((n, X.shape[1])) if rows is None else rows
        where = slice(done, done + len(X))
        rows[where], all_labels[where] = X, labels
        done = where.stop
    assert rows is not None
    return rows, all_labels


def drawn(
    model: Mixture, n: int, params: Any, rng: np.random.RandomState
) -> Iterator[tuple[Array, AnyArray]]:
    """The same rows and labels in pieces, few of which are in memory at a time."""
    if n <= _CHUNK_ROWS:
        yield model.sample(n, params, rng)
        return
    seed = np.random.SeedSequence([int(word) for word in rng.randint(2**31, size=4)])

    def part(where: slice) -> tuple[Array, AnyArray]:
        # The child that `seed.spawn` would give, without all those before it.
        key = (where.start // _CHUNK_ROWS,)
        child = np.random.SeedSequence(seed.entropy, spawn_key=key)
        stream = np.random.Generator(np.random.SFC64(child))
        return model.sample(where.stop - where.start, params, stream)

    slices = (slice(start, min(start + _CHUNK_ROWS, n)) for start in range(0, n, _CHUNK_ROWS))
    with single_blas:
        yield from ordered_map(part, slices)

"""Many draws at once: chunks in the pool, each with a stream of random numbers of its own.

The streams are children of one seed (NumPy's SeedSequence), cut by the number of rows alone, so a
draw does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.engines.base import chunk_slices
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray, Array

# Rows of one stream: their noise stays in the cache.
_CHUNK_ROWS = 1 << 14


def draw(model: Mixture, n: int, params: Any, rng: np.random.RandomState) -> tuple[Array, AnyArray]:
    """n independent rows and their labels; a few rows come from `rng` itself."""
    if n <= _CHUNK_ROWS:
        return model.sample(n, params, rng)
    slices = chunk_slices(n, _CHUNK_ROWS)
    seed = np.random.SeedSequence([int(word) for word in rng.randint(2**31, size=4)])
    streams = seed.spawn(len(slices))

    def part(where: slice) -> tuple[Array, AnyArray]:
        stream = np.random.Generator(np.random.SFC64(streams[where.start // _CHUNK_ROWS]))
        return model.sample(where.stop - where.start, params, stream)

    with single_blas:
        parts = ordered_map(part, slices)
        X, labels = next(parts)
        rows, all_labels = np.empty((n, X.shape[1])), np.empty(n, labels.dtype)
        rows[slices[0]], all_labels[slices[0]] = X, labels
        for where, (X, labels) in zip(slices[1:], parts, strict=True):
            rows[where], all_labels[where] = X, labels
    return rows, all_labels

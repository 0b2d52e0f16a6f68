"""Many draws at once: chunks in the pool, each with a stream of random numbers of its own.

The streams follow from one seed and from where the chunk lies, so a draw does not depend on the
number of threads. A model with a kernel that draws (`engines.kernels`) has streams of the kernel's,
others have NumPy's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.engines.base import Drawing, chunk_slices
from mixtura.engines.kernels import kernel_of
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.base import Model
from mixtura.records import AnyArray, Array

# Rows of one stream: their noise stays in the cache.
_CHUNK_ROWS = 1 << 14


def draw(model: Model, n: int, params: Any, rng: np.random.RandomState) -> tuple[Array, AnyArray]:
    """n independent rows and their labels; a few rows come from `rng` itself."""
    if n <= _CHUNK_ROWS:
        return model.sample(n, params, rng)
    streams = _Streams(model, params, rng)
    drawing = streams.drawing
    if drawing is None:
        X, labels = zip(*_pieces(streams, n), strict=True)
        return np.concatenate(X), np.concatenate(labels)
    rows, drawn_labels = np.empty((n, drawing.columns)), np.empty(n, np.int64)

    def fill(where: slice) -> None:
        drawing.fill(where.start // _CHUNK_ROWS, rows[where], drawn_labels[where])

    deque(ordered_map(fill, chunk_slices(n, _CHUNK_ROWS)), maxlen=0)
    return rows, drawn_labels


def drawn(
    model: Model, n: int, params: Any, rng: np.random.RandomState
) -> Iterator[tuple[Array, AnyArray]]:
    """The same rows and labels in pieces, few of which are in memory at a time."""
    if n <= _CHUNK_ROWS:
        yield model.sample(n, params, rng)
    else:
        yield from _pieces(_Streams(model, params, rng), n)


def _pieces(streams: _Streams, n: int) -> Iterator[tuple[Array, AnyArray]]:
    def part(start: int) -> tuple[Array, AnyArray]:
        # Held here and not around the loop: between two pieces BLAS is the caller's.
        with single_blas:
            return streams.part(start // _CHUNK_ROWS, min(_CHUNK_ROWS, n - start))

    return ordered_map(part, range(0, n, _CHUNK_ROWS))


class _Streams:
    """Chunks of rows by their number; four words of `rng` seed them all."""

    def __init__(self, model: Model, params: Any, rng: np.random.RandomState) -> None:
        self.model, self.params = model, params
        self.seed = np.random.SeedSequence([int(word) for word in rng.randint(2**31, size=4)])
        kernel = kernel_of(model)
        self.drawing: Drawing | None = None
        if kernel is not None and kernel.draw is not None:
            key = self.seed.generate_state(2, np.uint64).astype(np.uint64)
            self.drawing = kernel.draw(model, params, key)

    def part(self, chunk: int, size: int) -> tuple[Array, AnyArray]:
        """The first rows of a chunk, with their labels."""
        if self.drawing is not None:
            X, labels = np.empty((size, self.drawing.columns)), np.empty(size, np.int64)
            self.drawing.fill(chunk, X, labels)
            return X, labels
        # The child that `seed.spawn` would give, without all those before it.
        child = np.random.SeedSequence(self.seed.entropy, spawn_key=(chunk,))
        stream = np.random.Generator(np.random.SFC64(child))
        return self.model.sample(size, self.params, stream)

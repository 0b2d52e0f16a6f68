"""Many draws at once: chunks in the pool, each with a stream of random numbers of its own.

The streams follow from one seed and from where the chunk lies, so a draw does not depend on the
number of threads. A Gaussian mixture draws in C (`native/sample.h`), other families with streams
of NumPy's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from mixtura.engines import compiled
from mixtura.engines.base import chunk_slices
from mixtura.engines.native.drawing import gaussian_draw
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.families.gaussian import Gaussian
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray, Array

# Rows of one stream: their noise stays in the cache.
_CHUNK_ROWS = 1 << 14


def draw(model: Mixture, n: int, params: Any, rng: np.random.RandomState) -> tuple[Array, AnyArray]:
    """n independent rows and their labels; a few rows come from `rng` itself."""
    if n <= _CHUNK_ROWS or not compiled.supports(model):
        X, labels = zip(*drawn(model, n, params, rng), strict=True)
        return np.concatenate(X), np.concatenate(labels)
    stream = _Streams(model, params, rng)
    rows, drawn_labels = np.empty((n, params.components.means.shape[1])), np.empty(n, np.int64)

    def fill(where: slice) -> None:
        stream.fill(where.start // _CHUNK_ROWS, rows[where], drawn_labels[where])

    deque(ordered_map(fill, chunk_slices(n, _CHUNK_ROWS)), maxlen=0)
    return rows, drawn_labels


def drawn(
    model: Mixture, n: int, params: Any, rng: np.random.RandomState
) -> Iterator[tuple[Array, AnyArray]]:
    """The same rows and labels in pieces, few of which are in memory at a time."""
    if n <= _CHUNK_ROWS:
        yield model.sample(n, params, rng)
        return
    stream = _Streams(model, params, rng)

    def part(start: int) -> tuple[Array, AnyArray]:
        # Held here and not around the loop: between two pieces BLAS is the caller's.
        with single_blas:
            return stream.part(start // _CHUNK_ROWS, min(_CHUNK_ROWS, n - start))

    yield from ordered_map(part, range(0, n, _CHUNK_ROWS))


class _Streams:
    """Chunks of rows by their number; four words of `rng` seed them all."""

    def __init__(self, model: Mixture, params: Any, rng: np.random.RandomState) -> None:
        self.model, self.params = model, params
        self.seed = np.random.SeedSequence([int(word) for word in rng.randint(2**31, size=4)])
        self.key = self.seed.generate_state(2, np.uint64).astype(np.uint64)

    def part(self, chunk: int, size: int) -> tuple[Array, AnyArray]:
        """The first rows of a chunk, with their labels."""
        if compiled.supports(self.model):
            X, labels = (
                np.empty((size, self.params.components.means.shape[1])),
                np.empty(size, np.int64),
            )
            self.fill(chunk, X, labels)
            return X, labels
        # The child that `seed.spawn` would give, without all those before it.
        child = np.random.SeedSequence(self.seed.entropy, spawn_key=(chunk,))
        stream = np.random.Generator(np.random.SFC64(child))
        return self.model.sample(size, self.params, stream)

    def fill(self, chunk: int, X: Array, labels: AnyArray) -> None:
        """The same in place, where there is a kernel."""
        c, family = self.params.components, self.model.family
        assert isinstance(family, Gaussian)
        weights = np.asarray(self.params.weights, dtype=np.float64)
        gaussian_draw(weights, c.means, c.root, family.form.name, self.key, chunk, X, labels)
        family.settle(X, c)

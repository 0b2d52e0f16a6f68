"""Rows in memory: the source that most tables are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.source import RUN, Source
from mixtura.records import AnyArray, Array, Chunk


@dataclass(frozen=True)
class Rows(Source):
    """A table in memory: X (n, d) C-contiguous float32 or float64, weights (n,) or None."""

    X: AnyArray
    sample_weight: Array | None = None

    @property
    def n(self) -> int:
        return len(self.X)

    @property
    def d(self) -> int:
        return int(self.X.shape[1])

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.X.dtype

    @cached_property
    def weight(self) -> float:
        w = self.sample_weight
        if w is None:
            return float(len(self.X))
        return sum(float(w[i : i + RUN].sum()) for i in range(0, len(w), RUN))

    @property
    def positive(self) -> int:
        w = self.sample_weight
        return len(self.X) if w is None else int(np.count_nonzero(w))

    def chunks(self, size: int) -> Iterator[Chunk]:
        w = self.sample_weight
        for start in range(0, len(self.X), size):
            where = slice(start, min(start + size, len(self.X)))
            yield Chunk(self.X[where], None if w is None else w[where], where)

    def take(self, indices: AnyArray) -> Rows:
        """Those rows, with their weights."""
        w = None if self.sample_weight is None else self.sample_weight[indices]
        return Rows(np.ascontiguousarray(self.X[indices]), w)


def in_memory(source: Source, who: str) -> Rows:
    """The rows themselves; ValueError where they only pass by."""
    if isinstance(source, Rows):
        return source
    raise ValueError(
        f"solver={who!r} needs all rows in memory, and these are read from a file or in chunks: "
        "use another solver, or load the table and fit the array"
    )


def taken(source: Source, chosen: AnyArray) -> Rows:
    """Of the rows that carry weight, counted from 0, the chosen ones; `chosen` is sorted.

    Where rows pass by this is one pass.
    """
    if isinstance(source, Rows):
        w = source.sample_weight
        if w is None and len(chosen) == source.n:
            return source
        return source.take(chosen if w is None else np.flatnonzero(w)[chosen])
    X, weights, done, counted = [], [], 0, 0
    for x, w, *_ in source.chunks(RUN):
        present = np.arange(len(x)) if w is None else np.flatnonzero(w)
        upto = int(np.searchsorted(chosen, counted + len(present)))
        here = present[chosen[done:upto] - counted]
        X.append(x[here])
        weights.append(None if w is None else w[here])
        done, counted = upto, counted + len(present)
    parts = [part for part in weights if part is not None]
    return Rows(np.concatenate(X), np.concatenate(parts) if parts else None)

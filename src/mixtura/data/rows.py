"""Rows in memory: the source that most tables are."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mixtura.data.near_rows import near_order
from mixtura.data.source import RUN, Source
from mixtura.records import AnyArray, Array, Chunk


@dataclass(frozen=True)
class Rows(Source):
    """A table in memory: X (n, d) C-contiguous float32 or float64, weights (n,) or None.

    measured is what is known of cells beside their numbers: "lower", "upper" or "error", by row;
    called are the columns' names, where whoever reads the table knows them.
    """

    X: AnyArray
    sample_weight: Array | None = None
    measured: dict[str, Array] = field(default_factory=dict, kw_only=True)
    called: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def names(self) -> list[str]:
        return list(self.called) or super().names

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

    @cached_property
    def near(self) -> tuple[Rows, AnyArray]:
        """(these rows, those beside each other near each other; where each stands here)."""
        order = near_order(self.X)
        w = self.sample_weight
        return Rows(self.X[order], None if w is None else w[order]), order

    def chunks(self, size: int) -> Iterator[Chunk]:
        w = self.sample_weight
        for start in range(0, len(self.X), size):
            where = slice(start, min(start + size, len(self.X)))
            yield Chunk(self.X[where], None if w is None else w[where], where)

    def take(self, indices: AnyArray) -> Rows:
        """Those rows, with their weights."""
        w = None if self.sample_weight is None else self.sample_weight[indices]
        measured = {name: each[indices] for name, each in self.measured.items()}
        return Rows(np.ascontiguousarray(self.X[indices]), w, measured=measured)


@dataclass(frozen=True)
class Part(Rows):
    """Rows of a table that lies in parts, after `first` others of which `before` have weight."""

    first: int = 0
    before: int = 0

    def chunks(self, size: int) -> Iterator[Chunk]:
        for chunk in super().chunks(size):
            where = slice(chunk.where.start + self.first, chunk.where.stop + self.first)
            yield chunk._replace(where=where)


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
    parts = source.reduced(lambda part: [_picked(part, chosen)], operator.add)
    X, weights = zip(*parts, strict=True)
    if weights[0] is None:
        return Rows(np.concatenate(X))
    return Rows(np.concatenate(X), np.concatenate(weights))


def _picked(part: Source, chosen: AnyArray) -> tuple[AnyArray, Array | None]:
    """The chosen rows that are in a part of the table, and their weights."""
    counted = part.before
    done = int(np.searchsorted(chosen, counted))
    X, weights = [np.empty((0, part.d), part.dtype)], []
    for x, w, *_ in part.chunks(RUN):
        present = np.arange(len(x)) if w is None else np.flatnonzero(w)
        upto = int(np.searchsorted(chosen, counted + len(present)))
        here = present[chosen[done:upto] - counted]
        X.append(x[here])
        if w is not None:
            weights.append(w[here])
        done, counted = upto, counted + len(present)
    return np.concatenate(X), np.concatenate(weights) if weights else None

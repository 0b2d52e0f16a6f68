"""Whole sequences whose rows lie in parts: partitions elsewhere, or what is read anew each pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mixtura.data.rows import Rows, taken
from mixtura.data.sequences import Ordered, Sequences, stretches
from mixtura.data.streamed import Streamed
from mixtura.records import AnyArray, Chunk


class SequencesApart(Ordered):
    """The rows of a source as sequences that stop at `ends` (S,), none of them in two parts.

    What `reduced` is given are parts as `Sequences`. Here they have no weights, and nobody knows
    a state of theirs.
    """

    apart = True

    def __init__(self, steps: Streamed, ends: AnyArray, beside: tuple[int, ...] = ()) -> None:
        self.steps, self.ends, self.beside = steps, ends, beside

    @property
    def n(self) -> int:
        return self.steps.n

    @property
    def d(self) -> int:
        return self.steps.d

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.steps.dtype

    @property
    def weight(self) -> float:
        return self.steps.weight

    @property
    def positive(self) -> int:
        return self.steps.positive

    def chunks(self, size: int) -> Iterator[Chunk]:
        return self.steps.chunks(size)

    @property
    def stops(self) -> AnyArray:
        return self.ends

    @property
    def told(self) -> AnyArray | None:
        return None

    @property
    def firsts(self) -> float:
        return float(len(self.ends))

    def rows(self) -> Streamed:
        return self.steps

    def begins(self) -> Rows:
        return taken(self.steps, self.starts)

    def spread(
        self, n: int, rng: np.random.RandomState, whole: bool = False
    ) -> tuple[Sequences, bool]:
        at, ends, cut = stretches(self.ends, n, rng, whole)
        return Sequences(taken(self.steps, at).X, None, ends, None, self.beside), cut

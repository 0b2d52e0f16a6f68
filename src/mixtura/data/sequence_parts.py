"""Whole sequences in parts that are read anew for each pass: one part is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import zip_longest

import numpy as np

from mixtura.data.sequences import Sequences
from mixtura.data.source import Source, T
from mixtura.records import Chunk


class SequenceParts(Source):
    """What `read` gives each time it is called, part after part; looked through once for its size.

    Parts hold whole sequences, of which a summary is the sum.
    """

    apart = True

    def __init__(self, read: Callable[[], Iterator[Sequences]]) -> None:
        self._read = read
        sizes = [(part.n, part.d, np.diff(part.stops, prepend=0)) for part in read()]
        self._n, self._d = sum(n for n, _, _ in sizes), sizes[0][1] if sizes else 0
        self.lengths = [each for _, _, each in sizes]

    def read(self) -> Iterator[Sequences]:
        """Part after part; ValueError where they are not those of the first look."""
        for i, (part, known) in enumerate(zip_longest(self._read(), self.lengths)):
            if part is None or not np.array_equal(np.diff(part.stops, prepend=0), known):
                raise ValueError(
                    f"X: part {i} (counted from 0) is not there any more, or has other lengths: X "
                    "must return a fresh iterator of the same parts each time it is called"
                )
            yield part

    @property
    def n(self) -> int:
        return self._n

    @property
    def d(self) -> int:
        return self._d

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return np.dtype(np.float64)

    @property
    def weight(self) -> float:
        return float(self._n)

    @property
    def positive(self) -> int:
        return self._n

    def chunks(self, size: int) -> Iterator[Chunk]:
        before = 0
        for part in self.read():
            for chunk in part.chunks(size):
                where = slice(before + chunk.where.start, before + chunk.where.stop)
                yield chunk._replace(where=where)
            before += part.n

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        return reduce(combine, map(work, self.read()))

    def sample(self, n: int, rng: np.random.RandomState) -> Sequences:
        """About n rows, of whole sequences at random, and the longest one."""
        every = np.concatenate(self.lengths)
        chosen = rng.uniform(size=len(every)) < n / self._n
        chosen[every.argmax()] = True
        marks = np.split(chosen, np.cumsum([len(each) for each in self.lengths])[:-1])
        found = [part.only(mark) for part, mark in zip(self.read(), marks, strict=True)]
        return Sequences.joined([part for part in found if part.n])

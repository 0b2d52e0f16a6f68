"""Whole sequences in parts that are read anew for each pass: one part is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import zip_longest

import numpy as np

from mixtura.data.sequences import Sequences
from mixtura.data.sequences_apart import SequencesApart
from mixtura.data.source import Source, T
from mixtura.data.streamed import Piece, Reader, Streamed
from mixtura.records import AnyArray


class SequenceParts(SequencesApart):
    """What `read` gives each time it is called, part after part; opening it takes a pass.

    Parts hold whole sequences, of which a summary is the sum.
    """

    def __init__(self, read: Callable[[], Iterator[Sequences]]) -> None:
        self._read, self._complete = read, True
        self.lengths: list[AnyArray] = []
        steps = Streamed(Reader(self._looked_at, "X", gaps=True))
        steps.reader = replace(
            steps.reader, pieces=lambda: ((part.X, None) for part in self.read())
        )
        super().__init__(steps, np.cumsum(np.concatenate(self.lengths)), self.beside)

    def _looked_at(self) -> Iterator[Piece]:
        """The rows, while it is noted what sequences they are."""
        self.lengths.clear()
        for part in self._read():
            self.lengths.append(np.diff(part.stops, prepend=0))
            self.beside, self._complete = part.beside, bool(self._complete and part.seen.all())
            yield part.X, None

    def read(self) -> Iterator[Sequences]:
        """Part after part; ValueError where they are not those of the first look."""
        for i, (part, known) in enumerate(zip_longest(self._read(), self.lengths)):
            if part is None or not np.array_equal(np.diff(part.stops, prepend=0), known):
                raise ValueError(
                    f"X: part {i} (counted from 0) is not there any more, or has other lengths: X "
                    "must return a fresh iterator of the same parts each time it is called"
                )
            yield part

    def rows(self) -> Streamed:
        if self._complete:
            return self.steps
        return Streamed(
            Reader(lambda: ((part.rows().X, None) for part in self.read()), "X", gaps=True)
        )

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        return reduce(combine, map(work, self.read()))

"""Whole sequences in parts that are read anew for each pass: one part is in memory at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import zip_longest

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.sequences import Sequences, stretches
from mixtura.data.sequences_apart import SequencesApart
from mixtura.data.source import Source, T
from mixtura.data.streamed import Piece, Reader, Streamed
from mixtura.records import AnyArray, Array


class SequenceParts(SequencesApart):
    """What `read` gives each time it is called, part after part; opening it takes a pass.

    Parts hold whole sequences, of which a summary is the sum, with their weights and what states
    of theirs are known.
    """

    def __init__(self, read: Callable[[], Iterator[Sequences]]) -> None:
        self._read, self._complete, self._firsts = read, True, 0.0
        self.lengths: list[AnyArray] = []
        self._marks: list[bytes] = []
        self._known, self._mark = False, hashlib.blake2b()
        steps = Streamed(Reader(self._looked_at, "X", gaps=True, first=0))
        steps.reader = replace(
            steps.reader, pieces=lambda: ((part.X, part.sample_weight) for part in self.read())
        )
        super().__init__(steps, np.cumsum(np.concatenate(self.lengths)), self.beside)

    def _looked_at(self) -> Iterator[Piece]:
        """The rows, while it is noted what sequences they are."""
        self.lengths.clear()
        self._marks.clear()
        self._known, self._mark, self._firsts = False, hashlib.blake2b(), 0.0
        for part in self._read():
            self.lengths.append(np.diff(part.stops, prepend=0))
            self.beside, self._complete = part.beside, bool(self._complete and part.seen.all())
            self._firsts += part.firsts
            self._known |= part.known is not None
            self._mark.update(_known(part).tobytes())
            self._marks.append(_beside(part))
            yield part.X, part.sample_weight

    @property
    def told(self) -> AnyArray | None:
        return np.frombuffer(self._mark.digest(), np.uint8) if self._known else None

    @property
    def firsts(self) -> float:
        return self._firsts

    def read(self) -> Iterator[Sequences]:
        """Part after part; ValueError where they are not those of the first look."""
        for i, (part, known) in enumerate(zip_longest(self._read(), self.lengths)):
            if part is None or not np.array_equal(np.diff(part.stops, prepend=0), known):
                raise ValueError(
                    f"X: part {i} (counted from 0) is not there any more, or has other lengths: X "
                    "must return a fresh iterator of the same parts each time it is called"
                )
            if _beside(part) != self._marks[i]:
                raise ValueError(
                    f"X: part {i} (counted from 0) has other weights or known states than before: "
                    "X must return a fresh iterator of the same parts each time it is called"
                )
            yield part

    def rows(self) -> Streamed:
        if self._complete:
            return self.steps

        def pieces() -> Iterator[Piece]:
            return ((seen.X, seen.sample_weight) for seen in (part.rows() for part in self.read()))

        return Streamed(Reader(pieces, "X", gaps=True, first=0))

    def begins(self) -> Rows:
        X, w, _ = self._picked(self.starts)
        return Rows(X, w)

    def spread(
        self, n: int, rng: np.random.RandomState, whole: bool = False
    ) -> tuple[Sequences, bool]:
        at, ends, cut = stretches(self.ends, n, rng, whole)
        X, w, known = self._picked(at)
        return Sequences(X, w, ends, known if self._known else None, self.beside), cut

    def _picked(self, at: AnyArray) -> tuple[AnyArray, Array | None, AnyArray]:
        """(X, weights, known states) of these rows, which are sorted: one pass."""
        done, found = 0, []
        for part in self.read():
            low, high = np.searchsorted(at, [done, done + part.n])
            own, w = at[low:high] - done, part.sample_weight
            found.append((part.X[own], None if w is None else w[own], _known(part)[own]))
            done += part.n
        X, weights, known = zip(*found, strict=True)
        w = None if weights[0] is None else np.concatenate(weights)
        return np.concatenate(X), w, np.concatenate(known)

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        return reduce(combine, map(work, self.read()))


def _known(part: Sequences) -> AnyArray:
    """The states (n,) of its steps, -1 where nobody knows."""
    return np.full(part.n, -1) if part.known is None else part.known


def _beside(part: Sequences) -> bytes:
    """A digest of its weights and known states; empty without any."""
    given = [each for each in (part.sample_weight, part.known) if each is not None]
    found = hashlib.blake2b(digest_size=16)
    for each in given:
        found.update(np.ascontiguousarray(each).data)
    return found.digest() if given else b""

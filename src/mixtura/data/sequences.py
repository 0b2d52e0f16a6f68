"""Rows in memory that are sequences, one after the other: they are cut only where one ends."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.door import as_numbers, column, weights_of
from mixtura.data.kinds import Kinds, kinds_of
from mixtura.data.nulls import as_nan
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.records import AnyArray, Array, Chunk

# A sample of a long sequence is so many pieces of it.
_PIECES = 16


def starts_of(stops: AnyArray) -> AnyArray:
    """Where sequences begin that stop there; without rows there is none."""
    return np.concatenate([[0], stops])[: len(stops)].astype(np.int64)


class Ordered(Source):
    """Rows that are whole sequences, wherever they lie."""

    @property
    @abstractmethod
    def told(self) -> AnyArray | None:
        """What is the same where the same states are known; None where nobody knows any."""

    @property
    @abstractmethod
    def stops(self) -> AnyArray:
        """Where sequences stop."""

    @property
    def starts(self) -> AnyArray:
        """Where sequences begin."""
        return starts_of(self.stops)

    @property
    @abstractmethod
    def firsts(self) -> float:
        """How many sequences there are, by their weights."""

    @abstractmethod
    def rows(self) -> Source:
        """The steps that were seen, as rows without order."""

    @abstractmethod
    def begins(self) -> Rows:
        """The first step of each sequence, in memory."""

    @abstractmethod
    def spread(
        self, n: int, rng: np.random.RandomState, whole: bool = False
    ) -> tuple[Sequences, bool]:
        """About n rows from everywhere, in memory, and whether any sequence was cut for them."""


@dataclass(frozen=True)
class Sequences(Rows, Ordered):
    """Whole sequences: ends (S,) int64 says before which row each stops, the last at n.

    Rows of a sequence have the same weight: 2 is the sequence twice. A row of NaN alone is a step
    that nobody saw; cells of the columns `beside`, which are no observations, do not count. known
    (n,) int64 are the states of steps, -1 where nobody knows.
    """

    ends: AnyArray | None = None
    known: AnyArray | None = None
    beside: tuple[int, ...] = ()

    @property
    def stops(self) -> AnyArray:
        """Where sequences stop; without `ends` the rows are one."""
        return np.array([self.n]) if self.ends is None else self.ends

    @property
    def told(self) -> AnyArray | None:
        return self.known

    @cached_property
    def firsts(self) -> float:
        """How many sequences there are, by their weights."""
        w = self.sample_weight
        return float(len(self.stops)) if w is None else float(w[self.starts].sum())

    @cached_property
    def total(self) -> float:
        """The sum of all cells: NaN if one of them is, and quicker than a look at every row."""
        with np.errstate(invalid="ignore", over="ignore"):
            return float(self.X.sum())

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not math.isnan(self.total)

    @cached_property
    def seen(self) -> AnyArray:
        """Which rows are steps that somebody saw, (n,)."""
        if self.complete:
            return np.ones(self.n, dtype=bool)
        return np.asarray(~np.isnan(np.delete(self.X, self.beside, axis=1)).all(axis=1))

    @cached_property
    def kinds(self) -> Kinds | None:
        """The rows by what they hold, where many are equal."""
        return kinds_of(self.X)

    def chunks(self, size: int) -> Iterator[Chunk]:
        w, start, stops = self.sample_weight, 0, self.stops
        while start < self.n:
            first = int(np.searchsorted(stops, start, side="right"))
            last = max(int(np.searchsorted(stops, start + size, side="right")), first + 1)
            where = slice(start, int(stops[last - 1]))
            ends = np.asarray(stops[first:last] - start, dtype=np.int64)
            known = None if self.known is None else self.known[where]
            yield Chunk(self.X[where], None if w is None else w[where], where, ends, known)
            start = where.stop

    def continued(self, k: int) -> Sequences:
        """Each sequence with k steps more that nobody saw; without weights."""
        starts, stops = self.starts, self.stops
        at = np.repeat(stops, k)
        X = np.insert(self.X, at, np.nan, axis=0)
        known = None if self.known is None else np.insert(self.known, at, -1)
        ends = np.cumsum(stops - starts + k, dtype=np.int64)
        return Sequences(np.ascontiguousarray(X), None, ends, known, self.beside)

    def rows(self) -> Rows:
        """The steps that were seen, as rows without order."""
        w = self.sample_weight
        if self.complete or self.seen.all():
            return Rows(self.X, w)
        X = np.ascontiguousarray(self.X[self.seen])
        return Rows(X, None if w is None else w[self.seen])

    def begins(self) -> Rows:
        w = self.sample_weight
        return Rows(self.X[self.starts], None if w is None else w[self.starts])

    def spread(
        self, n: int, rng: np.random.RandomState, whole: bool = False
    ) -> tuple[Sequences, bool]:
        """About n rows from everywhere, by `stretches`."""
        if self.n <= n:
            return self, False
        at, ends, cut = stretches(self.stops, n, rng, whole)
        w, known = (None if each is None else each[at] for each in (self.sample_weight, self.known))
        return Sequences(np.ascontiguousarray(self.X[at]), w, ends, known, self.beside), cut


def stretches(
    stops: AnyArray, n: int, rng: np.random.RandomState, whole: bool
) -> tuple[AnyArray, AnyArray, bool]:
    """(numbers of about n rows from everywhere, where sequences stop in them, whether any was cut).

    Sequences of more than n / `_PIECES` rows are cut into pieces, which are sequences of the
    sample. Of as many stretches of these as are taken each gives one, at random, so that what
    comes late in a table, or late in a sequence, is there. Where sequences must stay `whole`
    there are fewer steps of each instead: the first, and every m-th after it.
    """
    lengths, total = np.diff(stops, prepend=0), int(stops[-1])
    if total <= n:
        return np.arange(total), stops, False
    piece, begins = max(n // _PIECES, 1), stops - lengths
    if whole and lengths.max() > piece:
        m = -(-total // n)
        within = np.arange(total) - np.repeat(begins, lengths)
        return np.flatnonzero(within % m == 0), np.cumsum(-(-lengths // m)), False
    parts = -(-lengths // piece)
    which = np.repeat(np.arange(len(lengths)), parts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(parts) - parts, parts)
    starts = begins[which] + place * lengths[which] // parts[which]
    ceiling = np.append(starts[1:], total)
    many = max(len(starts) * n // total, 1)
    edges = np.arange(many + 1) * len(starts) // many
    taken = edges[:-1] + (rng.uniform(size=many) * np.diff(edges)).astype(np.int64)
    starts, ceiling = starts[taken], ceiling[taken]
    ends = np.cumsum(ceiling - starts, dtype=np.int64)
    at = np.arange(ends[-1]) + np.repeat(ceiling - ends, ceiling - starts)
    return at, ends, bool((parts[which[taken]] > 1).any())


def ends_of(lengths: Any, n: int) -> AnyArray:
    """Where sequences of these lengths stop, (S,) int64; None is one sequence of all n rows.

    ValueError for lengths that are not whole, not positive, or do not add up to n.
    """
    if lengths is None:
        return np.array([n], dtype=np.int64)
    found = as_numbers(column(lengths), "lengths")
    if found.ndim != 1 or not len(found) or not (found == np.floor(found)).all():
        raise ValueError(
            f"lengths must be whole numbers, one for each sequence, got {lengths!r}: give how many "
            "rows each sequence has, in order"
        )
    if (found < 1).any():
        raise ValueError(
            f"lengths: sequence {int(np.argmax(found < 1))} has {found.min():g} rows: leave out "
            "sequences without any"
        )
    if found.sum() != n:
        raise ValueError(
            f"lengths add up to {found.sum():.15g}, and X has {n} rows: give the length of each "
            "sequence, in the order of the rows"
        )
    return np.cumsum(found.astype(np.int64))


def known_states(states: Any, n: int, K: int, what: str = "states") -> AnyArray | None:
    """States (n,) int64 of steps, -1 where nobody knows, from numbers of which some may be NaN.

    A list of arrays is one for each sequence. ValueError, of `what`, for no state from 0 to K - 1.
    """
    if states is None:
        return None
    if isinstance(states, (list, tuple)) and states and _is_of_sequences(states, n):
        states = np.concatenate([np.asarray(part) for part in states])
    if isinstance(states, np.ma.MaskedArray):
        states = np.where(np.ma.getmaskarray(states), np.nan, states.data)
    given = as_numbers(as_nan(np.asarray(column(states)), False), what)
    if given.shape != (n,):
        raise ValueError(
            f"{what} has shape {given.shape}, and X has {n} rows: give the {what[:-1]} of each row "
            f"as one whole number from 0 to {K - 1}, -1 or NaN where nobody knows"
            + (", for how likely each is cannot be told" if given.ndim > 1 else "")
        )
    given = np.where(np.isnan(given), -1.0, given)
    bad = (given != np.floor(given)) | (given < -1) | (given >= K)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{what}: {row_at(row)} has {given[row]:g}, and the {what} are the whole numbers 0 to "
            f"{K - 1}: give one of these, -1 or NaN where nobody knows"
        )
    found = given.astype(np.int64)
    return found if (found >= 0).any() else None


def _is_of_sequences(states: Sequence[Any], n: int) -> bool:
    """Whether these are arrays of sequences, not the lines of a table of n rows."""
    return np.ndim(states[0]) == 1 and not (len(states) == n and np.size(states[0]) > 1)


def sequence_weights(weights: Any, ends: AnyArray, whole: bool = True) -> Array | None:
    """Row weights (n,) from those of sequences (S,) or of rows that are equal within each.

    `whole` says whether these are all sequences, of which some must count.

    ValueError where they differ within a sequence: a part of one cannot be seen more often.
    """
    if weights is None:
        return None
    w = weights_of(weights)
    lengths = np.diff(ends, prepend=0)
    if w.ndim != 1 or len(w) not in (len(ends), int(ends[-1])):
        raise ValueError(
            f"sample_weight has shape {w.shape}: give one weight for each of the {len(ends)} "
            f"sequences or each of the {int(ends[-1])} rows"
        )
    if not (np.isfinite(w).all() and (w >= 0).all() and (w.any() or not whole)):
        raise ValueError("sample_weight must be finite, not negative, and somewhere above 0")
    if len(w) != ends[-1]:
        return np.repeat(w, lengths)
    first = np.repeat(w[ends - lengths], lengths)
    if (w != first).any():
        row = int(np.argmax(w != first))
        raise ValueError(
            f"sample_weight differs within a sequence ({w[row]:g} where it began with "
            f"{first[row]:g}): a weight is how often the whole sequence was seen. For "
            "a step that nobody saw make its row NaN"
        )
    return w

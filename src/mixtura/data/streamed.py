"""Rows that pass by: a table read again for every pass, of which only a few chunks are in memory.

Whatever the pieces a reader hands out, they are cut again into the chunks that an engine asks for,
so a fit does the same arithmetic as on the table in memory, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.data.readahead import read_ahead
from mixtura.data.refusal import infinite, row_at
from mixtura.data.rows import Rows
from mixtura.data.source import RUN, Source
from mixtura.records import AnyArray, Array, Chunk

# Some rows (m, d) and their weights (m,) or None, as a reader hands them out.
Piece = tuple[AnyArray, Array | None]
# Chunks that are read ahead hold so many bytes at most, and are so many at most.
AHEAD_BYTES, AHEAD = 1 << 23, 16
# A table of at most so many bytes is read into memory once: a pass over it costs less than opening
# a file does.
SMALL_BYTES = 1 << 24
# Column names that a repr lists.
_SHOWN = 6


@dataclass(frozen=True)
class Reader:
    """How a table is read: `pieces()` begins a new reading, from the first row.

    names are the columns', None where they have none; name is what messages call the table;
    remarks say what was understood of a file that may have been meant otherwise; gaps whether
    cells may be missing; steps whether rows are steps of sequences, which nobody need have seen;
    first is the number of the first row in messages: 1 in files.
    """

    pieces: Callable[[], Iterator[Piece]]
    name: str
    names: tuple[str, ...] | None = None
    remarks: tuple[str, ...] = ()
    gaps: bool = False
    steps: bool = False
    first: int = 1

    def row(self, i: int) -> str:
        """What messages call row i, counted from 0."""
        return row_at(i, self.first)

    def column(self, j: int) -> str:
        """What messages call column j."""
        return repr(self.names[j] if self.names else f"x{j + 1}")


@dataclass(frozen=True)
class Survey:
    """What one pass found: rows, those with a positive weight, weight; each column's range.

    squares is the sum of the squared weights; missing (d,) says in which columns cells are missing,
    and empty is the first row with a weight and without any cell, counted from 0; -1: none is.
    """

    n: int
    positive: int
    weight: float
    low: Array
    high: Array
    dtype: np.dtype[np.floating]
    weighted: bool
    squares: float
    missing: NDArray[np.bool_]
    empty: int = -1


class Streamed(Source):
    """A table that is read anew for each pass.

    Opening it takes one pass, which finds its size, its weight and the range of each column; every
    pass refuses what is not finite (gaps may be allowed), and a table that has another number of
    rows by now. `on_rows`,
    if set, is called with the number of rows of this pass read so far.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.on_rows: Callable[[int], None] | None = None
        self.survey = surveyed(reader)

    def __repr__(self) -> str:
        names = self.reader.names
        d = f"{self.d} column{'s' * (self.d != 1)}"
        if names is not None:
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            d += f" ({shown})"
        weighted = ", weighted" if self.survey.weighted else ""
        return f"<Streamed {self.reader.name}: {self.n:,} rows of {d}, {self.dtype}{weighted}>"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was understood of a file that may have been meant otherwise."""
        return self.reader.remarks

    @property
    def n(self) -> int:
        return self.survey.n

    @property
    def d(self) -> int:
        return len(self.survey.low)

    @property
    def names(self) -> list[str]:
        return super().names if self.reader.names is None else list(self.reader.names)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.survey.dtype

    @property
    def weight(self) -> float:
        return self.survey.weight

    @property
    def positive(self) -> int:
        return self.survey.positive

    def chunks(self, size: int) -> Iterator[Chunk]:
        row = self.d * self.dtype.itemsize
        depth = int(np.clip(AHEAD_BYTES // (size * row), 1, AHEAD))
        done = 0
        pieces = checked(self.reader, self.dtype, self.d, self.survey.weighted)
        with closing(read_ahead(recut(pieces, size), depth)) as cut:  # type: ignore[type-var]
            for X, w in cut:
                where = slice(done, done + len(X))
                done = where.stop
                if done > self.n:
                    break
                if self.on_rows is not None:
                    self.on_rows(done)
                yield Chunk(X, w, where)
        if done != self.n:
            found = "more" if done > self.n else f"{done}"
            raise ValueError(
                f"{self.reader.name}: the table had {self.n} rows when it was opened and has "
                f"{found} now: it must stay as it is while it is fitted, and a callable must "
                "return a fresh iterator each time"
            )

    def place_of(self, row: int) -> str:
        """What messages call a row, counted from 0."""
        return f"{self.reader.name}: {self.reader.row(row)}"

    def scaled(self, factor: float) -> Streamed:
        """The same table with every weight multiplied by `factor`."""
        pieces = self.reader.pieces
        other = copy(self)
        other.reader = replace(
            self.reader,
            pieces=lambda: ((x, None if w is None else w * factor) for x, w in pieces()),
        )
        squares = self.survey.squares * factor**2
        other.survey = replace(self.survey, weight=self.weight * factor, squares=squares)
        return other

    def loaded(self) -> Rows:
        """The whole table in memory."""
        # To the end, where a table is refused that has more rows than when it was opened.
        ((X, w, *_),) = self.chunks(self.n)
        return Rows(X, w, called=self.reader.names or ())


def recut(pieces: Iterator[Piece], size: int) -> Iterator[Piece]:
    """The same rows, `size` at a time, in arrays of their own."""
    filled = 0
    X: AnyArray | None = None
    w: Array | None = None
    for x, weights in pieces:
        taken = 0
        while taken < len(x):
            if X is None:
                X = np.empty((size, x.shape[1]), x.dtype)
                w = None if weights is None else np.empty(size)
                filled = 0
            step = min(size - filled, len(x) - taken)
            X[filled : filled + step] = x[taken : taken + step]
            if w is not None and weights is not None:
                w[filled : filled + step] = weights[taken : taken + step]
            filled, taken = filled + step, taken + step
            if filled == size:
                yield X, w
                X = None
    if X is not None:
        yield X[:filled], None if w is None else w[:filled]


def checked(
    reader: Reader, dtype: np.dtype[np.floating], d: int, weighted: bool
) -> Iterator[Piece]:
    """The pieces, each of them refused unless it can be fitted and is like the first one."""
    done = 0
    for x, w in reader.pieces():
        if x.ndim != 2 or x.shape[1] != d:
            raise ValueError(
                f"{reader.name}: rows from {reader.first + done} on come as an array of shape "
                f"{x.shape}, and the first ones had {d} columns: give every chunk the same columns"
            )
        if x.dtype != dtype:
            raise ValueError(
                f"{reader.name}: rows from {reader.first + done} on are {x.dtype}, and the first "
                f"ones were {dtype}: give every chunk the same type"
            )
        if (w is not None) != weighted:
            raise ValueError(
                f"{reader.name}: some chunks have weights and some have none: give all of them "
                "weights, or none"
            )
        _refuse_not_finite(reader, x, done)
        if w is not None:
            _refuse_weights(reader, w, len(x), done)
        done += len(x)
        yield x, w


def _refuse_not_finite(reader: Reader, x: AnyArray, done: int) -> None:
    # One sum finds them without a mask of the piece; it may overflow where nothing is wrong.
    with np.errstate(all="ignore"):
        if np.isfinite(x.sum()):
            return
    bad = np.isinf(x) if reader.gaps else ~np.isfinite(x)
    bad[reader.steps & np.isnan(x).all(axis=1)] = False
    if bad.any():
        i, j = np.argwhere(bad)[0]
        if reader.gaps and not reader.steps:
            said = infinite(reader.column(j), x[i, j], reader.row(done + i))
            raise ValueError(f"{reader.name}: {said}")
        what = "infinity" if reader.gaps else "NaN or infinity"
        mend = "remove such rows or fill them in"
        if reader.steps:
            mend = "fill it in, or make the whole row NaN, a step that nobody saw"
        raise ValueError(
            f"{reader.name}: {reader.row(done + i)} contains {what}, {x[i, j]} in column "
            f"{reader.column(j)}: {mend}"
        )


def _refuse_weights(reader: Reader, w: Array, rows: int, done: int) -> None:
    if w.shape != (rows,):
        raise ValueError(
            f"{reader.name}: the weights of rows from {reader.first + done} on have the shape "
            f"{w.shape}, not ({rows},)"
        )
    bad = np.flatnonzero(~(np.isfinite(w) & (w >= 0)))
    if len(bad):
        raise ValueError(
            f"{reader.name}: the weight of {reader.row(done + bad[0])} is {w[bad[0]]}: weights are "
            "finite and not negative"
        )


def surveyed(reader: Reader) -> Survey:
    """One pass over the table."""
    first = next(iter(reader.pieces()), None)
    if first is None or first[0].ndim != 2:
        found = "nothing" if first is None else f"an array of shape {first[0].shape}"
        raise ValueError(
            f"{reader.name}: chunks are arrays of shape (rows, columns), and the first is {found}"
        )
    d, weighted = first[0].shape[1], first[1] is not None
    single = first[0].dtype == np.float32
    dtype: np.dtype[np.floating] = np.dtype(np.float32) if single else np.dtype(np.float64)
    low, high = np.full(d, np.inf), np.full(d, -np.inf)
    n, positive, weight, squares, empty = 0, 0, 0.0, 0.0, -1
    missing = np.zeros(d, bool)
    pieces = checked(reader, dtype, d, weighted)
    with closing(read_ahead(recut(pieces, RUN), AHEAD)) as cut:  # type: ignore[type-var]
        for x, w in cut:
            low, high = np.fmin(low, np.fmin.reduce(x)), np.fmax(high, np.fmax.reduce(x))
            # A sum is NaN if one of its terms is, and takes no array of its own.
            if np.isnan(x.sum()):
                gaps = np.isnan(x)
                missing |= gaps.any(axis=0)
                bare = np.flatnonzero(gaps.all(axis=1) & (True if w is None else w > 0))
                empty = n + int(bare[0]) if empty < 0 and len(bare) else empty
            n += len(x)
            positive += len(x) if w is None else int(np.count_nonzero(w))
            weight += len(x) if w is None else float(w.sum())
            squares += len(x) if w is None else float(w @ w)
    if n == 0:
        raise ValueError(f"{reader.name}: the table has no rows")
    return Survey(n, positive, weight, low, high, dtype, weighted, squares, missing, empty)

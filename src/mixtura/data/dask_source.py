"""A table whose rows lie in the partitions of a Dask collection: work goes to them, sums come back.

One partition is one part. What is made of the parts is combined in a tree of fixed shape over their
numbers, so the answer hangs on how the table is partitioned and on nothing else. A task sweeps a
run of partitions that lie together, and gives what they sum to. Tasks hang on their inputs alone:
those of a worker that dies are done again elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain
from pickle import loads
from typing import Any, NamedTuple, TypeVar

import numpy as np
from cloudpickle import dumps

from mixtura.data.dask_cluster import (
    PATIENCE,
    active_client,
    computed,
    delayed,
    known_workers,
    silence,
)
from mixtura.data.dask_held import Blocks, Held
from mixtura.data.dask_tree import Node, grown
from mixtura.data.refusal import row_at
from mixtura.data.rows import Part
from mixtura.data.source import Source
from mixtura.data.streamed import Piece, Reader, Streamed, Survey, surveyed
from mixtura.records import AnyArray, Array

T = TypeVar("T")
_Looked = Survey | ValueError | None
# Results that are combined at once, by a task of the tree or at last by the client.
FAN = 8
# Work of more bytes is a task of its own, and the client is given one sum.
CARRIED = 1 << 20
# Numbers that the client asks for at once, where it needs rows.
FETCHED = 1 << 20
# The share of the workers' memory that a table may fill; a larger one is read anew for each pass.
HELD = 0.5


class Place(NamedTuple):
    """Rows of a partition, rows of the table before it, and those of them with weight."""

    rows: int
    first: int
    before: int

    def part(self, X: AnyArray, w: Array | None) -> Source:
        """The partition's rows and weights as a part of the table."""
        return Part(X, w, self.first, self.before)


class DaskSource(Streamed):
    """Blocks, lazy pairs (X, weights or None), as one table; opening it takes a pass.

    Where a cluster is the scheduler and has room, the blocks stay in its memory.
    """

    apart = away = True

    def __init__(
        self,
        blocks: Sequence[Any],
        name: str,
        names: tuple[str, ...] | None,
        gaps: bool = False,
        remarks: tuple[str, ...] = (),
        steps: bool = False,
    ) -> None:
        self.on_rows: Callable[[int], None] | None = None
        self.factor = 1.0
        self.client = active_client()
        told = Reader(lambda: iter(()), name, names, remarks, gaps, steps)
        asked = delayed(told, traverse=False)
        looks = [delayed(_looked_at)(b, asked, p) for p, b in enumerate(blocks)]
        (found,) = computed([delayed(list)(looks)], self.client)
        self.store = self._set(told, blocks, found)

    @property
    def blocks(self) -> list[Any]:
        """The lazy pairs of the partitions that have rows."""
        return self.store.blocks

    def _set(self, told: Reader, blocks: Sequence[Any], found: list[_Looked]) -> Blocks:
        """Note what was found in all blocks, and return those with rows."""
        for one in found:
            if isinstance(one, ValueError):
                raise one
        both = zip(blocks, found, strict=True)
        held = [(block, one) for block, one in both if isinstance(one, Survey)]
        if not held:
            raise ValueError(f"{told.name}: the table has no rows")
        # What messages call the partitions: of all that there were.
        self.numbers = [p for p, one in enumerate(found) if one is not None]
        self.places: list[Any] = []
        first, before = 0, 0
        for _, survey in held:
            self.places.append(Place(survey.n, first, before))
            first, before = first + survey.n, before + survey.positive
        self.survey = reduce(lambda a, b: _joined(told.name, a, b), [one for _, one in held])
        self.reader = replace(told, pieces=self._pieces)
        return self._stored([block for block, _ in held])

    def _stored(self, blocks: list[Any]) -> Blocks:
        """The blocks, which a cluster holds if it has room for them."""
        if self.client is None:
            return Blocks(blocks)
        from distributed import futures_of

        workers = known_workers(self.client, PATIENCE)
        if workers is None:
            raise silence()
        limits = [worker["memory_limit"] for worker in workers.values()]
        size = self.n * (self.d + 1) * self.dtype.itemsize
        # What is there already may have to be there twice.
        size *= 1 + bool(futures_of(blocks))  # type: ignore[no-untyped-call]
        # A limit of 0 is none.
        if not workers or (all(limits) and size > HELD * sum(limits)):
            return Blocks(blocks)
        return Held(self.client, blocks, [place.rows for place in self.places], workers)

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        shared, parts, runs = dumps((work, combine)), len(self.places), self.store.runs()
        small = len(shared) <= CARRIED
        # Few tasks are sent as they are; many as one graph.
        few = small and len(runs) <= FAN and isinstance(self.store, Held)
        task = partial(self.client.submit, _swept, pure=False) if few else delayed(_swept)
        told = shared if small else delayed(shared)
        level = [task(told, dumps(self._run(run)), self.blocks[run]) for run in runs]
        while len(level) > (FAN if small else 1):
            tens = [level[i : i + FAN] for i in range(0, len(level), FAN)]
            level = [delayed(_combined)(told, parts, ten) for ten in tens]
        nodes = chain.from_iterable(computed(level, self.client))
        (root,) = grown(nodes, combine, parts)
        if self.on_rows is not None:
            self.on_rows(self.n)
        found: T = root.value
        return found

    def place_of(self, row: int) -> str:
        p = next(p for p, at in enumerate(self.places) if row < at.first + at.rows)
        own = row_at(row - self.places[p].first)
        return f"{_named(self.reader.name, self.numbers[p])}: {own}"

    def _run(self, run: slice) -> _Run:
        return _Run(run.start, self.places[run], len(self.places), self.reader.name, self.factor)

    def scaled(self, factor: float) -> DaskSource:
        other = super().scaled(factor)
        assert isinstance(other, DaskSource)
        other.factor = self.factor * factor
        other.reader = replace(self.reader, pieces=other._pieces)
        return other

    def _pieces(self) -> Iterator[Piece]:
        """The rows, brought here a few at a time."""
        step = max(FETCHED // self.d, 1)
        for block, place in zip(self.blocks, self.places, strict=True):
            for start in range(0, place.rows, step):
                task = delayed(_cut)(block, start, start + step, self.factor)
                yield from computed([task], self.client)


@dataclass(frozen=True)
class _Run:
    """Partitions that one task sweeps: the number of the first, and what is known of each."""

    first: int
    places: list[Any]
    parts: int
    name: str
    factor: float

    def nodes(self, work: Callable[[Source], Any], blocks: list[Piece]) -> Iterator[Node]:
        """What `work` makes of each, as leaves of the tree."""
        for p, (block, place) in enumerate(zip(blocks, self.places, strict=True), self.first):
            X, w = block
            if len(X) != place.rows:
                raise ValueError(
                    f"{self.name}: a partition had {place.rows} rows when it was opened and has "
                    f"{len(X)} now: the table must stay as it is while it is fitted"
                )
            yield Node(0, p, work(place.part(X, _scaled(w, self.factor))))


def _named(name: str, p: int) -> str:
    return f"{name}, partition {p} (counted from 0)"


def _looked_at(block: Piece, told: Reader, p: int) -> _Looked:
    """What one block holds.

    None where it is empty; an error, for the caller to raise, where its rows cannot be.
    """
    if not len(block[0]):
        return None
    # Of all partitions a row's number is not known.
    name = _named(told.name, p)
    here = replace(told, pieces=lambda: iter([block]), name=name, first=0)
    try:
        return surveyed(here)
    except ValueError as error:
        return error


def _joined(name: str, one: Survey, two: Survey) -> Survey:
    if (one.dtype, one.weighted, len(one.low)) != (two.dtype, two.weighted, len(two.low)):
        raise ValueError(
            f"{name}: partitions of {len(one.low)} columns in {one.dtype} and of {len(two.low)} in "
            f"{two.dtype}: give all of them the same columns, type and weights"
        )
    return Survey(
        one.n + two.n,
        one.positive + two.positive,
        one.weight + two.weight,
        np.fmin(one.low, two.low),
        np.fmax(one.high, two.high),
        one.dtype,
        one.weighted,
        one.squares + two.squares,
        one.missing | two.missing,
        one.n + two.empty if one.empty < 0 <= two.empty else one.empty,
    )


def _swept(shared: bytes, told: bytes, blocks: list[Piece]) -> list[Node]:
    """What there is to do, of a run of blocks."""
    (work, combine), run = loads(shared), loads(told)
    return grown(run.nodes(work, blocks), combine, run.parts)


def _combined(shared: bytes, parts: int, runs: list[list[Node]]) -> list[Node]:
    return grown(chain.from_iterable(runs), loads(shared)[1], parts)


def _scaled(w: Array | None, factor: float) -> Array | None:
    return w if w is None or factor == 1 else w * factor


def _cut(block: Piece, start: int, stop: int, factor: float) -> Piece:
    X, w = block
    return X[start:stop], None if w is None else _scaled(w[start:stop], factor)

"""A table whose rows lie in the partitions of a Dask collection: work goes to them, sums come back.

One partition is one part. What is made of the parts is combined in a tree of fixed shape over their
numbers, on the workers, so the answer hangs on how the table is partitioned and on nothing else.
Tasks hang on their inputs alone: those of a worker that dies are done again elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
from dask.delayed import delayed as _delayed

from mixtura.data.rows import Part
from mixtura.data.source import Source
from mixtura.data.streamed import Piece, Reader, Streamed, Survey, surveyed
from mixtura.records import AnyArray, Array

T = TypeVar("T")
_Looked = Survey | ValueError | None
# Results that a task of the tree combines.
FAN = 8
# Numbers that the client asks for at once, where it needs rows.
FETCHED = 1 << 20
# The share of the workers' memory that a table may fill; a larger one is read anew for each pass.
HELD = 0.5
# Seconds to wait for a first worker, and how often it is looked whether there is any.
PATIENCE, LOOK = 60.0, 2.0
# Tasks are functions of their inputs, named anew: to name them by content would read all of it.
delayed: Any = _delayed(pure=False)


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
        self.client = active_client()
        self.blocks = list(blocks)
        told = Reader(lambda: iter(()), name, names, remarks, gaps, steps)
        asked = delayed(told, traverse=False)
        found = self._asked(
            delayed(list)([delayed(_looked_at)(b, asked, p) for p, b in enumerate(blocks)])
        )
        self._set(told, found)
        if self.client is not None and self._fits():
            self.blocks = self.client.persist(self.blocks)

    def _set(self, told: Reader, found: list[_Looked]) -> None:
        """Keep the blocks with rows, and what was found in all of them."""
        for one in found:
            if isinstance(one, ValueError):
                raise one
        both = zip(self.blocks, found, strict=True)
        held = [(block, one) for block, one in both if isinstance(one, Survey)]
        if not held:
            raise ValueError(f"{told.name}: the table has no rows")
        self.blocks = [block for block, _ in held]
        self.places: list[Any] = []
        first, before = 0, 0
        for _, survey in held:
            self.places.append(Place(survey.n, first, before))
            first, before = first + survey.n, before + survey.positive
        # Whether any row has no value: only steps of sequences may be such.
        self.unseen = any(one.empty >= 0 for _, one in held)
        self.survey = reduce(lambda a, b: _joined(told.name, a, b), [one for _, one in held])
        self.reader = replace(told, pieces=self._pieces)

    def _fits(self) -> bool:
        workers = known_workers(self.client, PATIENCE)
        if workers is None:
            raise _silent()
        limits = [worker["memory_limit"] for worker in workers]
        size = self.n * (self.d + 1) * self.dtype.itemsize
        # A limit of 0 is none.
        return not all(limits) or size <= HELD * sum(limits)

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        # As a task of its own a worker is sent it once, not once for each partition.
        shared, joint = delayed(work, traverse=False), delayed(combine, traverse=False)
        blocks = zip(self.blocks, self.places, strict=True)
        level = [
            delayed(_worked)(shared, block, place, self.reader.name) for block, place in blocks
        ]
        while len(level) > 1:
            tens = [level[i : i + FAN] for i in range(0, len(level), FAN)]
            level = [delayed(_combined)(joint, ten) for ten in tens]
        found: T = self._asked(level[0])
        if self.on_rows is not None:
            self.on_rows(self.n)
        return found

    def scaled(self, factor: float) -> DaskSource:
        other = super().scaled(factor)
        assert isinstance(other, DaskSource)
        other.blocks = [delayed(_scaled)(block, factor) for block in self.blocks]
        other.reader = replace(self.reader, pieces=other._pieces)
        return other

    def _pieces(self) -> Iterator[Piece]:
        """The rows, brought here a few at a time."""
        step = max(FETCHED // self.d, 1)
        for block, place in zip(self.blocks, self.places, strict=True):
            for start in range(0, place.rows, step):
                yield self._asked(delayed(_cut)(block, start, start + step))

    def _asked(self, task: Any) -> Any:
        """The result of a task; ConnectionError where the cluster does not give one."""
        if self.client is None:
            return task.compute()
        return waited_for(self.client, task)


def active_client() -> Any:
    """The client of a cluster, if one is at work in this process, else None."""
    if "distributed" not in sys.modules:
        return None
    from distributed import default_client

    try:
        return default_client()  # type: ignore[no-untyped-call]
    except ValueError:
        return None


def waited_for(client: Any, task: Any) -> Any:
    """The result of a task of a cluster; ConnectionError where it is lost or nobody is there."""
    from distributed import CancelledError, KilledWorker, TimeoutError

    future = client.compute(task)
    last, bare, silent = time.monotonic(), 0.0, 0.0
    while True:
        try:
            return future.result(timeout=LOOK)
        except TimeoutError:
            if client.status != "running":
                raise _lost("it no longer answers") from None
            workers, now = known_workers(client, LOOK, 1), time.monotonic()
            # While nothing is said, nothing is known of workers.
            bare = 0.0 if workers else bare + (now - last) * (workers is not None)
            silent = silent + now - last if workers is None else 0.0
            last = now
            if silent > PATIENCE:
                raise _silent() from None
            if bare > PATIENCE:
                raise _lost(f"it has had no worker for {PATIENCE:.0f} s") from None
        except KilledWorker as error:
            why = f"the workers that were given {error.task} died, one after the other"
            raise _lost(f"{why}: a partition may not fit into a worker's memory") from None
        except CancelledError:
            raise _lost("it no longer answers") from None


def known_workers(client: Any, seconds: float, at_most: int = -1) -> list[Any] | None:
    """What the scheduler says of its workers; None where it does not answer in so many seconds.

    A client waits for ever for one that is there and mute: stopped, or behind a dead connection.
    """
    from distributed import TimeoutError

    try:
        found = client.sync(client.scheduler.identity, n_workers=at_most, callback_timeout=seconds)
    except (TimeoutError, OSError):
        return None
    return list(found["workers"].values())


def computed(task: Any) -> Any:
    """The result of a task, of the active cluster where there is one."""
    client = active_client()
    return task.compute() if client is None else waited_for(client, task)


def _silent() -> ConnectionError:
    return _lost(f"its scheduler has not answered for {PATIENCE:.0f} s")


def _lost(why: str) -> ConnectionError:
    return ConnectionError(f"the Dask cluster gave no result: {why}")


def _looked_at(block: Piece, told: Reader, p: int) -> _Looked:
    """What one block holds.

    None where it is empty; an error, for the caller to raise, where its rows cannot be.
    """
    if not len(block[0]):
        return None
    # Of all partitions a row's number is not known.
    name = f"{told.name}, partition {p} (counted from 0)"
    here = replace(told, pieces=lambda: iter([block]), name=name, first=0)
    try:
        found = surveyed(here)
    except ValueError as error:
        return error
    if found.empty >= 0 and not told.steps:
        return ValueError(
            f"{name}: {here.row(found.empty)} has no value in any column: leave it out"
        )
    return found


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
    )


def _worked(work: Callable[[Source], T], block: Piece, place: Place, name: str) -> T:
    X, w = block
    if len(X) != place.rows:
        raise ValueError(
            f"{name}: a partition had {place.rows} rows when it was opened and has {len(X)} now: "
            "the table must stay as it is while it is fitted"
        )
    return work(place.part(X, w))


def _combined(combine: Callable[[T, T], T], parts: list[T]) -> T:
    return reduce(combine, parts)


def _scaled(block: Piece, factor: float) -> Piece:
    X, w = block
    return X, None if w is None else w * factor


def _cut(block: Piece, start: int, stop: int) -> Piece:
    X, w = block
    return X[start:stop], None if w is None else w[start:stop]

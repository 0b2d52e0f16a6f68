"""Blocks of a table in the memory of a cluster: neighbours lie together, so one task takes a run.

A task and its results cost the scheduler and the client about a millisecond or two, whatever it
does. Where blocks lie decides which tasks there are, and never what they sum to.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dask.base import annotate

from mixtura.data.dask_cluster import LOOK, delayed, holders, known_workers

# Seconds after which it is asked anew where the blocks are: workers come and go.
ANEW = 10.0


class Blocks:
    """Lazy blocks, made anew for each pass: each is a run of its own."""

    def __init__(self, blocks: Sequence[Any]) -> None:
        self.blocks = list(blocks)

    def runs(self) -> list[slice]:
        """Blocks to be swept by one task each, in order."""
        return [slice(p, p + 1) for p in range(len(self.blocks))]


class Held(Blocks):
    """Blocks of so many `rows`, futures: each on a worker whose threads have equal shares."""

    def __init__(
        self, client: Any, blocks: Sequence[Any], rows: Sequence[int], workers: dict[str, Any]
    ) -> None:
        super().__init__(blocks)
        self.client, self.rows = client, rows
        self.threads = threads_of(workers)
        self.where = spread(rows, [None] * len(rows), self.threads)
        self._persist(dict(enumerate(self.blocks)))

    def runs(self) -> list[slice]:
        if time.monotonic() - self.looked > ANEW:
            self._look()
        return runs_of(self.rows, self.where, sum(self.threads.values()))

    def _look(self) -> None:
        """Ask where the blocks are, and move some where workers have more than their share."""
        self.looked = time.monotonic()
        workers = known_workers(self.client, LOOK)
        keys = [block.key for block in self.blocks]
        found = holders(self.client, LOOK, keys) if workers else None
        if found is None or not workers:
            # Who waits for results will say so.
            return
        pairs = zip(self.where, [found.get(key, []) for key in keys], strict=True)
        where = [w if w in who else min(who, default=None) for w, who in pairs]
        self.threads = threads_of(workers)
        self.where = spread(self.rows, where, self.threads)
        moved = [
            p for p, (now, then) in enumerate(zip(where, self.where, strict=True)) if now != then
        ]
        self._persist({p: delayed(_same)(self.blocks[p]) for p in moved})

    def _persist(self, blocks: dict[int, Any]) -> None:
        """Have these blocks made where they should be, if there is somebody."""
        # Other keys of the graph, such as those that read, are free: [] is no restriction.
        wanted = defaultdict(list, {block.key: [self.where[p]] for p, block in blocks.items()})
        if blocks:
            with annotate(workers=wanted.__getitem__, allow_other_workers=True):
                made = self.client.compute(list(blocks.values()))
            for p, block in zip(blocks, made, strict=True):
                self.blocks[p] = block
        self.looked = time.monotonic()


def threads_of(workers: dict[str, Any]) -> dict[str, int]:
    """The threads of each worker, of those at work if there are any."""
    running = {who: told for who, told in workers.items() if told["status"] == "running"}
    return {who: told["nthreads"] for who, told in (running or workers).items()}


def spread(rows: Sequence[int], where: Sequence[str | None], threads: dict[str, int]) -> list[str]:
    """A worker for each block: the one that has it, unless that has more than its share.

    What is without one goes to those that have less, neighbours together.
    """
    each = sum(rows) / sum(threads.values())
    load = dict.fromkeys(threads, 0)

    def room(who: str, size: int) -> bool:
        return load[who] + size / 2 <= each * threads[who]

    found: list[str] = [""] * len(rows)
    for p, (size, who) in enumerate(zip(rows, where, strict=True)):
        if who in load and room(who, size):
            found[p] = who
            load[who] += size
    free = list(threads)
    for p, size in enumerate(rows):
        if not found[p]:
            while free and not room(free[0], size):
                del free[0]
            found[p] = free[0] if free else min(load, key=lambda who: load[who] / threads[who])
            load[found[p]] += size
    return found


def runs_of(rows: Sequence[int], where: Sequence[str], threads: int) -> list[slice]:
    """Neighbours on one worker, cut where a run is as long as a thread's share of all rows."""
    each = sum(rows) / threads
    runs, first, size = [], 0, 0
    for p, more in enumerate(rows):
        if p > first and (where[p] != where[p - 1] or size + more / 2 > each):
            runs.append(slice(first, p))
            first, size = p, 0
        size += more
    return [*runs, slice(first, len(rows))]


def _same(block: Any) -> Any:
    return block

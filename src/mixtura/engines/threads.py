"""Chunks in a pool of threads: NumPy releases the interpreter lock where the time goes.

BLAS is held to one thread meanwhile: its threads times ours would fight over the cores. Partial
sums are added in the order of the chunks, so the answer does not depend on how many threads ran.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from mixtura.engines.base import RowOutputs, chunk_slices
from mixtura.engines.local import LocalSweep, chunk_rows, fill_chunk
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray, Summary

T = TypeVar("T")
_pool: ThreadPoolExecutor | None = None


def workers() -> int:
    """The cores this process may use, less when OMP_NUM_THREADS asks for less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores or 1, int(asked)) if asked.isdigit() else cores or 1)


def ordered_map(function: Callable[[slice], T], slices: Iterable[slice]) -> Iterator[T]:
    """function(slice) for each slice, run in the pool, answers in order, few waiting at a time."""
    global _pool
    count = workers()
    if count == 1:
        yield from map(function, slices)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(count, thread_name_prefix="mixtura")
    waiting: deque[Future[T]] = deque()
    for rows in slices:
        waiting.append(_pool.submit(function, rows))
        if len(waiting) > 4 * count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _forget_pool() -> None:
    # A forked child inherits the pool object but none of its threads.
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class ThreadsSweep(LocalSweep):
    """The local sweep's chunks, several at a time."""

    engine = "threads"

    def __call__(self, params: Any) -> Summary:
        if len(self.slices) == 1:
            return self.part(self.slices[0], params)
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            parts = ordered_map(lambda rows: self.part(rows, params), self.slices)
            total = next(parts)
            for part in parts:
                total = total + part
            return total


def fill(model: Mixture, X: AnyArray, params: Any, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""

    def run(rows: slice) -> None:
        fill_chunk(model, np.asarray(X[rows], dtype=np.float64), params, out.part(rows))

    with ThreadpoolController().limit(limits=1, user_api="blas"):
        deque(ordered_map(run, chunk_slices(len(X), chunk_rows(X.shape[1]))), maxlen=0)

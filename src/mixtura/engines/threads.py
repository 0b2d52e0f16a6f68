"""Chunks in a pool of threads: NumPy releases the interpreter lock where the time goes.

BLAS is held to one thread meanwhile: its threads times ours would fight over the cores. Partial
sums are added in the order of the chunks, so the answer does not depend on how many threads ran.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs, Step, chunk_slices
from mixtura.engines.local import LocalSweep, added, chunk_rows, fill_chunk, stepped
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray, Summary

S = TypeVar("S")
T = TypeVar("T")
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_pool_lock = threading.Lock()
_here = threading.local()


def workers() -> int:
    """The cores this process may use, less when OMP_NUM_THREADS asks for less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores or 1, int(asked)) if asked.isdigit() else cores or 1)


def ordered_map(function: Callable[[S], T], chunks: Iterable[S]) -> Iterator[T]:
    """function(chunk) for each chunk, run in the pool, answers in order, few waiting at a time.

    After an error, or when the caller stops early, what has not begun is never run.
    """
    count = workers()
    # A worker that waited for other workers could wait for ever: all of them may be doing so.
    if count == 1 or getattr(_here, "is_worker", False):
        yield from map(function, chunks)
        return
    pool = _pool_of(count)
    waiting: deque[Future[T]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(function, chunk))
            if len(waiting) > 4 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def shared(function: Callable[[S], T], parts: Sequence[S]) -> list[T]:
    """function(part) for each part, the caller at work beside the pool; answers in order.

    For parts of less than a millisecond: nobody is woken for one of them alone, and a thread that
    does not come in time is not waited for. After an error no further part is begun, and of
    several the first part's is raised.
    """
    count = min(workers(), len(parts))
    if count <= 1 or getattr(_here, "is_worker", False):
        return [function(part) for part in parts]
    found: dict[int, T] = {}
    errors: dict[int, BaseException] = {}
    # Threads take turns at it: a step of this iterator is one of the interpreter's own.
    left = iter(range(len(parts)))

    def work() -> None:
        for i in left:
            try:
                found[i] = function(parts[i])
            except BaseException as error:
                errors[i] = error
                deque(left, maxlen=0)

    others = [_pool_of(workers()).submit(work) for _ in range(count - 1)]
    try:
        work()
    finally:
        deque(left, maxlen=0)
        wait([other for other in others if not other.cancel()])
    if errors:
        raise errors[min(errors)]
    return [found[i] for i in range(len(parts))]


def _pool_of(count: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    with _pool_lock:
        if _pool is None or _pool_size != count:
            # The old pool is not shut down: another thread may still be handing it chunks. Its
            # threads end when the last such caller lets go of it.
            _pool = ThreadPoolExecutor(
                count, thread_name_prefix="mixtura", initializer=_mark_worker
            )
            _pool_size = count
        return _pool


def _mark_worker() -> None:
    _here.is_worker = True


@cache
def _blas_controller() -> ThreadpoolController:
    # Looking the libraries up takes milliseconds, so it is done once, at first use.
    return ThreadpoolController()


class _SingleBlas:
    """Holds BLAS to one thread while anybody is inside.

    The limit belongs to the process, not to the caller: the first in sets it and the last out
    restores it. Were each caller to restore what it found, one that came in during another's
    fit would find 1 and leave 1 behind.
    """

    def __init__(self) -> None:
        self._limit = ExitStack()
        self._limited = False
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child nobody is inside; the next one out restores an inherited limit."""
        self._lock = threading.Lock()
        self._users = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._limited:
                self._limit.enter_context(_blas_controller().limit(limits=1, user_api="blas"))
                self._limited = True
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limit.close()
                self._limited = False


single_blas = _SingleBlas()


def single_openmp() -> AbstractContextManager[Any]:
    """Holds OpenMP, which runs k-means, to one thread: sums in threads end in any order.

    Unlike that of BLAS this limit belongs to the calling thread alone.
    """
    limit: AbstractContextManager[Any] = _blas_controller().limit(limits=1, user_api="openmp")
    return limit


def _after_fork() -> None:
    # A forked child inherits the pool object but none of its threads, and locks that a thread it
    # lacks may hold.
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()
    _here.is_worker = False
    single_blas.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class ThreadsSweep(LocalSweep):
    """The local sweep's chunks, several at a time."""

    engine = "threads"

    def folded(self, step: Step) -> Summary:
        if self.rows.n <= self.chunk_rows:
            return super().folded(step)
        self.passes += 1
        with single_blas:
            return folded_in_pool(self.rows, self.chunk_rows, step)


def folded_in_pool(rows: Source, size: int, step: Step) -> Summary:
    """The sum of `step` over chunks of so many rows, several at a time, added in order."""
    return added(ordered_map(lambda chunk: stepped(step, chunk), rows.chunks(size)))


def fill(model: Mixture, X: AnyArray, params: Any, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""

    def run(rows: slice) -> None:
        fill_chunk(model, np.asarray(X[rows], dtype=np.float64), params, out.part(rows))

    with single_blas:
        deque(ordered_map(run, chunk_slices(len(X), chunk_rows(X.shape[1]))), maxlen=0)

"""Reading ahead in a thread: the next chunks are on their way while the kernels work."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, thread
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
# How long a reader that has nobody to hand its chunk to waits before it looks whether to stop.
_LOOK = 0.05
# Tables read at once. Their threads are kept from pass to pass: Arrow's allocator would hold on to
# what each new one had used.
_READERS = 64
_readers: ThreadPoolExecutor


def read_ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """The same items in the same order, up to `depth` of them made before they are asked for.

    An exception in `items` comes out where it would have; when the caller stops early, so does the
    thread, and `items` is closed.
    """
    waiting: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def hand(kind: str, what: T | BaseException | None) -> bool:
        # Where an error holds on to the caller, only the end of the process tells.
        while not (stop.is_set() or _ending()):
            with suppress(queue.Full):
                waiting.put((kind, what), timeout=_LOOK)
                return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not hand("item", item):
                    break
            else:
                hand("end", None)
        except BaseException as error:
            hand("error", error)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    reader = _readers.submit(read)
    try:
        while True:
            kind, what = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(what, BaseException)
                raise what
            yield what  # type: ignore[misc]
    finally:
        stop.set()
        reader.result()


def _ending() -> bool:
    """Whether the process is about to wait for its readers, which nobody asks any more."""
    return bool(getattr(thread, "_shutdown", False))


def _new_readers() -> None:
    # A forked child has none of its parent's threads.
    global _readers
    _readers = ThreadPoolExecutor(_READERS, thread_name_prefix="mixtura-reader")


_new_readers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_readers)

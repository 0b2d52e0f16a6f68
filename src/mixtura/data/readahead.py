"""Reading ahead in a thread: the next chunks are on their way while the kernels work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
# How long a reader that has nobody to hand its chunk to waits before it looks whether to stop.
_LOOK = 0.05


def read_ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """The same items in the same order, up to `depth` of them made before they are asked for.

    An exception in `items` comes out where it would have; when the caller stops early, so does the
    thread, and `items` is closed.
    """
    waiting: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def hand(kind: str, what: T | BaseException | None) -> bool:
        while not stop.is_set():
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

    reader = threading.Thread(target=read, name="mixtura-reader", daemon=True)
    reader.start()
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
        reader.join()

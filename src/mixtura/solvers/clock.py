"""When a search ends with what it has: its time has passed, or Ctrl-C was pressed."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

TIMED_OUT = "stopped: max_seconds had passed"
INTERRUPTED = "stopped: interrupted"
# What is said at once, for the step that runs may be a long one.
HEARD = "Ctrl-C: the fit ends after this step, with the best it has met; Ctrl-C again ends it now"
# Seconds within which a second Ctrl-C ends the program, though the fit is another by then.
TWICE = 2.0
# And within which it is the same one: told to a process and to its group, it is heard twice.
ONE = 0.05


class Clock:
    """The time of a search, from now on; `interrupted` once Ctrl-C has ended it."""

    _last = -math.inf

    def __init__(self, seconds: float = math.inf) -> None:
        self.until = time.monotonic() + seconds
        self.interrupted = False

    @property
    def passed(self) -> bool:
        """Whether the search ends with what it has; without a time and Ctrl-C never."""
        return self.interrupted or (self.until < math.inf and time.monotonic() >= self.until)

    @property
    def why(self) -> str:
        """The reason of a climb that ends because it has `passed`."""
        return INTERRUPTED if self.interrupted else TIMED_OUT

    def reason(self, own: str, place: str) -> str:
        """Why a search ended: its `own` reason, or Ctrl-C in that place."""
        where = f" in {place}" if place else ""
        return f"{INTERRUPTED}{where}, with the best met by then" if self.interrupted else own

    @contextmanager
    def hearing(self, heard: bool = True) -> Iterator[Clock]:
        """Ctrl-C in this block makes the clock pass; a second one is a KeyboardInterrupt.

        So is the first where not `heard`, in other threads than the main one, and where the
        program has a handler of its own.
        """
        if heard and _is_ours():
            signal.signal(signal.SIGINT, self._stop)
            try:
                yield self
            finally:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        else:
            yield self

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now, before = time.monotonic(), Clock._last
        if now - before < ONE:
            return
        if self.interrupted or now - before < TWICE:
            signal.default_int_handler(number, frame)
        self.interrupted, Clock._last = True, now
        # What is being written may be what was interrupted.
        with suppress(RuntimeError, OSError, ValueError, AttributeError):
            sys.stderr.write(f"\n{HEARD}\n")


# That of a search which has all the time there is.
NEVER = Clock()


@contextmanager
def at_once() -> Iterator[None]:
    """Ctrl-C in this block is a KeyboardInterrupt within fits too: they are parts of more work."""
    if not _is_ours():
        yield
        return
    # Another function than the default one: fits then take it for the program's own.
    signal.signal(signal.SIGINT, lambda number, frame: signal.default_int_handler(number, frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_ours() -> bool:
    """Whether Ctrl-C is for us to hear: the main thread's, with Python's own handler."""
    main = threading.current_thread() is threading.main_thread()
    return main and signal.getsignal(signal.SIGINT) is signal.default_int_handler

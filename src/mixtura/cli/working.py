"""The progress line of a command that works for long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TimeElapsedColumn,
)
from rich.text import Text

from mixtura.cli.console import stderr
from mixtura.cli.pace import Pace

if TYPE_CHECKING:
    from mixtura.solvers.climb import Climb

# Work shorter than this shows no progress.
PATIENCE = 1.0


class Working:
    """A progress line on stderr, in a terminal only, once the work has taken PATIENCE seconds.

    A `FitListener`: what it is told is only noted; drawing happens in another thread. Where
    the terminal is needed for a table it is not `shown`. How many `starts` there will be may be
    unknown: None.
    """

    def __init__(self, doing: str, starts: int | None = 1, *, shown: bool = True) -> None:
        self.shown = shown
        self.starts, self.index, self.doing = starts, 0, doing
        self.standing = ""
        self.pace: Pace | None = None
        self._bar = Progress(
            SpinnerColumn(),
            _Doing(self),
            BarColumn(20),
            TimeElapsedColumn(),
            console=stderr,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None if starts == 1 else starts)
        self._timer = threading.Timer(PATIENCE, self._bar.start)
        self._timer.daemon = True

    def __enter__(self) -> Working:
        if self.shown and sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._timer.ident is not None:
            # It may be in the middle of starting the bar.
            self._timer.join()
        if self._bar.live.is_started:
            self._bar.stop()

    def paced(self, rows: int, tol: float | None) -> Callable[[int], None]:
        """What is to be told of the rows of a long table as they are read; the bar is a pass.

        tol is that of a climb, None where one pass is all; then `rows` may be a guess.
        """
        self.pace = pace = Pace(rows, tol)

        def read(done: int) -> None:
            pace.read(done)
            self._bar.update(self._task, total=pace.rows, completed=done)

        return read

    def counted(self, done: int, total: int) -> None:
        """So many of all pieces of work are done."""
        self._bar.update(self._task, total=total, completed=done)

    def stands(self, best: float, chance: float | None) -> None:
        """So far the best end has this log-likelihood per row."""
        better = "" if chance is None else f", chance of better {100 * chance:.2g} %"
        self.standing = f"; best {best:.4f} per row{better}"

    def started(self, index: int) -> None:
        """A start begins."""
        self.index = index
        self._climbs("short runs")
        if self.pace is None:
            self._bar.update(self._task, completed=index)

    def stepped(self, iterations: int, gain: float) -> None:
        """One more EM step was taken."""
        self._climbs(f"EM step {iterations}, last gain {gain:.1e} per row")
        if self.pace is not None:
            self.pace.gained(gain)

    def ended(self, climb: Climb, mean_loglik: float) -> None:
        """A climb is over."""
        self._climbs(f"{mean_loglik:.4f} log-likelihood per row after {climb.iterations} EM steps")

    def _climbs(self, what: str) -> None:
        """What a start does, which one it is, and how things stand."""
        of = "" if self.starts is None else f" of {self.starts}"
        which = "" if self.starts == 1 else f"start {self.index + 1}{of}, "
        self.doing = f"{which}{what}{self.standing}"


class _Doing(ProgressColumn):
    def __init__(self, working: Working) -> None:
        super().__init__()
        self._working = working

    def render(self, task: Task) -> Text:
        pace = self._working.pace
        told = "" if pace is None else pace.text()
        return Text(f"{self._working.doing} ({told})" if told else self._working.doing)

"""How fast rows go by and how long it will take: what a fit of a long table shows."""

from __future__ import annotations

import math
from time import monotonic

# A speed is that of so many seconds, a trend that of so many steps.
WINDOW, TREND = 3.0, 12


class Pace:
    """Told of the rows read, of gains, and of nothing else; a clock may be given for tests.

    rows are those of the whole table, tol is the remaining gain per row at which a climb stops;
    None where the table is read once, and then rows may be a guess.
    """

    def __init__(self, rows: int, tol: float | None, clock: object = None) -> None:
        self.rows, self.tol = rows, tol
        self.clock = clock if callable(clock) else monotonic
        self.done = self.total = 0
        self.marks = [(self.clock(), 0)]
        self.gains: list[float] = []

    def read(self, done: int) -> None:
        """So many rows of the pass that is on have been read."""
        self.total += done - self.done if done >= self.done else done
        self.done = done
        self.rows = max(self.rows, done)
        now = self.clock()
        if now - self.marks[-1][0] >= WINDOW / 10:
            self.marks.append((now, self.total))
            while now - self.marks[1][0] > WINDOW:
                self.marks.pop(0)

    def gained(self, gain: float) -> None:
        """A step of a climb has gained so much per row."""
        self.gains = [*self.gains[1 - TREND :], gain]

    @property
    def speed(self) -> float:
        """Rows per second of late; 0 before anything was read."""
        (began, before), (ended, after) = self.marks[0], self.marks[-1]
        return (after - before) / (ended - began) if ended > began else 0.0

    @property
    def steps_left(self) -> float:
        """Steps to the tolerance if the gains go on shrinking as of late; infinite if unknown."""
        if len(self.gains) < 2 or not 0 < self.gains[-1] < self.gains[0] < math.inf:
            return math.inf
        ratio = (self.gains[-1] / self.gains[0]) ** (1 / (len(self.gains) - 1))
        left = self.gains[-1] * ratio / (1 - ratio)
        return max(0.0, math.log(left / self.tol) / -math.log(ratio)) if self.tol else math.inf

    def text(self) -> str:
        """ "3.1M rows/s, 62% of the pass, 0:03 left", empty before anything was read."""
        if self.speed == 0:
            return ""
        rest = (self.rows - self.done) / self.speed
        if self.tol is None:
            read = f"{_count(self.done)} rows, {_count(self.speed)} rows/s"
            return f"{read}, about {_duration(rest)} left"
        share = f"{_count(self.speed)} rows/s, {self.done / self.rows:.0%} of the pass"
        if self.steps_left < math.inf:
            whole = rest + self.steps_left * self.rows / self.speed
            return f"{share}, about {_duration(whole)} left"
        return f"{share}, {_duration(rest)} left of it"


def _count(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

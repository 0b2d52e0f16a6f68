"""What climbs by gradients have in common: downhill for an optimiser, and the account of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from mixtura.records import Array
from mixtura.solvers.charted import Charted, Point
from mixtura.solvers.climb import Climb
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem

# The gap is judged by the flattest of so many last steps.
MEMORY = 20
# An evaluation without a finite density counts as this many nats per row worse than the start.
NOWHERE = 1e3
# Where no step leads up, a gap within this factor of the tolerance or of rounding is the top.
SLACK = 100.0


class Descent:
    """One climb by gradients, possibly over several charts, from a chart's centre."""

    # What rises, in words.
    what: ClassVar[str] = "log-likelihood"

    def __init__(self, problem: Problem, here: Charted) -> None:
        self.model, self.tol = problem.model, problem.tol
        self.book = self.begun(problem, here.centre)
        self.stopped: str | None = None
        self.open(here)

    def begun(self, problem: Problem, point: Point) -> Logbook:
        """Note where the climb begins."""
        return Logbook(problem, point.summary)

    def open(self, here: Charted) -> None:
        """Begin at a chart's centre: what was learnt in another chart is forgotten."""
        self.last, self.rising = here.centre, False
        self.stretches: deque[float] = deque(maxlen=MEMORY)

    def exhausted(self) -> None:
        """No step leads up any more: rounding at the top, a failure elsewhere."""
        book = self.book
        if not self.stretches:
            # Begun where the slope vanishes; what kind of point that is, the curvature will say.
            book.gap = 0.5 * float(self.last.gradient @ self.last.gradient)
        least = max(self.tol, book.ascent.rounding)
        if self.tol > 0 and book.gap <= SLACK * least:
            # What was learnt there of flatness is rounding; the curvature will say.
            book.gap = min(book.gap, least)
            book.reason = f"converged: no step raises the {self.what} beyond rounding"
        else:
            self.stopped = f"stopped: no step along the gradient raises the {self.what}"

    def gap_at(self, gradient: Array) -> float:
        """Half g' H^-1 g, the hill nowhere flatter than in the flattest direction met.

        And nowhere steeper than with known labels, where the information is the identity.
        """
        if self.rising:
            return math.inf
        return 0.5 * float(gradient @ gradient) * max([1.0, *self.stretches])

    def learn(self, step: Array, change: Array) -> None:
        """Note how flat the hill is along a step; where the slope rose the top is not near."""
        if step @ change > 0:
            self.stretches.append(float((step @ step) / (step @ change)))
        else:
            self.rising = True

    def accept(self, point: Point) -> bool:
        """The climb has come to `point`: record it; whether it goes on from there."""
        self.learn(point.free - self.last.free, self.last.gradient - point.gradient)
        self.note(point)
        self.last = point
        self.book.judge(self.gap_at(point.gradient))
        self.rising = False
        return self.book.left > 0

    def note(self, point: Point) -> None:
        """Record a point that is no singularity."""
        self.model.refuse_collapse(point.summary, point.params)
        self.book.note(point.params, point.summary, self.last.params, value=point.value)

    def finished(self, ran: str) -> Climb:
        """The climb that ended at the last point."""
        return self.book.finish(self.last.params, self.last.summary, ran, stopped=self.stopped)


def downhill(here: Charted) -> Callable[[Array], tuple[float, Array]]:
    """Minus the objective per row and its gradient, for an optimiser that goes down."""
    worst = -here.centre.value / here.centre.summary.weight + NOWHERE

    def at(free: Array) -> tuple[float, Array]:
        point = here.at(free)
        if point is None:
            return worst, np.zeros_like(free)
        return -point.value / point.summary.weight, -point.gradient

    return at

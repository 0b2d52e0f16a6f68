"""What climbs by gradients have in common: downhill for an optimiser, and the account of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from mixtura.fit.charted import Charted, Point
from mixtura.fit.climb import Climb, OnStep, finish, rounding_between, why_converged
from mixtura.fit.convergence import Ascent
from mixtura.models.base import Model
from mixtura.records import Array

# The gap is judged by the flattest of so many last steps.
MEMORY = 20
# An evaluation without a finite density counts as this many nats per row worse than the start.
NOWHERE = 1e3
# Where no step leads up, a gap within this factor of the tolerance or of rounding is the top.
SLACK = 100.0


class Descent:
    """One climb by gradients, possibly over several charts."""

    def __init__(self, model: Model, tol: float, max_iter: int, on_step: OnStep | None) -> None:
        self.model, self.tol, self.left, self.on_step = model, tol, max_iter, on_step
        self.logliks: list[float] = []
        self.reason: str | None = None
        self.stopped: str | None = None
        self.gap = math.inf

    def begin(self, point: Point, earlier: tuple[float, ...]) -> None:
        """Note where the climb begins."""
        self.ascent = Ascent(point.summary.weight, True, earlier)
        self.ascent.add(point.value)
        self.logliks.append(point.summary.loglik)
        self.last = point

    def open(self, here: Charted) -> None:
        """Begin at a chart's centre: what was learnt in another chart is forgotten."""
        self.last, self.rising = here.centre, False
        self.stretches: deque[float] = deque(maxlen=MEMORY)

    def exhausted(self) -> None:
        """No step leads up any more: rounding at the top, a failure elsewhere."""
        if not self.stretches:
            # Begun where the slope vanishes; what kind of point that is, the curvature will say.
            self.gap = 0.5 * float(self.last.gradient @ self.last.gradient)
        if self.tol > 0 and self.gap <= SLACK * max(self.tol, self.ascent.rounding):
            self.reason = "converged: no step raises the log-likelihood beyond rounding"
        else:
            self.stopped = "stopped: no step along the gradient raises the log-likelihood"

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

    def accept(self, point: Point) -> None:
        """The climb has come to `point`: record it, and see whether this is the top."""
        self.model.refuse_collapse(point.summary, point.params)
        self.learn(point.free - self.last.free, self.last.gradient - point.gradient)
        weight = point.summary.weight
        rounding = rounding_between(self.model, weight, self.last.params, point.params)
        self.last = point
        self.left -= 1
        self.ascent.add(point.value, rounding)
        self.logliks.append(point.summary.loglik)
        self.gap = self.gap_at(point.gradient)
        self.rising = False
        if self.on_step is not None:
            self.on_step(len(self.logliks) - 1, self.ascent.gain)
        if self.ascent.within(self.gap, self.tol):
            self.reason = why_converged(self.ascent, self.gap, self.tol)

    def finished(self, earlier: tuple[float, ...], max_iter: int, ran: str) -> Climb:
        """The climb that ended at the last point."""
        return finish(
            self.model,
            self.last.params,
            self.last.summary,
            logliks=self.logliks,
            earlier=earlier,
            reason=self.reason,
            stopped=self.stopped,
            max_iter=max_iter,
            gap=self.gap,
            ran=ran,
        )


def downhill(here: Charted) -> Callable[[Array], tuple[float, Array]]:
    """Minus the objective per row and its gradient, for an optimiser that goes down."""
    worst = -here.centre.value / here.centre.summary.weight + NOWHERE

    def at(free: Array) -> tuple[float, Array]:
        point = here.at(free)
        if point is None:
            return worst, np.zeros_like(free)
        return -point.value / point.summary.weight, -point.gradient

    return at

"""Direct maximum likelihood: L-BFGS on free parameters, its gradient from the EM summary.

By Fisher's identity the gradient of the observed log-likelihood is that of the expected complete
one, so each evaluation is the very pass EM makes. In the chart's units the complete-data
information is the identity: the first direction is EM's step, and the memory learns what EM does
not know, the information lost with the labels.

References: Fisher's identity in Dempster, Laird & Rubin (1977), discussion; Liu & Nocedal (1989),
Mathematical Programming 45; the optimiser is SciPy's L-BFGS-B.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from mixtura.fit.charted import Charted, Point
from mixtura.fit.climb import Climb, OnStep, SweepLike, finish, joined, why_converged
from mixtura.fit.convergence import Ascent
from mixtura.models.base import Model
from mixtura.records import Array, Summary

# Pairs of steps and gradient changes remembered.
MEMORY = 20
# An evaluation without a finite density counts as this many nats per row worse than the start.
NOWHERE = 1e3
# Where no step leads up, a gap within this factor of the tolerance or of rounding is the top.
SLACK = 100.0
# A chart's edge, as a share of its radius.
EDGE = 0.999
# Charts are renewed at most this often when a climb runs to the edge of one.
CHARTS = 20


def lbfgs(
    model: Model,
    sweep: SweepLike,
    params: Any,
    *,
    tol: float,
    max_iter: int,
    history: Iterable[float] = (),
    on_step: OnStep | None = None,
    summary: Summary | None = None,
) -> Climb:
    """Climb from `params` by at most `max_iter` quasi-Newton steps; see `climb.Solver`.

    Never accepts a point below the last one. Guarantees a stationary point of the basin its line
    search ends in, which need not be the one EM would have chosen.
    """
    summary = summary or sweep(params)
    descent = Descent(model, tol, max_iter, on_step)
    here = Charted.around(model, sweep, params, summary)
    earlier = joined(history, here.centre.value, summary.weight)
    descent.begin(here.centre, earlier)
    point = here.centre
    for _ in range(CHARTS if max_iter > 0 else 0):
        point = descent.run(here)
        if descent.reason is not None or descent.left <= 0:
            break
        at_edge = np.any(np.abs(point.free) >= EDGE * here.chart.radius)
        if point.value <= here.centre.value or not at_edge:
            descent.exhausted()
            break
        here = Charted.around(model, sweep, point.params, point.summary)
    else:
        if max_iter > 0:
            descent.stopped = f"stopped: the climb left {CHARTS} charts behind without an end"
    return finish(
        model,
        point.params,
        point.summary,
        logliks=descent.logliks,
        earlier=earlier,
        reason=descent.reason,
        stopped=descent.stopped,
        max_iter=max_iter,
        gap=descent.gap,
        ran="lbfgs",
    )


class Descent:
    """One L-BFGS climb, possibly over several charts."""

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

    def run(self, here: Charted) -> Point:
        """Climb in one chart until its edge, the top, or the last step allowed."""
        self.open(here)
        worst = -here.centre.value / here.centre.summary.weight + NOWHERE

        def downhill(free: Array) -> tuple[float, Array]:
            point = here.at(free)
            if point is None:
                return worst, np.zeros_like(free)
            return -point.value / point.summary.weight, -point.gradient

        def stepped(intermediate_result: OptimizeResult) -> None:
            point = here.at(np.asarray(intermediate_result.x))
            assert point is not None
            here.met.clear()
            self.accept(point)
            if self.reason is not None or self.left <= 0:
                raise StopIteration

        radius = here.chart.radius
        minimize(
            downhill,
            np.zeros(here.chart.size),
            jac=True,
            method="L-BFGS-B",
            bounds=np.column_stack([-radius, radius]),
            callback=stepped,
            options={"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxiter": self.left},
        )
        return self.last

    def accept(self, point: Point) -> None:
        """The climb has come to `point`: record it, and see whether this is the top."""
        self.model.refuse_collapse(point.summary, point.params)
        self.learn(point.free - self.last.free, self.last.gradient - point.gradient)
        self.last = point
        self.left -= 1
        self.ascent.add(point.value)
        self.logliks.append(point.summary.loglik)
        self.gap = self.gap_at(point.gradient)
        self.rising = False
        if self.on_step is not None:
            self.on_step(len(self.logliks) - 1, self.ascent.gain)
        if self.ascent.within(self.gap, self.tol):
            self.reason = why_converged(self.ascent, self.gap, self.tol)

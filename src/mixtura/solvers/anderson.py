"""Restarted, damped Anderson acceleration of EM with a monotone safeguard (DAAREM).

Henderson & Varadhan (2019), Journal of Computational and Graphical Statistics 28: the next point
is the combination of the last few whose EM steps would cancel, damped by a ridge that relaxes as
steps are accepted, restarted every few steps, and replaced by EM's step where the likelihood
would fall. Coordinates are those of a chart renewed at every restart.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from mixtura.records import Array
from mixtura.solvers.charted import Charted
from mixtura.solvers.climb import Climb
from mixtura.solvers.generalised import risen
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem
from mixtura.solvers.squarem import sound

# The most steps combined, and the constants of the damping in the source.
ORDER = 10
KAPPA, ALPHA = 25.0, 1.2
# How often Newton's method refines the ridge, and to what relative accuracy.
RIDGE_STEPS, RIDGE_ACCURACY = 10, 0.05
# Changes this small beside the largest tell nothing new, and these not a number's square.
DEPENDENT, NOTHING = 1e-12, 1e-100


def anderson(problem: Problem) -> Climb:
    """Climb by at most `max_iter` steps of one pass or two; see `problem.Solver`.

    Monotone. It looks for a point that EM leaves alone, and saddles are such points too: started
    far from an optimum it may end lower than EM would, so it is best begun near one.
    """
    model, sweep, summary = problem.model, problem.sweep, problem.first()
    book = Logbook(problem, summary)
    here = Charted.around(model, sweep, problem.params, summary)
    point, trail, accepted = here.centre, Trail(), 0.0
    before_cycle = point.value
    slowest: deque[float] = deque(maxlen=2 * ORDER)
    while book.left:
        last, target = point, model.m_step(point.summary, point.params)
        residual = here.chart.coordinates(target) - point.free
        trail.add(point.free, residual)
        damping = 1.0 / (1.0 + ALPHA ** (KAPPA - accepted))
        leap, gap = None, book.gap
        if trail.steps:
            leap = here.at(trail.proposal(damping))
            # Half f' (I - J)^-1 f, EM nowhere slower than along the slowest step met.
            slowest.append(trail.stretch())
            gap = 0.5 * float(residual @ residual) * max(1.0, *slowest)
        if (
            leap is not None
            and leap.value >= point.value
            and sound(model, leap.params, leap.summary)
        ):
            point, accepted = leap, accepted + 1
        else:
            nxt = here.at(here.chart.coordinates(target))
            if nxt is None or nxt.value < point.value:
                # Free coordinates come near an empty component but never reach it: EM does.
                end = risen(model, sweep, last.params, last.summary, target)
                here, trail = Charted.around(model, sweep, *end), Trail()
                nxt = here.centre
            point = nxt
        book.note(point.params, point.summary, last.params, value=point.value)
        book.judge(gap)
        if trail.full(ORDER):
            if point.value < before_cycle:
                accepted = max(accepted - ORDER, -2 * KAPPA)
            before_cycle = point.value
            here = Charted.around(model, sweep, point.params, point.summary)
            point, trail = here.centre, Trail()
    return book.finish(point.params, point.summary, "anderson")


class Trail:
    """The points of one cycle and EM's step from each."""

    def __init__(self) -> None:
        self.steps: list[Array] = []
        self.changes: list[Array] = []
        self._last: tuple[Array, Array] | None = None

    def add(self, free: Array, residual: Array) -> None:
        """The next point, and EM's step there."""
        if self._last is not None:
            self.steps.append(free - self._last[0])
            self.changes.append(residual - self._last[1])
        self._last = free, residual

    def full(self, order: int) -> bool:
        """Whether the cycle is over."""
        return len(self.steps) >= order

    def proposal(self, damping: float) -> Array:
        """The point whose EM step should vanish."""
        assert self._last is not None
        free, f = self._last
        dX, dF = np.column_stack(self.steps), np.column_stack(self.changes)
        U, s, Vt = np.linalg.svd(dF, full_matrices=False)
        usable = s > max(DEPENDENT * s[0], NOTHING)
        if not usable.any():
            return np.asarray(free + f)
        b = (U.T @ f)[usable]
        s, Vt = s[usable], Vt[usable]
        ridge = _ridge(b, s, damping)
        g = Vt.T @ (s * b / (s * s + ridge))
        return np.asarray(free + f - (dX + dF) @ g)

    def stretch(self) -> float:
        """How many EM steps as long as the last would make up what EM's step lost along it."""
        lost = float(np.linalg.norm(self.changes[-1]))
        return float(np.linalg.norm(self.steps[-1])) / max(lost, 1e-300)


def _ridge(b: Array, s: Array, damping: float) -> float:
    """lambda such that |g_lambda|^2 = damping |g_0|^2, by Newton on 1 / |g_lambda|."""
    goal = damping * float(np.sum((b / s) ** 2))
    low, high = 0.0, float(s[0] ** 2) * 1e6
    if damping >= 1.0 or goal <= 0:
        return 0.0
    ridge = float(s[-1] ** 2)
    for _ in range(RIDGE_STEPS):
        terms = s * b / (s * s + ridge)
        size = float(terms @ terms)
        if abs(size - goal) <= RIDGE_ACCURACY * goal:
            break
        low, high = (ridge, high) if size > goal else (low, ridge)
        slope = -2.0 * float(np.sum(terms * terms / (s * s + ridge)))
        # Newton on 1/sqrt(size), which is nearly linear in lambda (More & Sorensen).
        ridge += 2.0 * size / slope * (1.0 - np.sqrt(size / goal))
        if not low < ridge < high:
            ridge = 0.5 * (low + high) if low == 0.0 else float(np.sqrt(low * high))
    return ridge

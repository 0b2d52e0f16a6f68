"""A climb written down while it runs: what rises, step by step, and why it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mixtura.records import Summary
from mixtura.solvers.climb import Climb, directional, objective_at
from mixtura.solvers.convergence import ROUNDING, Ascent
from mixtura.solvers.problem import Problem

# How much of an earlier climb is worth remembering: enough for the ratios of the gains.
HISTORY = 8


class Logbook:
    """The steps of one climb, its gap and the reason that ended it, None while it goes on.

    What rises is the objective, or another criterion (`what` in words) whose first `value` is
    given; the log-likelihoods are noted beside it.
    """

    def __init__(
        self,
        problem: Problem,
        summary: Summary,
        value: float | None = None,
        monotone: bool | None = None,
        what: str = "",
    ) -> None:
        self.problem, self.model, self.what = problem, problem.model, what
        objective = objective_at(self.model, summary, problem.params)
        self.earlier = self._joined(objective, summary.weight)
        self.ascent = Ascent(
            summary.weight,
            self.model.monotone if monotone is None else monotone,
            self.earlier if value is None else (),
            self.model.numberless,
        )
        self.ascent.add(objective if value is None else value)
        self.logliks = [summary.loglik]
        self._known = problem.params, summary, objective
        self._slope: tuple[Any, float] | None = None
        self.reason: str | None = None
        self.gap = math.inf

    def _joined(self, first: float, weight: float) -> tuple[float, ...]:
        """The earlier climb's values, if it did end where this one begins."""
        values = tuple(self.problem.history)[-HISTORY:]
        if values and abs(values[-1] - first) <= ROUNDING * (weight + abs(first)):
            return values[:-1]
        return ()

    @property
    def value(self) -> float:
        """What rises, where the climb is."""
        return self.ascent.values[-1]

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self.logliks) - 1

    @property
    def left(self) -> int:
        """Steps that may still be taken; none after the end, or when the time is over."""
        return 0 if self.reason or self.problem.late else max(0, self.problem.max_iter - self.steps)

    def note(
        self,
        params: Any,
        summary: Summary,
        *before: Any,
        value: float | None = None,
        between: Sequence[float] = (),
    ) -> None:
        """A step has led to `params`, from the points `before`; raises LikelihoodFell on a fall.

        `value` is given where it is known or not the objective; `between` are log-likelihoods met
        on the way, which tell what rose there unless it is penalised.
        """
        if value is None:
            value = objective_at(self.model, summary, params)
            self._known = params, summary, value
        met = between if value == summary.loglik else ()
        points = (params, *before)
        self.ascent.extend(
            [*met, value], lambda: summary.weight * max(map(self.model.rounding, points))
        )
        self.logliks += [*between, summary.loglik]
        if self.problem.on_step is not None:
            self.problem.on_step(self.steps, self.ascent.gain)

    def slope(self, summary: Summary, params: Any) -> float:
        """`directional`, which takes an M-step, asked once of a point."""
        if self._slope is None or self._slope[0] is not summary:
            self._slope = summary, directional(self.model, summary, params)
        return self._slope[1]

    def judge(self, gap: float) -> None:
        """The climb has converged where this gap, told by the gradient, is small enough."""
        self.gap = gap
        if self.ascent.within(gap, self.problem.tol):
            self.reason = self.why()

    def judge_by_gains(self) -> None:
        """The same by the last gains alone, whose gap is known to rounding only."""
        self.gap, tol = self.ascent.gap, self.problem.tol
        if tol > 0 and self.gap <= max(tol, self.ascent.rounding):
            self.reason = self.why()

    def why(self) -> str:
        """The rule that ended the climb, in words."""
        if abs(self.ascent.gain) <= self.ascent.rounding:
            what = self.what or "log-likelihood"
            return f"converged: the last step changed the {what} by no more than rounding"
        return still_to_come(self.gap, self.problem.tol, self.what)

    def finish(
        self,
        params: Any,
        summary: Summary,
        ran: str,
        *,
        stopped: str | None = None,
        stationary: bool = True,
        brief: bool = False,
    ) -> Climb:
        """The climb that ended at `params`.

        `stopped` says why one that did not converge ended, if not for the limit of steps; `brief`
        spares the gradient's norm, which takes an M-step.
        """
        if self.problem.late:
            stopped = self.problem.clock.why
        norm = math.inf if brief else math.sqrt(self.slope(summary, params))
        at, of, objective = self._known
        if at is not params or of is not summary:
            objective = objective_at(self.model, summary, params)
        return Climb(
            params=params,
            summary=summary,
            logliks=(*self.logliks[:-1], summary.loglik),
            earlier=self.earlier,
            objective=objective,
            converged=self.reason is not None,
            reason=self.reason or stopped or self.problem.limit,
            gradient_norm=norm,
            gap=self.gap,
            ran=ran,
            stationary=stationary,
        )


def still_to_come(gap: float, tol: float, what: str = "") -> str:
    """That a climb has converged, for so little is left to gain."""
    gain = f"gain of {what}" if what else "gain"
    return f"converged: the estimated {gain} still to come, {gap:.2g} per row, is below {tol:.2g}"

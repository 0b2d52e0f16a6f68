"""What every solver is given, and what it hands back: the sweep, the climb, its last words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mixtura.data.source import Source
from mixtura.errors import FAILURES
from mixtura.fit.convergence import ROUNDING, Ascent
from mixtura.models.base import Labelled, Model
from mixtura.records import Array, Chunk, Params, Summary, difference, inner


class SweepLike(Protocol):
    """What a climb needs of an engine; see engines.base.Sweep."""

    stride: int
    passes: int
    rows: Source

    def __call__(self, params: Any) -> Summary: ...

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Params, Summary, list[float]]: ...

    def begun(self, model: Labelled, resp: Array, params: Any) -> tuple[Params, Summary]: ...

    def folded(self, step: Callable[[Chunk], Summary]) -> Summary: ...

    def over(self, rows: Source) -> SweepLike: ...

    def remark(self, params: Any, summary: Summary) -> str: ...


# How much of an earlier climb is worth remembering: enough for the ratios of the gains.
HISTORY = 8
# Called after every step with (iterations so far, gain per row of the last step).
OnStep = Callable[[int, float], None]


@dataclass(frozen=True)
class Climb:
    """Where one climb ended.

    summary is that of `params`; logliks holds the total log-likelihood at the start and after
    each step, earlier the part of the history that led up to them, objective the last one plus
    the log-prior; gradient_norm and gap as in `Fit`; ran names the solvers that took the steps;
    stationary is False where a solver that converged does not look for a maximum of the likelihood.
    """

    params: Any
    summary: Summary
    logliks: tuple[float, ...]
    earlier: tuple[float, ...]
    objective: float
    converged: bool
    reason: str
    gradient_norm: float
    gap: float
    ran: str = "em"
    stationary: bool = True

    @property
    def iterations(self) -> int:
        """Steps taken."""
        return len(self.logliks) - 1

    @property
    def at_rounding(self) -> bool:
        """Whether what is left to gain is no more than a log-likelihood's rounding."""
        mean = abs(self.objective) / self.summary.weight
        return self.gap <= 2 * ROUNDING * (1.0 + mean)

    def followed(self, after: Climb, *, jump: bool = False) -> Climb:
        """This climb and the one that went on from its end, as one; a `jump` between is a step."""
        ran = self.ran if after.ran in self.ran.split(", ") else f"{self.ran}, {after.ran}"
        logliks = (*self.logliks, *after.logliks[0 if jump else 1 :])
        return replace(after, logliks=logliks, earlier=self.earlier, ran=ran)

    def onward(self, on_step: OnStep | None) -> OnStep | None:
        """What a climb that goes on from here is to call: its steps are counted on."""
        if on_step is None:
            return None
        return lambda steps, gain: on_step(self.iterations + steps, gain)


class Solver(Protocol):
    """Climbs from given parameters to a stationary point of the objective.

    Takes at most `max_iter` steps; stops when the estimated gain still to come, per row, is at
    most `tol`; `tol=0` asks for the steps themselves, and ends early only where rounding leaves an
    optimiser no step to take. `history` are objectives of an earlier climb, used if
    it ended at `params`; `on_step` is told of every step; `summary` is that of `params` where it is
    already known. Raises one of `errors.FAILURES`.
    """

    def __call__(
        self,
        model: Model,
        sweep: SweepLike,
        params: Any,
        *,
        tol: float,
        max_iter: int,
        history: Iterable[float] = (),
        on_step: OnStep | None = None,
        summary: Summary | None = None,
    ) -> Climb: ...


def objective_at(model: Model, summary: Summary, params: Any) -> float:
    """The log-likelihood plus the log-prior."""
    return summary.loglik + model.log_prior(params)


def rounding_between(model: Model, weight: float, *points: Any) -> Callable[[], float]:
    """What rounding may take from the objective in a step between these points, when asked."""
    return lambda: weight * max(model.rounding(params) for params in points)


def joined(history: Iterable[float], first: float, weight: float) -> tuple[float, ...]:
    """The earlier climb's values, if it did end where this one begins."""
    values = tuple(history)[-HISTORY:]
    if values and abs(values[-1] - first) <= ROUNDING * (weight + abs(first)):
        return values[:-1]
    return ()


def directional(model: Model, summary: Summary, params: Any) -> float:
    """The objective's slope along EM's own step, per row.

    EM's step is the gradient times a positive definite matrix, near an optimum the inverse of the
    complete-data information (Xu & Jordan 1996, Neural Computation 8), so the slope is a squared
    gradient norm that does not depend on units, and at most twice the gap to the optimum.
    Infinite where EM has no step to take because a component would collapse; NaN for a model
    without a score.
    """
    if not model.scored:
        return math.nan
    try:
        step = difference(model.m_step(summary, params), params)
    except FAILURES:
        return math.inf
    return max(0.0, inner(model.score(summary, params), step) / summary.weight)


def finish(
    model: Model,
    params: Any,
    summary: Summary,
    *,
    logliks: Iterable[float],
    earlier: tuple[float, ...] = (),
    reason: str | None,
    max_iter: int,
    gap: float,
    ran: str,
    stopped: str | None = None,
    stationary: bool = True,
    objective: float | None = None,
    brief: bool = False,
) -> Climb:
    """The climb that ended at `params`.

    reason says why it converged, None that it did not; then `stopped` says why it ended, if not
    for the limit of steps. `objective` is that of `params`, where it is known; `brief` spares the
    gradient's norm, which takes an M-step.
    """
    return Climb(
        params=params,
        summary=summary,
        logliks=tuple(logliks),
        earlier=earlier,
        objective=objective_at(model, summary, params) if objective is None else objective,
        converged=reason is not None,
        reason=reason or stopped or f"stopped: max_iter={max_iter} steps were taken",
        gradient_norm=math.inf if brief else math.sqrt(directional(model, summary, params)),
        gap=gap,
        ran=ran,
        stationary=stationary,
    )


def why_converged(ascent: Ascent, gap: float, tol: float) -> str:
    """The rule that ended a climb, in words."""
    if abs(ascent.gain) <= ascent.rounding:
        return "converged: the last step changed the log-likelihood by no more than rounding"
    return f"converged: the estimated gain still to come, {gap:.2g} per row, is below {tol:.2g}"

"""The EM loop: params = m_step(sweep(params)), repeated, and checked while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from mixtura.errors import FitError
from mixtura.fit.convergence import ROUNDING, Ascent
from mixtura.models.base import Model
from mixtura.records import Params, Summary, difference, inner


class SweepLike(Protocol):
    """What a climb needs of an engine; see engines.base.Sweep."""

    stride: int
    passes: int

    def __call__(self, params: Any) -> Summary: ...

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Params, list[float]]: ...


# How much of an earlier climb is worth remembering: enough for the ratios of the gains.
HISTORY = 8
# Called after every step with (iterations so far, gain per row of the last step).
OnStep = Callable[[int, float], None]


@dataclass(frozen=True)
class Climb:
    """Where one climb ended.

    summary is that of `params`; logliks holds the total log-likelihood at the start and after
    each step, earlier the part of the history that led up to them, objective the last one plus
    the log-prior; gradient_norm and gap as in `Fit`.
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

    @property
    def iterations(self) -> int:
        """EM steps taken."""
        return len(self.logliks) - 1


def em(
    model: Model,
    sweep: SweepLike,
    params: Any,
    *,
    tol: float,
    max_iter: int,
    history: Iterable[float] = (),
    on_step: OnStep | None = None,
) -> Climb:
    """Climb from `params` by at most `max_iter` EM steps.

    Stops when the estimated gain still to come, per row, is at most `tol` and the gradient agrees
    (see `directional`); `tol=0` never stops early. `history` are objectives of an earlier climb,
    used if it ended at `params`. Raises LikelihoodFell if a step lowers the objective by more
    than rounding.
    """
    summary = sweep(params)
    objective = summary.loglik + model.log_prior(params)
    earlier = _joined(history, objective, summary.weight)
    ascent = Ascent(summary.weight, model.monotone, earlier)
    ascent.add(objective)
    logliks = [summary.loglik]
    reason = None
    while reason is None and len(logliks) <= max_iter:
        steps = min(sweep.stride, max_iter + 1 - len(logliks))
        params, between = sweep.advance(model, params, summary, steps)
        summary = sweep(params)
        logliks += [*between, summary.loglik]
        prior = model.log_prior(params)
        for value in (*(between if prior == 0 else ()), summary.loglik + prior):
            ascent.add(value)
        if on_step is not None:
            on_step(len(logliks) - 1, ascent.gain)
        if tol > 0 and ascent.gap <= max(tol, ascent.rounding):
            slope = directional(model, summary, params)
            if slope <= max(2 * tol, ascent.rounding):
                reason = _reason(ascent, tol)
    return Climb(
        params=params,
        summary=summary,
        logliks=tuple(logliks),
        earlier=earlier,
        objective=ascent.values[-1],
        converged=reason is not None,
        reason=reason or f"stopped: max_iter={max_iter} steps were taken",
        gradient_norm=math.sqrt(directional(model, summary, params)),
        gap=ascent.gap,
    )


def _joined(history: Iterable[float], first: float, weight: float) -> tuple[float, ...]:
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
    Infinite where EM has no step to take because a component would collapse.
    """
    try:
        step = difference(model.m_step(summary, params), params)
    except FitError:
        return math.inf
    return max(0.0, inner(model.score(summary, params), step) / summary.weight)


def _reason(ascent: Ascent, tol: float) -> str:
    if abs(ascent.gain) <= ascent.rounding:
        return "converged: the last step changed the log-likelihood by no more than rounding"
    return (
        f"converged: the estimated gain still to come, {ascent.gap:.2g} per row, is below {tol:g}"
    )

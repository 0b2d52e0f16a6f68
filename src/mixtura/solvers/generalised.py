"""Generalised EM: an M-step that may overshoot is halved until the objective does not fall.

Dempster, Laird & Rubin (1977), section 2: EM rises by any step that raises the expected
log-likelihood, so one damped Newton step will do where the M-step has no closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mixtura.models.base import Model
from mixtura.records import Params, Summary, difference
from mixtura.solvers.charted import evaluated
from mixtura.solvers.climb import objective_at
from mixtura.solvers.convergence import ROUNDING
from mixtura.solvers.problem import SweepLike

# A step is halved at most so often.
HALVINGS = 20


def advanced(
    model: Model, sweep: SweepLike, params: Any, summary: Summary, steps: int
) -> tuple[Params, Summary, list[float]]:
    """`Sweep.advance`, with steps that do not lower the objective."""
    if not model.generalised:
        return sweep.advance(model, params, summary, steps)
    logliks = []
    for _ in range(steps):
        target = model.m_step(summary, params)
        params, summary = risen(model, sweep, params, summary, target)
        logliks.append(summary.loglik)
    return params, summary, logliks[:-1]


def risen(
    model: Model, sweep: SweepLike, params: Any, summary: Summary, target: Any
) -> tuple[Any, Summary]:
    """(where the M-step's way from `params` to `target` is followed to, the summary there).

    To its end, but for a generalised model: then to the first of the end, the half, the quarter,
    ... where the objective is not below that of `params`. The way is straight in the chart, in the
    natural arrays where there is none; each point costs a pass.
    """
    if not model.generalised:
        return target, sweep(target)
    value = objective_at(model, summary, params)
    least = value - ROUNDING * (summary.weight + abs(value))
    way = _way(model, params, target)
    for halvings in range(HALVINGS):
        met = evaluated(model, sweep, partial(way, 0.5**halvings))
        if met is not None and met[2] >= least:
            return met[:2]
    model.refuse_inadmissible(target)
    # No rise to be found: what is wrong is said where the step is noted.
    last = way(0.5**HALVINGS)
    return last, sweep(last)


def _way(model: Model, params: Any, target: Any) -> Callable[[float], Any]:
    """The point after a share of the way."""
    if model.extrapolates:
        chart = model.chart(params)
        free = chart.coordinates(target)
        return lambda share: target if share == 1.0 else chart.params(share * free)
    before, step = params.arrays(), difference(target, params)

    def at(share: float) -> Any:
        if share == 1.0:
            return target
        return model.with_arrays(params, {name: before[name] + share * step[name] for name in step})

    return at

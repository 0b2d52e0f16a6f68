"""The EM loop: params = m_step(sweep(params)), repeated, and checked while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mixtura.fit.climb import (
    Climb,
    OnStep,
    SweepLike,
    directional,
    finish,
    joined,
    objective_at,
    why_converged,
)
from mixtura.fit.convergence import Ascent
from mixtura.models.base import Model
from mixtura.records import Summary


def em(
    model: Model,
    sweep: SweepLike,
    params: Any,
    *,
    tol: float,
    max_iter: int,
    history: Iterable[float] = (),
    on_step: OnStep | None = None,
    summary: Summary | None = None,
    brief: bool = False,
) -> Climb:
    """Climb from `params` by at most `max_iter` EM steps; see `climb.Solver`.

    Stops when the estimated gain still to come, per row, is at most `tol` and the gradient agrees
    (see `directional`). Raises LikelihoodFell if a step lowers the objective by more than rounding.
    `brief` spares the gradient at the end: its norm is then infinite.
    """
    summary = summary or sweep(params)
    objective = objective_at(model, summary, params)
    earlier = joined(history, objective, summary.weight)
    ascent = Ascent(summary.weight, model.monotone, earlier)
    ascent.add(objective)
    logliks = [summary.loglik]
    reason, gap = None, math.inf
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
        # A penalised objective is known only where the engine hands its parameters out: a last
        # block that is shorter than the others says nothing of the ratio of the gains.
        gap = ascent.gap if prior == 0 or steps == sweep.stride else math.inf
        if tol > 0 and gap <= max(tol, ascent.rounding):
            slope = directional(model, summary, params)
            if slope <= max(2 * tol, ascent.rounding):
                reason = why_converged(ascent, gap, tol)
    return finish(
        model,
        params,
        summary,
        logliks=logliks,
        earlier=earlier,
        reason=reason,
        max_iter=max_iter,
        gap=gap,
        ran="em",
        brief=brief,
    )

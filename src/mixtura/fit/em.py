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
    rounding_between,
    why_converged,
)
from mixtura.fit.convergence import Ascent
from mixtura.models.base import Model
from mixtura.records import Summary

# Where an engine takes several steps at a time, a judgement costs as much as about
# _JUDGED / (numbers in the table) / 2 of them, and half a block is taken in vain. So blocks of the
# root of that cost times twice the steps taken waste least. The first steps are judged as asked:
# most climbs end there.
_FIRST, _JUDGED = 24, 1 << 16
# A gap judged by gains alone may be so many times as large.
UNSEEN = 3.0


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
    `brief` spares the gradient: a short run on a plateau is then taken for converged, and the
    norm at its end is infinite.
    """
    summary = summary or sweep(params)
    objective = objective_at(model, summary, params)
    earlier = joined(history, objective, summary.weight)
    ascent = Ascent(summary.weight, model.monotone, earlier)
    ascent.add(objective)
    logliks = [summary.loglik]
    reason, gap = None, math.inf
    # Where nobody looks at the curvature afterwards a slower direction may still show.
    enough = tol / UNSEEN if not brief and model.obstacle() else tol
    # A penalised objective is known only where the engine hands its parameters out, and ratios of
    # its gains mean something only where those are equally far apart.
    penalised = objective != summary.loglik
    while reason is None and len(logliks) <= max_iter:
        whole = sweep.stride if penalised else _stride(sweep, len(logliks) - 1)
        steps = min(whole, max_iter + 1 - len(logliks))
        before = params
        params, summary, between = sweep.advance(model, params, summary, steps)
        logliks += [*between, summary.loglik]
        prior = model.log_prior(params)
        ascent.extend(
            [*(between if prior == 0 else ()), summary.loglik + prior],
            rounding_between(model, summary.weight, before, params),
        )
        if on_step is not None:
            on_step(len(logliks) - 1, ascent.gain)
        gap = ascent.gap if prior == 0 or steps == whole else math.inf
        if tol > 0 and gap <= max(enough, ascent.rounding):
            judged = model.scored and not brief
            slope = directional(model, summary, params) if judged else 0.0
            if slope <= max(2 * enough, ascent.rounding):
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
        objective=ascent.values[-1],
        brief=brief,
    )


def _stride(sweep: SweepLike, taken: int) -> int:
    """EM steps until convergence is judged again."""
    if sweep.stride == 1 or taken < _FIRST:
        return sweep.stride
    return max(sweep.stride, math.isqrt(taken * _JUDGED // (sweep.rows.n * sweep.rows.d)))

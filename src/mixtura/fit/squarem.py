"""SQUAREM: EM with every second step extrapolated, and taken back if the likelihood would fall.

Scheme S3 of Varadhan & Roland (2008), Scandinavian Journal of Statistics 35: from p with
r = F(p) - p and v = F(F(p)) - 2 F(p) + p the leap is p + 2 a r + a^2 v with a = |r| / |v|. The leap
is made in a chart around p, so its length has no units and every leap is admissible. The pass
that judges a leap is also the next cycle's first, so a cycle costs two passes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from mixtura.errors import FAILURES
from mixtura.fit.charted import Charted, Point
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

# The longest leap grows by this factor when it was used and accepted, shrinks when it failed.
GROWTH = 4.0
# The gap is judged by the slowest direction met in this many cycles.
CYCLES = 20


def squarem(
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
    """Climb from `params` by at most `max_iter` steps, two to a cycle; see `climb.Solver`.

    Monotone: a leap that would end below the EM step it extrapolates is replaced by EM's. Keeps
    EM's robustness at the edge of the parameters (weights near zero).
    """
    summary = summary or sweep(params)
    value = objective_at(model, summary, params)
    earlier = joined(history, value, summary.weight)
    ascent = Ascent(summary.weight, model.monotone, earlier)
    ascent.add(value)
    logliks, reason, gap = [summary.loglik], None, math.inf
    stretches: deque[float] = deque(maxlen=CYCLES)
    longest = 1.0

    def note(params: Any, summary: Summary, *before: Any) -> None:
        rounding = rounding_between(model, summary.weight, params, *before)
        ascent.add(objective_at(model, summary, params), rounding)
        logliks.append(summary.loglik)
        if on_step is not None:
            on_step(len(logliks) - 1, ascent.gain)

    while reason is None and len(logliks) <= max_iter:
        first = model.m_step(summary, params)
        between = sweep(first)
        note(first, between, params)
        if len(logliks) > max_iter:
            params, summary = first, between
            break
        second = model.m_step(between, first)
        chart = Charted.around(model, sweep, params, summary)
        r = chart.chart.coordinates(first)
        v = chart.chart.coordinates(second) - 2.0 * r
        stretch = float(np.linalg.norm(r) / max(float(np.linalg.norm(v)), 1e-300))
        stretches.append(stretch)
        a = min(max(stretch, 1.0), longest)
        leap = chart.at(2.0 * a * r + a * a * v) if a > 1.0 else None
        if leap is not None and leap.value >= ascent.values[-1] and sound(model, leap):
            params, summary = leap.params, leap.summary
            if a == longest:
                longest *= GROWTH
        else:
            params, summary = second, sweep(second)
            longest = max(1.0, longest / GROWTH) if a == longest and a > 1.0 else longest
            longest = GROWTH if longest == 1.0 else longest
        note(params, summary, first)
        # Half g' H^-1 g: the gradient is r in the chart's units, its slowest mode 1 / stretch.
        slope = directional(model, summary, params)
        gap = 0.5 * slope * max(1.0, *stretches) if model.scored else ascent.gap
        if ascent.within(gap, tol) or (not model.scored and 0 < gap <= max(tol, ascent.rounding)):
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
        ran="squarem",
    )


def sound(model: Model, leap: Point) -> bool:
    """Whether no component is collapsing there."""
    try:
        model.refuse_collapse(leap.summary, leap.params)
    except FAILURES:
        return False
    return True

"""SQUAREM: EM with every second step extrapolated, and taken back if the likelihood would fall.

Scheme S3 of Varadhan & Roland (2008), Scandinavian Journal of Statistics 35: from p with
r = F(p) - p and v = F(F(p)) - 2 F(p) + p the leap is p + 2 a r + a^2 v with a = |r| / |v|. The leap
is made in a chart around p, so its length has no units and every leap is admissible. The pass
that judges a leap is also the next cycle's first, so a cycle costs two passes.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import numpy as np

from mixtura.errors import FAILURES
from mixtura.models.base import Model
from mixtura.records import Summary
from mixtura.solvers.charted import evaluated
from mixtura.solvers.climb import Climb, directional
from mixtura.solvers.generalised import risen
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem

# The longest leap grows by this factor when it was used and accepted, shrinks when it failed.
GROWTH = 4.0
# The gap is judged by the slowest direction met in this many cycles.
CYCLES = 20


def squarem(problem: Problem) -> Climb:
    """Climb by at most `max_iter` steps, two to a cycle; see `problem.Solver`.

    Monotone: a leap that would end below the EM step it extrapolates is replaced by EM's. Keeps
    EM's robustness at the edge of the parameters (weights near zero).
    """
    model, sweep, params = problem.model, problem.sweep, problem.params
    summary = problem.first()
    book = Logbook(problem, summary)
    stretches: deque[float] = deque(maxlen=CYCLES)
    longest = 1.0
    while book.left:
        first, between = risen(model, sweep, params, summary, model.m_step(summary, params))
        book.note(first, between, params)
        if not book.left:
            params, summary = first, between
            break
        second = model.m_step(between, first)
        chart = model.chart(params)
        r = chart.coordinates(first)
        v = chart.coordinates(second) - 2.0 * r
        stretch = float(np.linalg.norm(r) / max(float(np.linalg.norm(v)), 1e-300))
        stretches.append(stretch)
        a = min(max(stretch, 1.0), longest)
        made = partial(chart.params, 2.0 * a * r + a * a * v)
        # No slope is asked for, so the leap is no point of a `Charted`.
        leap = evaluated(model, sweep, made) if a > 1.0 else None
        if leap is not None and leap[2] >= book.value and sound(model, *leap[:2]):
            params, summary = leap[:2]
            if a == longest:
                longest *= GROWTH
        else:
            params, summary = risen(model, sweep, first, between, second)
            longest = max(1.0, longest / GROWTH) if a == longest and a > 1.0 else longest
            longest = GROWTH if longest == 1.0 else longest
        book.note(params, summary, first)
        if model.scored:
            # Half g' H^-1 g: the gradient is r in the chart's units, its slowest mode 1 / stretch.
            slope = directional(model, summary, params)
            book.judge(0.5 * slope * max(1.0, *stretches))
        else:
            book.judge_by_gains()
    return book.finish(params, summary, "squarem")


def sound(model: Model, params: Any, summary: Summary) -> bool:
    """Whether no component is collapsing there."""
    try:
        model.refuse_collapse(summary, params)
    except FAILURES:
        return False
    return True

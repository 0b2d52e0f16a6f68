"""Direct maximum likelihood: L-BFGS on free parameters, its gradient from the EM summary.

By Fisher's identity the gradient of the observed log-likelihood is that of the expected complete
one, so each evaluation is the very pass EM makes. In the chart's units the complete-data
information is the identity: the first direction is EM's step, and the memory learns what EM does
not know, the information lost with the labels.

References: Fisher's identity in Dempster, Laird & Rubin (1977), discussion; Liu & Nocedal (1989),
Mathematical Programming 45; the optimiser is SciPy's L-BFGS-B.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from mixtura.fit.charted import Charted, Point
from mixtura.fit.climb import Climb, OnStep, SweepLike, joined
from mixtura.fit.descent import MEMORY, Descent, downhill
from mixtura.models.base import Model
from mixtura.records import Summary

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
        point = climb_in_chart(descent, here)
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
    return descent.finished(earlier, max_iter, "lbfgs")


def climb_in_chart(descent: Descent, here: Charted) -> Point:
    """Climb in one chart until its edge, the top, or the last step allowed."""
    descent.open(here)

    def stepped(intermediate_result: OptimizeResult) -> None:
        point = here.at(np.asarray(intermediate_result.x))
        assert point is not None
        here.met.clear()
        descent.accept(point)
        if descent.reason is not None or descent.left <= 0:
            raise StopIteration

    radius = here.chart.radius
    minimize(
        downhill(here),
        np.zeros(here.chart.size),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([-radius, radius]),
        callback=stepped,
        options={"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxiter": descent.left},
    )
    return descent.last

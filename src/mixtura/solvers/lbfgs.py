"""Direct maximum likelihood: L-BFGS on free parameters, its gradient from the EM summary.

By Fisher's identity the gradient of the observed log-likelihood is that of the expected complete
one, so each evaluation is the very pass EM makes. In the chart's units the complete-data
information is the identity: the first direction is EM's step, and the memory learns what EM does
not know, the information lost with the labels. Where that is slow to learn, `sphered` asks for all
of it: a pass for each free number.

References: Fisher's identity in Dempster, Laird & Rubin (1977), discussion; Liu & Nocedal (1989),
Mathematical Programming 45; the optimiser is SciPy's L-BFGS-B.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from mixtura.records import Array
from mixtura.solvers.charted import Charted, Point
from mixtura.solvers.climb import Climb
from mixtura.solvers.curvature import information_times, symmetric
from mixtura.solvers.descent import MEMORY, Axes, Descent, downhill
from mixtura.solvers.problem import Problem

# A chart's edge, as a share of its radius.
EDGE = 0.999
# Charts are renewed at most this often when a climb runs to the edge of one.
CHARTS = 20
# Steps between two looks at the whole information.
LEG = 40
# No direction is taken for flatter than this, where a step of 1 would go a hundred of EM's.
FLATTEST = 1e-4


def lbfgs(problem: Problem) -> Climb:
    """Climb by at most `max_iter` quasi-Newton steps; see `problem.Solver`.

    Never accepts a point below the last one. Guarantees a stationary point of the basin its line
    search ends in, which need not be the one EM would have chosen.
    """
    here = Charted.around(problem.model, problem.sweep, problem.params, problem.first())
    descent = Descent(problem, here)
    for _ in range(CHARTS if problem.max_iter > 0 else 0):
        descent.open(here)
        point = climb_in_chart(descent, here, descent.book.left)
        if not descent.book.left:
            break
        at_edge = np.any(np.abs(point.free) >= EDGE * here.chart.radius)
        if point.value <= here.centre.value or not at_edge:
            descent.exhausted()
            break
        here = Charted.around(problem.model, problem.sweep, point.params, point.summary)
    else:
        if problem.max_iter > 0:
            descent.stopped = f"stopped: the climb left {CHARTS} charts behind without an end"
    return descent.finished("lbfgs")


def sphered(problem: Problem) -> Climb:
    """L-BFGS in axes along which the observed information is 1; see `problem.Solver`.

    The information costs a pass for each free number, and is asked for anew every LEG steps. Where
    the hill rises along an axis its curvature is taken by its size, which leads away from saddles
    (Dauphin et al. 2014, Advances in Neural Information Processing Systems 27).
    """
    here = Charted.around(problem.model, problem.sweep, problem.params, problem.first())
    descent = Descent(problem, here)
    while descent.book.left:
        rows: list[Array] = []
        for axis in np.eye(here.chart.size):
            if problem.late:
                return descent.finished("sphered")
            rows.append(information_times(here, axis))
        known = symmetric(rows)
        if not np.isfinite(known).all():
            descent.exhausted()
            break
        values, vectors = np.linalg.eigh(known)
        descent.open(here, Axes(vectors, np.sqrt(np.maximum(np.abs(values), FLATTEST))))
        point = climb_in_chart(descent, here, min(LEG, descent.book.left))
        if not descent.book.left:
            break
        if point.value <= here.centre.value:
            descent.exhausted()
            break
        here = Charted.around(problem.model, problem.sweep, point.params, point.summary)
    return descent.finished("sphered")


def climb_in_chart(descent: Descent, here: Charted, steps: int) -> Point:
    """Climb in one chart until its edge, the top, or the last step allowed."""
    axes = descent.axes

    def stepped(intermediate_result: OptimizeResult) -> None:
        x = np.asarray(intermediate_result.x)
        point = here.at(x if axes is None else axes.free(x))
        assert point is not None
        here.met.clear()
        if not descent.accept(point):
            raise StopIteration

    radius = here.chart.radius
    minimize(
        downhill(here, axes),
        np.zeros(here.chart.size),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([-radius, radius]) if axes is None else None,
        callback=stepped,
        options={"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxiter": steps},
    )
    return descent.last

"""Direct maximum likelihood: L-BFGS on free parameters, its gradient from the EM summary.

By Fisher's identity the gradient of the observed log-likelihood is that of the expected complete
one, so each evaluation is the very pass EM makes. In the chart's units the complete-data
information is the identity: the first direction is EM's step, and the memory learns what EM does
not know, the information lost with the labels. Where that is slow to learn, `sphered` asks for all
of it.

References: Fisher's identity in Dempster, Laird & Rubin (1977), discussion; Liu & Nocedal (1989),
Mathematical Programming 45; the optimiser is SciPy's L-BFGS-B.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from mixtura.errors import FAILURES
from mixtura.records import Array
from mixtura.solvers.charted import Charted, Point
from mixtura.solvers.climb import Climb
from mixtura.solvers.curvature import information_times, symmetric
from mixtura.solvers.descent import MEMORY, Descent, downhill
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.solvers.turned import turned

# A chart's edge, as a share of its radius.
EDGE = 0.999
# Charts are renewed at most this often when a climb runs to the edge of one.
CHARTS = 20
# Steps between two looks at the whole information, where it is one look at the rows, and where it
# is many passes.
LEG, MANY = 20, 40
# A share of a row that is none where the information only makes axes: smallest eigenvalues then err
# by less than a hundredth of what is added to them.
ROUGHLY = 1e-6
# Added to the information in every direction, so that no step of 1 goes more than twenty of EM's:
# where the hill is not yet a dome longer ones end at other tops than EM's more often.
LEAST = 0.05
# A step into a singularity is taken back so often: so many steps of EM lead away from there, and
# the next ones are half as long.
AGAIN, AWAY = 3, 5


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

    Where an engine has the information in one look at the rows it is asked for anew every LEG
    steps, or as many as it is worth passes; else it costs a pass for each free number, and lasts
    for MANY. LEAST is added in every direction, and more where the hill rises in one, or where a
    step led into a singularity: that is taken back AGAIN times.
    """
    least, again = LEAST, AGAIN
    here = Charted.around(problem.model, problem.sweep, problem.params, problem.first())
    descent = Descent(problem, here)
    with problem.sweep.one_thread():
        while descent.book.left:
            known = _known(problem, here)
            if known is None:
                return descent.finished("sphered")
            if not np.isfinite(known).all():
                descent.exhausted()
                break
            steps = MANY if here.price > here.chart.size else max(LEG, math.ceil(here.price))
            here = turned(here, known, least)
            descent.open(here)
            try:
                point = climb_in_chart(descent, here, min(steps, descent.book.left))
            except FAILURES:
                if not again:
                    if problem.on_way is not None:
                        problem.on_way(descent.finished("sphered"))
                    raise
                again, least, here = again - 1, 2 * least, _away(problem, descent)
                continue
            if not descent.book.left:
                break
            if point.value <= here.centre.value:
                descent.exhausted()
                break
            here = Charted.around(problem.model, problem.sweep, point.params, point.summary)
    return descent.finished("sphered")


def _away(problem: Problem, descent: Descent) -> Charted:
    """A few steps of EM from the last point, noted in the descent; the chart around their end."""
    last, book = descent.last, descent.book
    steps = {"params": last.params, "summary": last.summary, "max_iter": min(AWAY, book.left)}
    climb = em(problem.replaced(**steps, tol=0, history=(), on_step=None))
    if climb.iterations:
        book.note(climb.params, climb.summary, last.params, between=climb.logliks[1:-1])
    return Charted.around(problem.model, problem.sweep, climb.params, climb.summary)


def _known(problem: Problem, here: Charted) -> Array | None:
    """The observed information per row; None where its passes outlast the time."""
    if here.price <= here.chart.size:
        return here.observed(ROUGHLY)
    rows: list[Array] = []
    for axis in np.eye(here.chart.size):
        if problem.late:
            return None
        rows.append(information_times(here, axis))
    return symmetric(rows)


def climb_in_chart(descent: Descent, here: Charted, steps: int) -> Point:
    """Climb in one chart until its edge, the top, or the last step allowed."""

    def stepped(intermediate_result: OptimizeResult) -> None:
        x = np.asarray(intermediate_result.x)
        point = here.at(x)
        assert point is not None
        here.met.clear()
        if not descent.accept(point):
            raise StopIteration

    radius = here.chart.radius
    minimize(
        downhill(here),
        np.zeros(here.chart.size),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([-radius, radius]) if np.isfinite(radius).all() else None,
        callback=stepped,
        options={"maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0, "maxiter": steps},
    )
    return descent.last

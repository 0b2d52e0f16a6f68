"""Newton's method in a trust region, the Hessian known only by its products with vectors.

One product is one pass: a difference of two gradients, each from an EM summary. The subproblem is
solved in the Krylov space of the gradient, where rising directions are used instead of feared, so
saddles are left. Gould, Lucidi, Roma & Toint (1999), SIAM Journal on Optimization 9; the
optimiser is SciPy's "trust-krylov". For Gaussian mixtures the method is that of Sembach, Burgard &
Schulz (2021), Statistics and Computing 31, in other coordinates.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from mixtura.records import Array
from mixtura.solvers.charted import Charted
from mixtura.solvers.climb import Climb
from mixtura.solvers.convergence import FINER
from mixtura.solvers.curvature import DIFFERENCE
from mixtura.solvers.descent import Descent, downhill
from mixtura.solvers.problem import Problem

# The first trust region, in the chart's units (EM's own step is about the gradient), and the
# largest.
RADIUS, LARGEST = 0.5, 10.0


class _Lost(Exception):
    """The optimiser's step is no number: there is none to take."""


def newton(problem: Problem) -> Climb:
    """Climb by at most `max_iter` Newton steps; see `problem.Solver`.

    Monotone, and quadratic near an optimum: the solver for the last digits. A step costs as many
    passes as the Krylov space has dimensions, so it pays where few are left to make.
    """
    here = Charted.around(problem.model, problem.sweep, problem.params, problem.first())
    descent = Descent(problem, here)
    # A gradient of nothing but rounding spans no space to search.
    slope = 0.5 * float(here.centre.gradient @ here.centre.gradient)
    if problem.max_iter > 0 and slope > FINER * FINER * descent.book.ascent.rounding:
        # The subproblem divides by zero where rounding has eaten the space it searches.
        with suppress(_Lost), np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            _minimise(descent, here, problem.max_iter)
    if descent.book.left:
        descent.exhausted()
    return descent.finished("newton")


def _minimise(descent: Descent, here: Charted, steps: int) -> None:
    below = downhill(here)

    def checked(free: Array) -> tuple[float, Array]:
        if not np.all(np.isfinite(free)):
            raise _Lost
        return below(free)

    def product(free: Array, vector: Array) -> Array:
        norm = float(np.linalg.norm(vector))
        point = here.at(free)
        if norm == 0 or point is None:
            return np.zeros_like(vector)
        moved = here.at(free + vector * (DIFFERENCE / norm))
        if moved is None:
            return np.zeros_like(vector)
        change = point.gradient - moved.gradient
        descent.learn(vector * (DIFFERENCE / norm), change)
        return change * (norm / DIFFERENCE)

    def stepped(intermediate_result: OptimizeResult) -> None:
        point = here.at(np.asarray(intermediate_result.x))
        assert point is not None
        if point is descent.last:
            return
        here.met.clear()
        here.met[point.free.tobytes()] = point
        if not descent.accept(point):
            raise StopIteration

    minimize(
        checked,
        np.zeros(here.chart.size),
        jac=True,
        hessp=product,
        method="trust-krylov",
        callback=stepped,
        options={
            "initial_trust_radius": RADIUS,
            "max_trust_radius": LARGEST,
            "gtol": 1e-13,
            "maxiter": steps,
            "inexact": True,
        },
    )

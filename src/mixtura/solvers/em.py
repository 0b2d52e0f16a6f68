"""The EM loop: params = m_step(sweep(params)), repeated, and checked while it runs."""

from __future__ import annotations

import math

from mixtura.solvers.climb import Climb
from mixtura.solvers.generalised import advanced
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem, SweepLike

# Where an engine takes several steps at a time, a judgement costs as much as about
# _JUDGED / (numbers in the table) / 2 of them, and half a block is taken in vain. So blocks of the
# root of that cost times twice the steps taken waste least. The first steps are judged as asked:
# most climbs end there.
_FIRST, _JUDGED = 24, 1 << 16
# A gap judged by gains alone may be so many times as large.
UNSEEN = 3.0


def em(problem: Problem, *, brief: bool = False) -> Climb:
    """Climb by at most `max_iter` EM steps; see `problem.Solver`.

    Stops when the estimated gain still to come, per row, is at most `tol` and the gradient agrees
    (see `directional`). Raises LikelihoodFell if a step lowers the objective by more than rounding;
    a step of a generalised model is halved before it comes to that (`generalised.risen`).
    `brief` spares the gradient: a short run on a plateau is then taken for converged, and the
    norm at its end is infinite.
    """
    model, sweep, params, tol = problem.model, problem.sweep, problem.params, problem.tol
    summary = problem.first()
    book = Logbook(problem, summary)
    # Where nobody looks at the curvature afterwards a slower direction may still show.
    enough = tol / UNSEEN if not brief and model.obstacle() else tol
    # A penalised objective is known only where the engine hands its parameters out, and ratios of
    # its gains mean something only where those are equally far apart.
    penalised = book.value != summary.loglik
    while book.left:
        whole = sweep.stride if penalised else _stride(sweep, book.steps)
        steps = min(whole, book.left)
        before = params
        params, summary, between = advanced(model, sweep, params, summary, steps)
        book.note(params, summary, before, between=between)
        whole_steps = steps == whole or book.value == summary.loglik
        book.gap = book.ascent.gap if whole_steps else math.inf
        if tol > 0 and book.gap <= max(enough, book.ascent.rounding):
            judged = model.scored and not brief
            slope = book.slope(summary, params) if judged else 0.0
            if slope <= max(2 * enough, book.ascent.rounding):
                book.reason = book.why()
    return book.finish(params, summary, "em", brief=brief)


def _stride(sweep: SweepLike, taken: int) -> int:
    """EM steps until convergence is judged again."""
    if sweep.stride == 1 or taken < _FIRST:
        return sweep.stride
    return max(sweep.stride, math.isqrt(taken * _JUDGED // (sweep.rows.n * sweep.rows.d)))

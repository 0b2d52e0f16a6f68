"""Classification EM: each row is given whole to its most probable component, as k-means does.

Celeux & Govaert (1992), A classification EM algorithm for clustering and two stochastic versions,
Computational Statistics & Data Analysis 14: between E-step and M-step the responsibilities become
0 or 1. What rises is then the classification likelihood, sum_i w_i log max_k pi_k p(x_i | k). With
equal weights and one variance for all components and columns it is Lloyd's k-means.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.rows import in_memory
from mixtura.models.base import Model
from mixtura.models.responsibilities import normalise, one_hot
from mixtura.records import Array, Chunk, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem, SweepLike


def hard(problem: Problem) -> Climb:
    """Climb the classification likelihood by at most `max_iter` steps; see `problem.Solver`.

    Guarantees that the classification likelihood (plus the log-prior) never falls, which is
    checked while it runs; it ends, because there are only so many ways to label the rows. `tol`,
    `gap` and what `on_step` is told are about that likelihood, `logliks` about the ordinary one,
    which may fall. Of that it promises no maximum: components that overlap are cut off where they
    meet, so means end too far apart and covariances too small, however many the rows (Bryant &
    Williamson 1978, Biometrika 65); a strong overlap may leave a component only a few rows, and
    it collapses where EM's would not.

    A component that is nowhere the most probable one keeps its place with weight 0 from then on.
    Raises LikelihoodFell as `em` does, about the classification likelihood.
    """
    model, sweep, params = problem.model, problem.sweep, problem.params
    part, value = classified(model, sweep, params)
    book = Logbook(problem, part, value, what="classification likelihood")
    while book.left:
        before, params = params, model.m_step(part, params)
        part, value = classified(model, sweep, params)
        book.note(params, part, before, value=value)
        book.judge_by_gains()
    summary = sweep(params) if book.steps else problem.first()
    return book.finish(params, summary, "hard", stationary=False)


def classified(model: Model, sweep: SweepLike, params: Any) -> tuple[Summary, float]:
    """(the summary with every row given to its most probable component, what that is worth).

    The worth is the classification likelihood plus the log-prior. Among equally probable
    components the first takes the row.
    """
    rows = in_memory(sweep.rows, "hard")
    best = np.zeros(rows.n)

    def step(chunk: Chunk) -> Summary:
        w, where = chunk.weight, chunk.where
        present = slice(None) if w is None else w > 0

        def respond(joint: Array) -> tuple[Array, Array]:
            log_p, resp = normalise(joint)
            best[where][present] = log_p + np.log(resp.max(axis=1))
            return log_p, one_hot(resp.argmax(axis=1), resp.shape[1])

        return model.e_step_with(chunk, params, respond)

    part = sweep.folded(step)
    weights = rows.sample_weight
    worth = float(best.sum() if weights is None else weights @ best)
    return part, worth + model.log_prior(params)

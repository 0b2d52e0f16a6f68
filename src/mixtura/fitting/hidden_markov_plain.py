"""Baum-Welch as others have it: so many EM steps from given parameters, and their rule to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mixtura.data.sequences import Ordered
from mixtura.engines.choose import open_sweep, resolve_for
from mixtura.engines.threads import single_blas
from mixtura.fitting.account import account
from mixtura.fitting.hidden_markov_fit import ChainFound, begun, prepared_chain
from mixtura.fitting.hidden_markov_task import ChainTask
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.noted import Noted
from mixtura.fitting.outcome import Outcome
from mixtura.fitting.search import Search
from mixtura.fitting.variational_chain import bounded
from mixtura.records import RandomNumbers
from mixtura.result import Certificate
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import Clock
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem


@dataclass(frozen=True)
class Plain:
    """EM that ends after the first step before which one gained less than `tol` nats in all.

    The rule of hmmlearn, whose trace is that of each step's start. That the objective never falls
    is checked as everywhere.
    """

    tol: float
    name: str = "plain EM"

    def __call__(self, problem: Problem) -> Climb:
        params, summary = problem.params, problem.first()
        book, gained = Logbook(problem, summary), math.inf
        while book.left:
            before = book.value
            params = problem.model.m_step(summary, params)
            summary = problem.sweep(params)
            book.note(params, summary)
            if gained < self.tol:
                book.reason = f"converged: a step gained {gained:.2g}, less than tol={self.tol:g}"
            gained = book.value - before
        return book.finish(params, summary, self.name)


def plain_chain(
    rows: Ordered, task: ChainTask, rng: RandomNumbers, listener: FitListener | None = None
) -> ChainFound:
    """The end of `task.max_iter` steps at most from parameters that are all given."""
    with single_blas:
        ground, model = prepared_chain(rows, task, rng)  # type: ignore[arg-type]
        model = model.unpenalised()
        engine = resolve_for(rows, task.engine, model)
        sweep = Noted(open_sweep(engine, model, rows), model)
        step = None if listener is None else listener.stepped
        asked = task.posterior
        start = asked.begin(model) if asked and asked.begin else begun(ground, task.given)
        clock = Clock(task.max_seconds)
        problem = Problem(model, sweep, start, 0.0, task.max_iter, (), step, clock=clock)
        with clock.hearing():
            climb = Plain(task.tol)(problem)
        detail = "these are so many steps of EM, wherever they led"
        ended = Certificate("not examined", detail=detail)
        outcome = Outcome(climb, (), False, climb.summary.loglik, ended)
        search = Search(
            model,
            rows,
            lambda m, r: open_sweep(engine, m, r),
            0.0,
            task.max_iter,
            rng,  # type: ignore[arg-type]
            passes=sweep.passes,
            clock=clock,
        )
        fit = account(outcome, search, (climb.ran, engine), (rows.positive, 0))
        fit = bounded(fit, model, climb, [sweep]) if asked else fit
        return ChainFound(fit.params, fit, model)

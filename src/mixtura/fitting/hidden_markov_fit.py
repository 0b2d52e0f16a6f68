"""From sequences and settings to the best hidden Markov model met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from mixtura.data.sequences import Ordered
from mixtura.engines.choose import open_sweep, resolve_for
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.errors import FAILURES, FitError
from mixtura.families.design import design
from mixtura.fitting.account import account
from mixtura.fitting.checkpoint import Checkpoint, journaled
from mixtura.fitting.hidden_markov_race import SAMPLE_ROWS, finalists, race_chain
from mixtura.fitting.hidden_markov_task import ChainTask
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.noted import Noted
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.prepared import Ground
from mixtura.fitting.search import Search
from mixtura.fitting.variational_chain import bounded, held_first, merged
from mixtura.models.driven import Driven
from mixtura.models.driven_first import DrivenFirst, first_design
from mixtura.models.driven_first_stays import DrivenFirstStays
from mixtura.models.driven_stays import DrivenStays
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.semi_markov import SemiMarkov
from mixtura.models.state_order import reordered, state_order
from mixtura.models.variational_chain import VariationalChain, VariationalChainParams
from mixtura.records import Array
from mixtura.result import Fit
from mixtura.solvers.auto import auto
from mixtura.solvers.clock import Clock
from mixtura.solvers.registry import resolve_solver

# Nats that the best climb may leave in all: half of the fourth digit, the last that is published.
REST = 5e-5


@dataclass(frozen=True)
class ChainFound:
    """The best model met, its states in order, and the account of how."""

    params: HiddenMarkovParams
    fit: Fit
    model: HiddenMarkov


def find_chain(
    rows: Ordered,
    task: ChainTask,
    rng: np.random.RandomState,
    journal: Checkpoint | None = None,
    listener: FitListener | None = None,
) -> ChainFound:
    """The best of many starts; raises FitError if every one of them failed."""
    clock = Clock(task.max_seconds)
    with single_blas, single_openmp():
        ground, model = prepared_chain(rows, task, rng)
        engine = resolve_for(rows, task.engine, model)

        noted: list[Noted] = []

        def opened(model: Any, source: Any) -> Any:
            sweep = open_sweep(engine, model, source)
            if task.posterior is None:
                return sweep
            noted.append(Noted(sweep, model))
            return noted[-1]

        solver, climber = resolve_solver(task.solver, model)
        over_all = opened if journal is None else journaled(opened, rows, journal)
        search = Search(
            model, rows, over_all, task.tol, task.max_iter, rng, climber, listener, clock=clock
        )
        if climber is auto and task.posterior is None:
            search.rest = REST
        with clock.hearing(journal is None):
            outcome = search.at_scales(lambda: _best(search, ground, rows, task), search.climb)
            outcome = search.finished(outcome)
            if task.posterior is not None:
                outcome = merged(search, outcome, rows)  # type: ignore[arg-type]
        sizes = rows.positive, min(rows.n, SAMPLE_ROWS)
        fit = account(outcome, search, (solver, engine), sizes)
        if task.posterior is not None:
            fit = bounded(fit, model, outcome.climb, noted)
        return _in_order(ChainFound(fit.params, fit, model), search, rows, task)


def prepared_chain(
    rows: Ordered, task: ChainTask, rng: np.random.RandomState
) -> tuple[Ground, HiddenMarkov]:
    """What starts are made on, of the steps without their order, and the model."""
    ground = prepare(rows.rows(), task.family, task.n_states, rng)
    settings = (
        ground.model.family,
        ground.model.prior if task.prior is None else task.prior(ground.model.prior),
        rows.firsts / rows.weight,
        task.initial_rows,
        task.transition_rows,
        task.held,
        task.barred,
        task.stationary,
        task.tied,
    )
    if task.posterior is not None:
        asked = task.posterior
        return ground, VariationalChain(asked.family, asked.prior, *settings[2:5])
    lasts: dict[str, Any] = {"law": task.durations, "longest": task.longest}
    if task.covariates or task.initial_covariates:
        known = design(ground.survey.sample, task.covariates, True, "covariate", task.names)
        told: dict[str, Any] = {"design": known, "allowed": task.allowed}
        if task.durations is not None:
            told |= lasts
        if task.initial_covariates:
            first = first_design(rows, task.initial_covariates, task.names)
            kind = DrivenFirst if task.durations is None else DrivenFirstStays
            return ground, kind(*settings, **told, first=first, begins=task.first)
        return ground, (Driven if task.durations is None else DrivenStays)(*settings, **told)
    if task.durations is not None:
        return ground, SemiMarkov(*settings, **lasts)
    return ground, HiddenMarkov(*settings)


def begun(ground: Ground, given: Mapping[str, Array]) -> HiddenMarkovParams:
    """The model of parameters that are all given."""
    own = {name: given[name] for name in ground.model.family.supports()}
    components = ground.model.family.params(own)
    initial, transitions = given["initial"], given["transitions"]
    return HiddenMarkovParams(initial, components, initial, transitions)


def _best(search: Search, ground: Ground, rows: Ordered, task: ChainTask) -> Outcome:
    names = {"initial", "transitions", *ground.model.family.supports()}
    if names <= set(task.given):
        return search.climb(begun(ground, task.given))
    best: Outcome | None = None
    failure: Exception = FitError("no start was tried")
    for index in count():
        if not search.goes_on(index, task.n_init, best):
            break
        if search.listener is not None:
            search.listener.started(index)
        runners = race_chain(search, ground, rows, task)
        chosen = finalists(runners, search.rows.n > SAMPLE_ROWS)
        for place, runner in enumerate(runners):
            if best is not None and (place >= chosen or search.late):
                search.report(runner, "dropped")
                continue
            try:
                outcome = search.climb(runner.params)
            except FAILURES as error:
                failure = error
                search.report(replace(runner, error=str(error)), "failed")
                continue
            ended = replace(
                runner, climb=outcome.climb, spent=runner.spent + outcome.climb.iterations
            )
            search.report(ended, "collapsed" if outcome.floored else "kept")
            if best is None or better(outcome, best):
                best = outcome
    if best is None:
        raise failure
    return best


def _in_order(found: ChainFound, search: Search, rows: Ordered, task: ChainTask) -> ChainFound:
    """The same, its states by the rule of `state_order` where nothing given places them.

    Parts of states are by theirs wherever states are.
    """
    family = found.model.family
    if set(family.supports()) & set(task.given):
        return found
    components = family.ordered(found.params.components)
    order = state_order(family, found.params.components, rows.d)
    if task.posterior is not None:
        order = held_first(order, found.params.weights, found.fit.weight)
    if task.placed or rows.told is not None:
        order = np.arange(len(order))
    params = replace(found.params, components=components)
    if (order == np.arange(len(order))).all() and components is found.params.components:
        return found
    if isinstance(params, VariationalChainParams):
        params = params.states(order)
    else:
        params = reordered(family, params, order, rows.d)
    place = np.argsort(order)
    fit = replace(
        found.fit,
        params=params,
        summary=search.open_sweep(found.model, search.rows)(params),
        empty=tuple(sorted(int(place[k]) for k in found.fit.empty)),
        floored=tuple(
            replace(spike, component=int(place[spike.component])) for spike in found.fit.floored
        ),
    )
    return ChainFound(params, fit, found.model)

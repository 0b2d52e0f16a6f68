"""The race of a hidden Markov model's starts, on a sample of the sequences where there are many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.sequences import Ordered, Sequences
from mixtura.errors import FAILURES, FitError
from mixtura.fitting.hidden_markov_starts import MIXTURE, ChainStarts
from mixtura.fitting.hidden_markov_task import ChainTask
from mixtura.fitting.prepared import Ground
from mixtura.fitting.race import Runner
from mixtura.fitting.search import Search
from mixtura.fitting.variational_chain import as_heavy, posterior_start
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.variational_chain import VariationalChain
from mixtura.records import AnyArray
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# EM steps of a start in each round; the better half goes on.
ROUNDS = (6, 12, 24)
# Of regressions: after six steps a start tells little of where it leads.
REGRESSIONS = (18, 12, 24)
# Rows of the sequences on which starts are raced.
SAMPLE_ROWS = 10_000
# So many of the best starts are climbed to the top where a table has no more rows than that.
FINALISTS = 3
# Nats a step between which two of a sample are one optimum.
_ALIKE = 1e-6
# What is added to the moves of a sample of pieces, so that none is impossible.
_SMOOTH = 1e-3


def finalists(runners: list[Runner], sampled: bool) -> int:
    """How many of the first runners are climbed to the top.

    After a race on a sample there are two, unless the sample says that they are one optimum.
    """
    if not sampled:
        return FINALISTS
    worths = [runner.worth for runner in runners[:2]]
    return 1 if len(worths) < 2 or worths[0] - worths[1] < _ALIKE else 2


def survivors(runners: list[Runner], sampled: bool) -> list[Runner]:
    """The better half of runners, the best first.

    On a sample the best mixture stays too, second where it is not among them: mixtures are found
    on rows from everywhere, and know states that a sample of stretches may have missed.
    """
    kept = max((len(runners) + 1) // 2, FINALISTS)
    if not sampled:
        return runners[:kept]
    mixture = next((one for one in runners if one.name.startswith(MIXTURE)), runners[0])
    rest = [one for one in runners[1:] if one is not mixture]
    return [runners[0], *([mixture] if mixture is not runners[0] else []), *rest][:kept]


def race_chain(search: Search, ground: Ground, rows: Ordered, task: ChainTask) -> list[Runner]:
    """Every start that still stands, the best first, after short runs on some sequences."""
    K = task.n_states
    allowed = np.ones((K, K), dtype=bool) if task.allowed is None else task.allowed
    first = np.ones(K, dtype=bool) if task.first is None else task.first
    # Pieces of a chain that never comes back would not tell which state is before which.
    sample, cut = rows.spread(SAMPLE_ROWS, search.rng, whole=not _returns(allowed))
    model: HiddenMarkov = search.model  # type: ignore[assignment]
    given = dict(task.given)
    if isinstance(model, VariationalChain):
        sample = as_heavy(sample, search.rows.weight)
    elif cut and not model.stationary:
        # Pieces of sequences begin anywhere, and say nothing of where sequences do.
        first, model = np.ones(K, dtype=bool), replace(model, held=(*model.held, "initial"))
        given.pop("initial", None)
    # Of sequences that are read in parts the rows are a sample already.
    sampled = sample.n < search.rows.n
    timed = sampled and K > 1 and not np.tril(allowed, -1).any()
    settings = model, sample, ground, allowed, first, search.rng, timed
    starts = ChainStarts(*settings, clock=search.clock)
    runners = []
    for name, params in starts.all():
        if isinstance(model, VariationalChain):
            params = posterior_start(model, ground, sample, params)
        runners.append(Runner(name, model.with_arrays(params, given) if given else params))
        if K == 1:
            break
    for steps in REGRESSIONS if starts.regressions else ROUNDS:
        if search.late and runners[0].climb is not None:
            break
        ended = sorted(_run(search, model, sample, runners, steps), key=lambda one: -one.worth)
        runners = survivors(ended, sampled) if ended else []
        for runner in ended:
            if not any(runner is one for one in runners):
                search.report(runner, "dropped")
    search.sample_passes += starts.passes
    if not runners:
        raise FitError("no start could be climbed: " + search.reports[-1].detail)
    # A prior of moves leaves none impossible.
    if not sampled or isinstance(model, VariationalChain):
        return runners
    return [replace(one, params=_whole(one.params, search.model, task, cut)) for one in runners]


def _returns(allowed: AnyArray) -> bool:
    """Whether every state can be reached from every other."""
    reached = allowed | np.eye(len(allowed), dtype=bool)
    return bool(np.linalg.matrix_power(reached.astype(float), len(reached)).all())


def _whole(params: Any, model: Any, task: ChainTask, cut: bool) -> HiddenMarkovParams:
    """A model of a sample as a start on all sequences, which begin where they may if they were cut.

    Moves that no piece showed are possible again, and so are first states.
    """
    K, arrays = len(params.initial), dict(task.given)
    if not cut:
        for name, may in (("initial", task.first), ("transitions", task.allowed)):
            if name in model.moving() and name not in arrays:
                law = getattr(params, name) + _SMOOTH / K
                law = law if may is None else np.where(may, law, 0.0)
                arrays[name] = law / law.sum(axis=-1, keepdims=True)
        return model.with_arrays(params, arrays) if arrays else params  # type: ignore[no-any-return]
    if "transitions" not in arrays:
        moves = params.transitions + _SMOOTH / K
        moves = moves if task.allowed is None else np.where(task.allowed, moves, 0.0)
        arrays["transitions"] = moves / moves.sum(axis=1, keepdims=True)
    if "initial" not in arrays:
        law = 0.5 * params.weights + 0.5 / K
        law = law if task.first is None else np.where(task.first, law, 0.0)
        arrays["initial"] = law / law.sum()
    found: HiddenMarkovParams = model.with_arrays(params, arrays)
    return found


def _run(
    search: Search, model: HiddenMarkov, rows: Sequences, runners: list[Runner], steps: int
) -> list[Runner]:
    """Each start after so many EM steps more; one that fails leaves."""
    found = []
    for runner in runners:
        sweep = search.open_sweep(model, rows)
        try:
            summary = None if runner.climb is None else runner.climb.summary
            problem = Problem(model, sweep, runner.params, search.tol, steps, summary=summary)
            climb = em(problem, brief=True)
            worth = model.sobered(climb.summary, climb.params)
            last = climb.summary if worth is climb.params else sweep(worth)
            found.append(
                replace(
                    runner,
                    params=climb.params,
                    climb=climb,
                    spent=runner.spent + climb.iterations,
                    worth=(last.loglik + model.belief(worth)) / last.weight,
                )
            )
        except FAILURES as error:
            search.report(replace(runner, error=str(error)), "failed")
        finally:
            search.sample_passes += sweep.passes
    return found

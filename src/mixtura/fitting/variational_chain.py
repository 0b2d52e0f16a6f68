"""What a hidden Markov model known by a posterior adds to a search: starts, merges, the bound."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import softmax

from mixtura.data.sequences import Sequences
from mixtura.engines.choose import chain_sweep
from mixtura.errors import FAILURES
from mixtura.fitting.noted import Noted
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.prepared import Ground
from mixtura.fitting.race import Runner
from mixtura.fitting.search import Search
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.variational_chain import VariationalChain, VariationalChainParams
from mixtura.models.weight_priors import HALF
from mixtura.records import AnyArray, Array
from mixtura.result import Certificate, Fit
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# Steps of a merger before it is judged, and pairs that are tried for each state that is held.
STEPS, PAIRS = 8, 2


def as_heavy(sample: Sequences, weight: float) -> Sequences:
    """The sample with weights that add up to the table's: what a prior is worth hangs on that."""
    w = np.ones(sample.n) if sample.sample_weight is None else sample.sample_weight
    return replace(sample, sample_weight=w * (weight / w.sum()))


def posterior_start(
    model: VariationalChain, ground: Ground, rows: Sequences, start: HiddenMarkovParams
) -> VariationalChainParams:
    """Bayes' rule from what a hidden Markov model of points expects of these sequences."""
    plain = HiddenMarkov(ground.model.family, ground.model.prior, model.sequences)
    sweep = chain_sweep(plain, rows)
    stats: Any = sweep(start).statistics
    return _begun(model, rows, sweep.smoothed(start)[1], (stats.starts, stats.moves))


def merged(search: Search, outcome: Outcome, rows: Sequences) -> Outcome:
    """The end after two states were made one, again and again, while that raises the bound.

    Steps alone do not: a state that holds rows keeps them whatever its prior is, and of two alike
    none is left for the other (of mixtures: Ueda & Ghahramani 2002, Bayesian model search for
    mixture models based on optimizing variational bounds, Neural Networks 15).
    """
    model: Any = search.model
    params, value, made = outcome.climb.params, outcome.climb.objective, 0
    while not search.late:
        climb = _risen(search, model, rows, params, value)
        if climb is None:
            break
        params, value, made = climb.params, climb.objective, made + 1
    if not made:
        return outcome
    after = search.climb(params)
    runner = Runner("merged states", after.climb.params, after.climb.iterations, after.climb)
    search.report(runner, "kept")
    if not better(after, outcome):
        return outcome
    search.moves += made
    return after


def _risen(
    search: Search, model: VariationalChain, rows: Sequences, params: Any, value: float
) -> Climb | None:
    """A few steps after the first merger that raises the bound; None where none does."""
    sweep = chain_sweep(model, rows)
    stats: Any = sweep(params).statistics
    resp = sweep.smoothed(params)[1]
    search.passes += 2
    for i, j in _pairs(resp, model.emissions(rows.X, params), rows):
        both = np.arange(resp.shape[1])
        both[j] = i
        into = np.eye(len(both))[both]
        start = _begun(model, rows, resp @ into, (stats.starts @ into, into.T @ stats.moves @ into))
        trial = search.open_sweep(model, rows)
        try:
            climb = em(Problem(model, trial, start, search.tol, STEPS), brief=True)
        except FAILURES:
            continue
        finally:
            search.passes += trial.passes
        if climb.objective > value + search.tol * rows.weight:
            return climb
    return None


def _pairs(resp: Array, emitted: Array, rows: Sequences) -> list[tuple[int, int]]:
    """States that hold rows, two by two: those first whose rows the other takes for its own."""
    w = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
    held = np.flatnonzero(w @ resp >= HALF)
    weighed = (resp * w[:, None])[:, held]
    taken = weighed.T @ softmax(emitted[:, held], axis=1) / weighed.sum(axis=0)[:, None]
    found = sorted(
        combinations(range(len(held)), 2), key=lambda p: -max(taken[p], taken[p[1], p[0]])
    )
    return [(int(held[i]), int(held[j])) for i, j in found[: PAIRS * len(held)]]


def _begun(
    model: VariationalChain, rows: Sequences, resp: AnyArray, counted: tuple[Array, Array]
) -> VariationalChainParams:
    seen = rows.rows()
    return model.begun(seen.X, seen.sample_weight, resp[rows.seen], counted)


def bounded(fit: Fit, model: HiddenMarkov, climb: Climb, sweeps: list[Noted]) -> Fit:
    """The account of a climb with the bound where it has log-likelihoods."""
    # A climb of no step has swept where another has.
    bounds = max((each.bounds for each in sweeps if each.last is climb.params), key=len)
    return replace(
        fit,
        loglik=climb.objective,
        trace=tuple(bounds[-climb.iterations - 1 :]),
        bound=True,
        reason=fit.reason.replace("log-likelihood", "bound"),
        certificate=Certificate("not examined", detail=model.obstacle()),
    )


def held_first(order: AnyArray, weights: Array, steps: float) -> AnyArray:
    """The order of states with those that hold nothing last."""
    return np.asarray(order[np.argsort(weights[order] * steps < HALF, kind="stable")])

"""Which fit this is: what a checkpoint must have in common with the fit that takes it up."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from mixtura.data.sequences import Ordered
from mixtura.data.source import Source
from mixtura.families.base import Family
from mixtura.fitting.checkpoint import digest, digest_of
from mixtura.fitting.hidden_markov_task import ChainTask
from mixtura.fitting.mixture_fit import Task
from mixtura.models.base import Model
from mixtura.records import Params, Seed
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import solver_name
from mixtura.version import __version__


def identity(rows: Source, task: Task, seed: int, random_state: Seed) -> dict[str, Any]:
    """Rows and settings by name, as plain values; one pass over the rows.

    `seed` is what came of `random_state`, which is kept to be told.
    """
    own = {
        "family": described(task.family),
        "n_components": task.n_components,
        "concomitants": list(task.concomitants),
        "noise": task.noise,
        "trim": task.trim,
        "tol": task.tol,
        "max_iter": task.max_iter,
        "n_init": task.n_init,
        "init_params": task.init_params,
        "engine": task.engine,
        "solver": described(task.solver),
        "given parameters": digest_of(task.given),
        "warm start": digest_of({} if task.begin is None else task.begin.arrays()),
    }
    # Of Gaussian components it is part of the family.
    own |= {"prior": repr(task.prior)} if task.prior else {}
    known = getattr(rows, "known", None)
    own |= {} if known is None else {"labels": digest_of({"labels": known})}
    pinned = task.family.pinned
    if task.pins:
        weights = {} if task.fixed is None else {"weights": task.fixed.values}
        given = weights if pinned is None else weights | dict(pinned.given())
        least = [task.fixed.least] if task.fixed is not None and task.fixed.least else []
        own["fixed"] = [digest_of(given), pinned is not None and pinned.common, *least]
    return _of_fit(rows, own, seed, random_state)


def chain_identity(rows: Ordered, task: ChainTask, seed: int, random_state: Seed) -> dict[str, Any]:
    """The same of a fit of a hidden Markov model."""
    laws = {
        "given": digest_of(task.given),
        "ends": digest_of({"ends": rows.stops}),
        "allowed": digest_of(
            {k: v for k, v in (("allowed", task.allowed), ("first", task.first)) if v is not None}
        ),
    }
    own = {
        "family": described(task.family),
        "n_states": task.n_states,
        "tol": task.tol,
        "max_iter": task.max_iter,
        "n_init": task.n_init,
        "engine": task.engine,
        "solver": described(task.solver),
        "held": list(task.held),
        "stationary": task.stationary,
        "tied": list(task.tied),
        "covariates": list(task.covariates),
        **({"first": list(task.initial_covariates)} if task.initial_covariates else {}),
        "durations": [task.durations, task.longest],
        "known": digest_of({} if rows.told is None else {"known": rows.told}),
        **laws,
    }
    return _of_fit(rows, own, seed, random_state)


def model_identity(
    rows: Source, model: Model, start: Params | None, seed: int, random_state: Seed, **settings: Any
) -> dict[str, Any]:
    """The same of a fit of any model; `settings` are plain values."""
    own = {
        "model": described(model),
        "start": digest_of({} if start is None else start.arrays()),
        **settings,
    }
    return _of_fit(rows, own, seed, random_state)


def _of_fit(rows: Source, own: dict[str, Any], seed: int, random_state: Seed) -> dict[str, Any]:
    return {
        "rows": digest(rows),
        **own,
        "seed": seed,
        "random_state": _given(random_state),
        "mixtura": __version__,
    }


def _given(random_state: Seed) -> int | str | None:
    """What the user gave, as a plain value."""
    if random_state is None:
        return None
    return int(random_state) if isinstance(random_state, Integral) else "a generator"


def described(thing: str | Solver | Model | Family) -> str:
    """What a solver, a model or a family is, with its settings where it shows them."""
    if isinstance(thing, str):
        return thing
    shown = repr(thing)
    # An address says nothing in another process.
    if " at 0x" not in shown:
        return shown
    return solver_name(thing) if callable(thing) else type(thing).__qualname__

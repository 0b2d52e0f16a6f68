"""`mixtura.fit`: any model to any table."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from mixtura.data.entry import admitted
from mixtura.engines.choose import open_sweep, resolve_for
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.errors import FAILURES, FitError, WrongReturn
from mixtura.fitting.account import account
from mixtura.fitting.checkpoint import Checkpoint, journaled
from mixtura.fitting.fingerprint import described, model_identity
from mixtura.fitting.journal_file import removed, resumed_seed
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.reported import reported
from mixtura.fitting.search import Search
from mixtura.models.base import Model
from mixtura.models.returned import read, read_start, refuse_first
from mixtura.records import Params, Seed, StrPath, Weights
from mixtura.result import Fit, StartReport
from mixtura.solvers.clock import Clock
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import ends_by_clock, resolve_solver
from mixtura.solvers.settings import check_integer, check_number

# Starts as long as one more may well end higher.
AUTO = "auto"


def fit(
    model: Model,
    data: Any,
    *,
    start: Any = None,
    n_init: int | str = 1,
    solver: str | Solver = "auto",
    engine: str = "auto",
    tol: float = 1e-6,
    max_iter: int = 1000,
    sample_weight: Weights = None,
    checkpoint: StrPath | None = None,
    random_state: Seed = None,
) -> Fit:
    """Climb to a maximum of a model's likelihood (plus its prior).

    Parameters
    ----------
    model : Model
        One with `e_step` and `m_step` alone is climbed by "em", "squarem" or "anderson"; what
        further methods bring, they say.
    data : array-like of shape (n_samples, n_features) or (n_samples,), data frame, or table \
            larger than memory as in `mixtura.stream`
        Each row reaches `e_step` as float64, in chunks.
    start : Params, optional
        The first parameters; default `model.start(source, rng)`.
    n_init : int or "auto", default 1
        Starts; the best end is returned, all are reported in `Fit.starts`, and the optima that
        they met in `Fit.landscape`. "auto" goes on until one more is estimated to end higher in at
        most 1 of 100 cases.
    solver : str or callable, default "auto"
        How parameters move; "auto" is EM, followed by gradients where the model has a score. One
        of your own is given a `Problem` and returns a `Climb` (`mixtura.solvers.problem`).
    engine : {"auto", "local", "threads", ...}, default "auto"
        What runs the pass over the rows.
    tol : float, default 1e-6
        A climb stops when the estimated objective still to be gained, per row, is below `tol`.
    max_iter : int, default 1000
        Steps of one climb.
    sample_weight : array-like of shape (n_samples,), optional
        Non-negative; a weight of 2 is the row twice.
    checkpoint : path, optional
        The fit writes there how far it is. Killed and called again with the same rows, model and
        settings, it goes on from there to the identical answer; then the file is removed.
    random_state : int, RandomState instance or None

    Returns
    -------
    Fit
        With `params` and `summary`. A warning is given where it did not converge.

    Raises
    ------
    ValueError
        For data, settings or a model that cannot be used, saying what to do.
    TypeError
        For a method that returned what it may not.
    LikelihoodFell
        If a step lowered the objective, which EM cannot do: `e_step` and `m_step` do not belong
        together.
    """
    _check(model, start, n_init, tol, max_iter)
    model = read(model)
    start = None if start is None else read_start(start)
    rows = admitted(data, sample_weight)
    seed = check_random_state(random_state).randint(2**31 - 1)
    engine = resolve_for(rows, engine, model)
    name, climber = resolve_solver(solver, model)
    opened: Any = partial(open_sweep, engine)
    journal: Checkpoint | None = None
    with ExitStack() as stack:
        if checkpoint is not None:
            seed = resumed_seed(checkpoint, random_state, seed)
            asked: dict[str, Any] = {"solver": described(solver), "engine": engine}
            asked |= {"n_init": n_init, "tol": tol, "max_iter": max_iter}
            told = model_identity(rows, model, start, seed, random_state, **asked)
            journal = stack.enter_context(Checkpoint(checkpoint, told))
            opened = journaled(opened, rows, journal)
        stack.enter_context(single_blas)
        stack.enter_context(single_openmp())
        rng = np.random.RandomState(seed)
        search = Search(model, rows, opened, tol, max_iter, rng, climber, clock=Clock())
        with search.clock.hearing(checkpoint is None and ends_by_clock(name)):
            try:
                outcome = _best(search, start, n_init)
            except WrongReturn:
                # A file of hours' work goes on once the method is mended.
                if journal is not None and journal.empty:
                    removed(checkpoint)
                raise
    found = account(outcome, search, (name, engine), (rows.positive, 0))
    if not found.converged and len(found.trace) > 1:
        warnings.warn(
            f"the climb did not converge ({found.reason}): raise max_iter or tol, or choose "
            "another solver",
            ConvergenceWarning,
            stacklevel=2,
        )
    removed(checkpoint)
    return found


def _best(search: Search, start: Any, n_init: int | str) -> Outcome:
    best: Outcome | None = None
    failure: Exception | None = None
    for index in count():
        if not search.goes_on(index, n_init, best):
            break
        try:
            begin = start
            if start is None:
                begin = search.model.start(search.rows, search.rng)
            outcome = search.climb(begin)
        except FAILURES as error:
            if n_init == 1:
                raise
            failure = error
            search.reports.append(StartReport("start", 0, None, "failed", str(error)))
            continue
        except (ValueError, LookupError):
            refuse_first(search.model, search.rows, begin, "start")
            raise
        climb = outcome.climb
        ended = "collapsed" if outcome.floored else "kept"
        search.reports.append(reported("start", climb.iterations, climb, ended, search.model))
        if best is None or better(outcome, best):
            best = outcome
    if best is None:
        raise failure or FitError("no start was tried")
    return best


def _check(model: Any, start: Any, n_init: Any, tol: Any, max_iter: Any) -> None:
    for name, given in (("model", model), ("start", start)):
        if isinstance(given, type):
            told = f"{name} is the class {given.__name__}"
            raise TypeError(f"{told}: give an object of it, as {given.__name__}(...)")
    if not isinstance(model, Model):
        raise TypeError(
            f"model must be a mixtura.Model, got {type(model).__name__}: derive the class from "
            "mixtura.Model, with e_step and m_step"
        )
    if not isinstance(n_init, str):
        check_integer("n_init", n_init, 1)
    elif n_init != AUTO:
        raise ValueError(f"n_init must be an integer, at least 1, or 'auto', got {n_init!r}")
    check_integer("max_iter", max_iter, 0)
    check_number("tol", tol, "from 0 up", lambda value: value >= 0)
    if start is None and type(model).start is Model.start:
        raise ValueError(
            f"start: {type(model).__name__} has no start(source, rng), so give the first "
            "parameters as start=..., or write that method"
        )
    if start is not None and not isinstance(start, Params):
        raise TypeError(
            f"start must be a mixtura.Params, as m_step returns them, got {type(start).__name__}"
        )
    if start is not None and n_init != 1:
        raise ValueError(
            f"n_init={n_init} with a given start would climb the same way again and again: leave "
            "start out, with a start(source, rng) in the model, or use n_init=1"
        )

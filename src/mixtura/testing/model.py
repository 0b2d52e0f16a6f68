"""The contract of a model: its summaries add, EM climbs, and stops at a top."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.choose import PLAIN, open_sweep, resolve
from mixtura.engines.threads import single_blas
from mixtura.errors import LikelihoodFell
from mixtura.models.base import Labelled, Model
from mixtura.models.mixture import Mixture
from mixtura.models.returned import read, read_start, refuse_first
from mixtura.records import Array, Chunk, Params, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.testing.draws import check_rows
from mixtura.testing.maximum import check_maximum
from mixtura.testing.requiring import refusing, require, table

# Agreement of sums taken in another order, relative to their size.
SUMS = 1e-9
# Agreement of a gradient with differences of the objective, relative to its length.
DIFFERENCES = 1e-4
# What a step away from where EM stops may gain per row: the rounding of a climb's last digits; or
# what a slow climb leaves that ran out of steps.
GAIN, UNFINISHED = 1e-9, 1e-6


def check_model(
    model: Model, data: Any, params: Any, *, max_iter: int = 2000, random_state: int = 0
) -> None:
    """AssertionError unless a model keeps the contract on these rows.

    Parameters
    ----------
    model : Model
    data : array-like of shape (n_samples, n_features) or (n_samples,)
        Rows that the model could have made; a few dozen will do.
    params : Params
        Admissible parameters that are not the optimum.
    max_iter : int, default 2000
        EM steps within which the climb from `params` should end.
    random_state : int, default 0

    Checked are: summaries add however the rows are cut; a weight of 2 is the row twice and 0 its
    absence; every engine that runs any model, and the one that `auto` is here, gives the plain
    sum; `start`, where there is one, gives first parameters with a log-likelihood; EM never lowers
    the objective, an M-step goes to the top of the expected log-likelihood (not where the model is
    `generalised`), and where EM stops no small step in any parameter raises the objective; the
    score, where there is one, is the derivative of the objective; draws, where there are,
    have the law of the log-likelihood (false alarms: one in a million), and `information` is no
    less than what they tell, and within a factor of 1.5 what score and M-step say near the top.
    """
    for name, found, kind in (("model", model, Model), ("params", params, Params)):
        if not isinstance(found, kind):
            raise TypeError(
                f"{name}: an object of a class of mixtura.{kind.__name__}, got {found!r}"
            )
    gaps = isinstance(model, Mixture) and model.family.allows_gaps
    X = table(data, gaps=gaps)
    with refusing(), single_blas:
        asked, first = read(model), read_start(params, "params")
        check_start(asked, X, random_state)
        refuse_first(asked, Rows(X), first, "params")
        check_all(asked, X, first, max_iter, random_state)


def check_all(model: Model, X: Array, params: Any, max_iter: int, random_state: int) -> None:
    """What `check_model` checks, of rows (n, d)."""
    rng = np.random.default_rng(random_state)
    check_sums(model, X, params, rng)
    check_engines(model, X, params, rng)
    end = check_climb(model, X, params, max_iter)
    # With a score and an obstacle free numbers are not those of the model alone.
    if not (model.scored and model.obstacle()):
        _check_top(model, X, end)
    if not model.obstacle():
        _check_score(model, X, params, rng)
    if type(model).sample is not Model.sample and not isinstance(model, Labelled):
        check_rows(model, params, rng)
    check_maximum(model, X, params, end.params)


def check_start(model: Model, X: Array, random_state: int) -> None:
    """What `start` gives, where the model has one of its own, are parameters for these rows."""
    if type(model).start is Model.start:
        return
    try:
        params = model.start(Rows(X), np.random.RandomState(random_state))
        loglik = model.e_step(Chunk(X), params).loglik
    except (ValueError, ArithmeticError, LookupError) as error:
        raise AssertionError(f"start: {type(error).__name__}: {error}") from error
    require(bool(np.isfinite(loglik)), f"start: the log-likelihood at what it gives is {loglik}")


def check_sums(model: Model, X: Array, params: Any, rng: np.random.Generator) -> None:
    whole = open_sweep("local", model, Rows(X))(params)
    require(bool(np.isfinite(whole.loglik)), f"the log-likelihood at `params` is {whole.loglik}")
    cut = int(rng.integers(1, len(X))) if len(X) > 1 else 0
    if cut:
        what = f"e_step: summaries of rows 0 to {cut - 1} and the rest do not add"
        parts = model.e_step(Chunk(X[:cut]), params) + model.e_step(Chunk(X[cut:]), params)
        _assert_same(parts, whole, what)
    times = rng.integers(0, 3, size=len(X))
    times[0] = 2
    weighted = model.e_step(Chunk(X, times.astype(np.float64)), params)
    copies = model.e_step(Chunk(np.repeat(X, times, axis=0)), params)
    _assert_same(
        weighted, copies, "e_step: a weight of 2 is not the row twice, or 0 not its absence"
    )


def check_engines(model: Model, X: Array, params: Any, rng: np.random.Generator) -> None:
    many = np.tile(X, (max(1, 3000 // len(X)), 1))
    w = rng.uniform(0.5, 2.0, size=len(many))
    plain = model.e_step(Chunk(many, w), params)
    for engine in dict.fromkeys((*PLAIN, resolve("auto", model))):
        summary = open_sweep(engine, model, Rows(many, w))(params)
        _assert_same(
            summary, plain, f"engine={engine!r}: not the sum that e_step gives of all rows"
        )


def check_climb(model: Model, X: Array, params: Any, max_iter: int) -> Climb:
    sweep = open_sweep("local", model, Rows(X))
    try:
        climb = em(Problem(model, sweep, params, 1e-12, max_iter))
        model.refuse_inadmissible(climb.params)
    except LikelihoodFell as error:
        raise AssertionError(
            f"m_step: an EM step lowers the objective, from {error.before} to {error.after}: it "
            "does not maximise what e_step sums, or e_step's log-likelihood is another one"
        ) from error
    except ValueError as error:
        raise AssertionError(f"m_step: {error}") from error
    return climb


def _check_top(model: Model, X: Array, end: Climb) -> None:
    """No small step in any free number leads up from where EM stopped."""
    params, allowed = end.params, GAIN if end.converged else UNFINISHED
    chart = model.chart(params)
    here = _objective(model, X, params)
    for i in range(min(chart.size, 50)):
        for length in (1e-4, 1e-3, 1e-2, -1e-4, -1e-3, -1e-2):
            free = np.zeros(chart.size)
            free[i] = length
            try:
                gain = (_objective(model, X, chart.params(free)) - here) / len(X)
            except (ValueError, ArithmeticError):
                continue
            require(
                not gain > allowed * (1.0 + abs(here) / len(X)),
                f"m_step: where EM stops, a step of {length:g} in free number {i} gains {gain:.3g} "
                "per row: the M-step does not maximise the expected log-likelihood",
            )


def _check_score(model: Model, X: Array, params: Any, rng: np.random.Generator) -> None:
    chart = model.chart(params)
    gradient = chart.gradient(model.e_step(Chunk(X), params), params)
    for _ in range(5):
        direction = rng.standard_normal(chart.size)
        direction /= np.linalg.norm(direction)
        h = 1e-5
        rise = _objective(model, X, chart.params(h * direction))
        fall = _objective(model, X, chart.params(-h * direction))
        slope, found = (rise - fall) / (2 * h), float(gradient @ direction)
        size = float(np.linalg.norm(gradient)) + abs(rise) * 1e-5
        require(
            abs(slope - found) <= DIFFERENCES * size,
            f"score: along a drawn direction it says {found:.8g}, and differences of the "
            f"objective say {slope:.8g}",
        )


def _objective(model: Model, X: Array, params: Any) -> float:
    return model.e_step(Chunk(X), params).loglik + model.log_prior(params)


def _assert_same(one: Summary, two: Summary, what: str) -> None:
    for name, a, b in (("loglik", one.loglik, two.loglik), ("weight", one.weight, two.weight)):
        require(abs(a - b) <= SUMS * (1.0 + abs(b)), f"{what}: {name} is {a}, not {b}")
    others = two.statistics.arrays()
    for name, mine in one.statistics.arrays().items():
        other = others[name]
        require(
            mine.shape == other.shape,
            f"{what}: {name} is of shape {mine.shape}, not {other.shape}; sums over rows have one "
            "shape, and lines for rows stand in a field named in `joined`",
        )
        size = 1.0 + float(np.max(np.abs(other), initial=0.0))
        require(
            bool(np.all(np.abs(mine - other) <= SUMS * size)),
            f"{what}: {name} differs by {np.max(np.abs(mine - other)):.3g}",
        )

"""From settings and rows to a Fit: model, prior, engine and search put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mixtura.data import door
from mixtura.data.moments import TableMoments, robust_covariance, table_moments
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.families.covariance import Structure
from mixtura.families.gaussian import Gaussian
from mixtura.families.gaussian_records import gaussian_params
from mixtura.families.prior import CovariancePrior, absolute_prior, table_prior
from mixtura.fit.climb import Climb, Solver
from mixtura.fit.result import Fit
from mixtura.fit.search import Listener, Outcome, Search, sample_rows
from mixtura.fit.solvers import resolve_solver
from mixtura.fit.starts import StartMaker
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


class DegenerateWarning(UserWarning):
    """A component of the best mixture is empty, or only the penalty keeps it from collapse."""


@dataclass(frozen=True)
class Task:
    """What is asked of a fit: the estimator's settings, checked.

    given are the parameters fixed at the start, by name; begin is the mixture a warm start
    continues and last its Fit.
    """

    structure: Structure
    n_components: int
    reg_covar: float | None
    tol: float
    max_iter: int
    n_init: int
    init_params: str
    engine: str
    solver: str | Solver
    given: dict[str, Array]
    begin: MixtureParams | None
    last: Fit | None


@dataclass(frozen=True)
class Found:
    """The best mixture met, and the account of how."""

    params: MixtureParams
    fit: Fit


def find(rows: Rows, task: Task, rng: np.random.RandomState, listener: Listener | None) -> Found:
    """The best mixture of all initialisations; raises FitError if every one of them failed."""
    form = task.structure.form
    moments = table_moments(rows.X, rows.sample_weight)
    sample = sample_rows(rows, task.n_components, rng)
    moments = replace(moments, distinct=len(sample.X))
    moments = replace(moments, covariance=_robust(sample, moments))
    relative = table_prior(form, moments)
    assert relative.reference is not None
    if task.reg_covar is None:
        door.refuse_few_distinct(rows, task.n_components)
        prior = relative
    else:
        prior = absolute_prior(form, moments, task.reg_covar)
    model = Mixture(Gaussian(task.structure), prior)
    engine = resolve(task.engine, model)
    solver, climber = resolve_solver(task.solver, model)
    search = Search(
        model,
        rows,
        lambda model, rows: open_sweep(engine, model, rows),
        task.tol,
        task.max_iter,
        rng,
        climber,
        listener,
    )
    # The first units are the table's, with the floor that every component will have.
    floor = (task.reg_covar or 0.0) * np.eye(len(moments.mean))
    maker = _maker(model, task, sample, moments, relative.reference + floor)
    outcome = _outcome(search, maker, task)
    return Found(
        outcome.climb.params,
        _account(outcome, search, (solver, engine), (moments.rows, len(sample.X)), prior),
    )


def _robust(sample: Rows, moments: TableMoments) -> Array:
    """What counts as narrow and how far apart starts are must not hang on a few far rows."""
    if moments.flat or sample.sample_weight is None:
        return moments.covariance
    X = sample.X.astype(np.float64)
    return robust_covariance(X, sample.sample_weight, moments.mean, moments.covariance)


def _maker(
    model: Mixture, task: Task, sample: Rows, moments: TableMoments, reference: Array
) -> StartMaker:
    form, K = task.structure.form, task.n_components
    table = gaussian_params(
        np.tile(moments.mean, (K, 1)), form.repeat(form.restrict(reference), K), form
    )
    base = MixtureParams(np.full(K, 1.0 / K), table)
    frames = tuple(form.frames(reference))
    return StartMaker(model, sample, base, frames, moments.mean, task.given)


def _outcome(search: Search, maker: StartMaker, task: Task) -> Outcome:
    if task.begin is not None:
        last = task.last
        return search.climb(task.begin, () if last is None or last.penalised else last.trace)
    if len(task.given) == len(maker.base.arrays()):
        return search.from_given(maker.replaced(maker.base))
    return search.from_starts(maker, task.init_params, task.n_init)


def _account(
    outcome: Outcome,
    search: Search,
    ran: tuple[str, str],
    rows: tuple[int, int],
    prior: CovariancePrior,
) -> Fit:
    climb = outcome.climb
    return Fit(
        loglik=climb.summary.loglik,
        weight=climb.summary.weight,
        rows=rows[0],
        trace=(*climb.earlier, *climb.logliks),
        penalised=outcome.penalised,
        passes=search.passes,
        sample_passes=search.sample_passes,
        iterations=climb.iterations,
        converged=climb.converged,
        reason=climb.reason,
        gradient_norm=climb.gradient_norm,
        gap=climb.gap,
        certificate=outcome.certificate,
        n_parameters=search.model.n_parameters(climb.params),
        solver=ran[0] if ran[0] == climb.ran else f"{ran[0]} ({climb.ran})",
        engine=ran[1],
        starts=tuple(search.reports),
        moves=search.moves,
        sample_rows=rows[1],
        floored=outcome.floored,
        empty=tuple(
            int(k) for k in np.flatnonzero(climb.params.weights * _rows(climb, prior) < 0.5)
        ),
        held=prior.held_columns,
    )


def _rows(climb: Climb, prior: CovariancePrior) -> float:
    """The rows behind a climb, also where weights are not counts."""
    return climb.summary.weight * prior.count_scale


def complaints(fit: Fit) -> Iterator[tuple[str, type[Warning]]]:
    """(message, category) of each warning the fit deserves."""
    if not fit.converged and len(fit.trace) > 1:
        yield (
            "Best performing initialization did not converge. Try different init parameters, "
            "or increase max_iter, tol, or check for degenerate data.",
            ConvergenceWarning,
        )
    if fit.starts and (fit.starts[-1].name, fit.starts[-1].outcome) == ("given", "failed"):
        yield fit.reason, ConvergenceWarning
    troubles = [f"component {k} is empty: it holds less than half a row" for k in fit.empty]
    troubles += [
        f"component {part.component} holds {part.count:.3g} rows and only the penalty keeps "
        f"it from collapsing (its smallest variance is {part.spread:.2g} of the table's)"
        for part in fit.floored
    ]
    if troubles:
        yield "; ".join(troubles) + ". Use fewer components, or another seed", DegenerateWarning

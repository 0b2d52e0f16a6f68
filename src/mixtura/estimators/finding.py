"""From settings and rows to a Fit: model, prior, engine and search put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mixtura.data import door
from mixtura.data.moments import TableMoments, robust_covariance, source_moments
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import Sweep
from mixtura.engines.choose import resolve
from mixtura.engines.journaled import Journal, Journaled
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.estimators.ground import Ground, factor_ground
from mixtura.families.covariance import Structure
from mixtura.families.factor.prior import NoisePrior
from mixtura.families.forms import Form
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

NOTHING_GIVEN: Mapping[str, Array] = MappingProxyType({})


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


def find(
    rows: Source,
    task: Task,
    rng: np.random.RandomState,
    listener: Listener | None,
    journal: Journal | None = None,
) -> Found:
    """The best mixture of all initialisations; raises FitError if every one of them failed.

    On small tables BLAS would wake its threads for every step of the optimisers, at ten times the
    price of the step; and what it and k-means add up would depend on how many threads they have.
    """
    with single_blas, single_openmp():
        return _found(rows, task, rng, listener, journal)


def _found(
    rows: Source,
    task: Task,
    rng: np.random.RandomState,
    listener: Listener | None,
    journal: Journal | None,
) -> Found:
    ground = prepare(
        rows,
        task.structure,
        task.n_components,
        rng,
        reg_covar=task.reg_covar,
        engine=task.engine,
        given=task.given,
    )
    if journal is not None and ground.engine == "mixed":
        raise ValueError(
            "checkpoint: with engine='mixed' a pass hangs on those before it, so no fit could be "
            "taken up again where it was. Use engine='auto'"
        )
    solver, climber = resolve_solver(task.solver, ground.model)
    search = Search(
        ground.model,
        rows,
        ground.open_sweep if journal is None else journaled(ground, rows, journal),
        task.tol,
        task.max_iter,
        rng,
        climber,
        listener,
    )
    outcome = _outcome(search, ground.maker, task)
    counts = ground.moments.rows, len(ground.maker.rows.X)
    return Found(
        outcome.climb.params,
        account(outcome, search, (solver, ground.engine), counts, ground.model.prior),
    )


def journaled(ground: Ground, rows: Source, journal: Journal) -> Callable[[Mixture, Source], Sweep]:
    """`ground.open_sweep`, its sweeps over all rows journaled."""

    def open_one(model: Mixture, source: Source) -> Sweep:
        sweep = ground.open_sweep(model, source)
        return Journaled(sweep, model, journal) if source is rows else sweep

    return open_one


@dataclass(frozen=True)
class Surveyed:
    """What is known of a table before any mixture: its moments; the rows starts are found on."""

    moments: TableMoments
    sample: Rows
    priors: dict[str, CovariancePrior] = field(default_factory=dict)

    def prior(self, form: Form) -> CovariancePrior:
        """The default prior in a form of storage, made once."""
        if form.name not in self.priors:
            self.priors[form.name] = table_prior(form, self.moments)
        return self.priors[form.name]


def surveyed(rows: Source, n_components: int, rng: np.random.RandomState) -> Surveyed:
    """`rng` draws the sample."""
    moments = source_moments(rows)
    sample = sample_rows(rows, n_components, rng)
    moments = replace(moments, distinct=len(sample.X))
    return Surveyed(replace(moments, covariance=_robust(sample, moments)), sample)


def prepare(
    rows: Source,
    structure: Structure,
    n_components: int,
    rng: np.random.RandomState,
    *,
    reg_covar: float | None = None,
    engine: str = "auto",
    given: Mapping[str, Array] = NOTHING_GIVEN,
    known: Surveyed | None = None,
) -> Ground:
    """Model, engine and starts for a table; ValueError where they do not fit it.

    `rng` draws the sample on which starts are found, unless the table is `known` already.
    """
    if structure.columns not in (None, rows.d):
        raise ValueError(
            f"covariance_type={structure.name!r} is for a table of {structure.columns} column, "
            f"found {rows.d}. Use 'EII' or 'VII' for one variance in all columns, "
            "'EEE' or 'VVV' for correlations"
        )
    if structure.factors is not None:
        return factor_ground(
            rows,
            structure.factors,
            n_components,
            rng,
            reg_covar=reg_covar,
            engine=engine,
            given=given,
        )
    form = structure.form
    known = known or surveyed(rows, n_components, rng)
    moments, sample = known.moments, known.sample
    relative = known.prior(form)
    assert relative.reference is not None
    if structure.ranked and relative.held_columns:
        named = ", ".join(map(str, relative.held_columns))
        raise ValueError(
            f"covariance_type={structure.name!r} compares the volumes or shapes of components, and "
            f"X has no variance of its own in column {named} (counted from 0): leave out what is "
            "constant or a sum of others, or use 'VVV', 'EEE', 'EEV', 'VVI' or 'EEI'"
        )
    if reg_covar is None:
        if len(sample.X) < n_components:
            door.refuse_few_distinct(rows, n_components)
        prior = relative
    else:
        prior = absolute_prior(form, moments, reg_covar)
    model = Mixture(Gaussian(structure), prior)
    # The first units are the table's, with the floor that every component will have.
    reference = relative.reference + (reg_covar or 0.0) * np.eye(len(moments.mean))
    base = _base(form, n_components, moments.mean, reference)
    frames = tuple(form.frames(reference))
    maker = StartMaker(model, sample, base, frames, moments.mean, given)
    return Ground(model, resolve(engine, model), moments, maker)


def _robust(sample: Rows, moments: TableMoments) -> Array:
    """What counts as narrow and how far apart starts are must not hang on a few far rows."""
    if moments.flat or sample.sample_weight is None:
        return moments.covariance
    X = sample.X.astype(np.float64)
    return robust_covariance(X, sample.sample_weight, moments.mean, moments.covariance)


def _base(form: Form, K: int, mean: Array, reference: Array) -> MixtureParams:
    """K components as wide as the table, all at its mean."""
    covariances = form.repeat(form.restrict(reference), K)
    return MixtureParams(
        np.full(K, 1.0 / K), gaussian_params(np.tile(mean, (K, 1)), covariances, form)
    )


def _outcome(search: Search, maker: StartMaker, task: Task) -> Outcome:
    if task.begin is not None:
        last = task.last
        return search.climb(task.begin, () if last is None or last.penalised else last.trace)
    if len(task.given) == len(maker.base.arrays()):
        return search.from_given(maker.replaced(maker.base))
    return search.from_starts(maker, task.init_params, task.n_init)


def account(
    outcome: Outcome,
    search: Search,
    ran: tuple[str, str],
    rows: tuple[int, int],
    prior: CovariancePrior | NoisePrior,
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
        remark=outcome.remark,
        starts=tuple(search.reports),
        moves=search.moves,
        sample_rows=rows[1],
        floored=outcome.floored,
        empty=tuple(
            int(k) for k in np.flatnonzero(climb.params.weights * _rows(climb, prior) < 0.5)
        ),
        held=prior.held_columns,
    )


def _rows(climb: Climb, prior: CovariancePrior | NoisePrior) -> float:
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
        if not part.columns
    ]
    heywood = [
        f"in component {part.component} the noise of column "
        f"{', '.join(map(str, part.columns))} (counted from 0) runs to zero"
        for part in fit.floored
        if part.columns
    ]
    if heywood:
        yield (
            "; ".join(heywood) + ": a Heywood case, in which a column is a factor all by itself "
            "and only the penalty keeps its noise above zero. Use fewer factors",
            DegenerateWarning,
        )
    if troubles:
        yield "; ".join(troubles) + ". Use fewer components, or another seed", DegenerateWarning

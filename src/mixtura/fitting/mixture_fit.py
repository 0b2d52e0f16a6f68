"""From settings and rows to a Fit: model, prior, engine and search put together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from mixtura.data.known_rows import KnownRows
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.engines.choose import resolve_for
from mixtura.engines.journaled import Journal
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.engines.trimming import refuse_gaps
from mixtura.families.base import Family
from mixtura.families.believed import believed
from mixtura.families.conjugate import Conjugate
from mixtura.families.design import design
from mixtura.families.returned import settle
from mixtura.fitting.account import account
from mixtura.fitting.anchors import Anchors
from mixtura.fitting.checkpoint import journaled
from mixtura.fitting.condensed import restored
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.noise import Asked, cleaned, refuse_noise, uniform_of
from mixtura.fitting.outcome import Outcome
from mixtura.fitting.prepared import Ground, trimmed
from mixtura.fitting.roles import Roles
from mixtura.fitting.sample import sample_rows
from mixtura.fitting.search import Search
from mixtura.fitting.starts import StartMaker
from mixtura.fitting.without_noise import refilled
from mixtura.fitting.without_some import MOST, improved
from mixtura.models.concomitant import Concomitant
from mixtura.models.fixed import FixedWeights
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.noise import Noisy
from mixtura.records import Array
from mixtura.result import Fit
from mixtura.solvers.clock import Clock
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import CLIMBERS, begins, ends_by_clock, refuse_untimed, resolve_solver

NOTHING_GIVEN: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True)
class Task:
    """What is asked of a fit: the estimator's settings, checked.

    given are the parameters fixed at the start, by name; begin is the mixture a warm start
    continues and last its Fit; concomitants are the columns that the weights hang on; noise is the
    volume of rows that belong to no component, as `fitting.noise` takes it; trim is the share of
    the rows that is left out; fixed are the weights that are known, what is known of components is
    the family's; max_seconds is when the search ends with what it has; with highest the end need
    not be surely so.
    """

    family: Family
    n_components: int
    tol: float
    max_iter: int
    n_init: int | str
    init_params: str
    engine: str
    solver: str | Solver
    given: dict[str, Array]
    begin: MixtureParams | None
    last: Fit | None
    concomitants: tuple[int, ...] = ()
    noise: Asked | None = None
    trim: float = 0.0
    fixed: FixedWeights | None = None
    prior: tuple[Conjugate, ...] = ()
    max_seconds: float = math.inf
    highest: bool = False

    @property
    def pins(self) -> bool:
        """Whether parameters are known in advance."""
        return self.fixed is not None or self.family.pinned is not None


@dataclass(frozen=True)
class Found:
    """The best mixture met, and the account of how; family and model have seen the table.

    threshold is the least log-density of a row that trimming kept, None without.
    """

    params: MixtureParams
    fit: Fit
    family: Any = None
    model: Any = None
    threshold: float | None = None


def find(
    rows: Source,
    task: Task,
    rng: np.random.RandomState,
    listener: FitListener | None,
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
    listener: FitListener | None,
    journal: Journal | None,
) -> Found:
    clock = Clock(task.max_seconds)
    K, family = task.n_components, task.family
    known = surveyed(rows, K, rng, groups=K, numbers=family.start_numbers)
    plain = _only_steps(task) and not isinstance(rows, KnownRows)
    way = family.condensed(known) if plain else None
    if way is not None:
        family, known = way[0], way[2].survey
        rows = known.source
    ground = _ground(rows, replace(task, family=family), rng, known)
    solver, climber = resolve_solver(task.solver, ground.model)
    _refuse_together(task, solver, ground.engine if journal is not None else "")
    refuse_prior(task, solver, ground.model.prior.asked)
    if (isinstance(rows, KnownRows) or task.pins) and not begins(solver):
        raise ValueError(
            f"solver={solver!r} answers from the table's moments alone, which know no labels "
            "or fixed parameters: leave them out, or use solver='auto'"
        )
    if isinstance(rows, KnownRows):
        refuse_labels(task, solver, ground.engine)
    search = Search(
        ground.model,
        rows,
        ground.open_sweep if journal is None else journaled(ground.open_sweep, rows, journal),
        task.tol,
        task.max_iter,
        rng,
        climber,
        listener,
        clock=clock,
        plainly=_plainly(task, rows),
        sure=not task.highest,
    )
    with clock.hearing(journal is None and ends_by_clock(solver)):
        if begins(solver):
            outcome = _outcome(search, ground.maker, task)
        else:
            outcome = search.climb(ground.maker.base)
        if task.trim and task.begin is None and not (task.given or task.pins or search.late):
            outcome = _without_clumps(search, ground, task, outcome)
        if task.noise is not None and begins(solver) and not (task.begin or task.given):
            bare = replace(task, noise=None, n_init=1)
            outcome = refilled(search, lambda: _ground(rows, bare, rng, known), outcome)
    kept = trimmed(ground, outcome.climb.params)
    counts = rows.positive if kept is None else kept.rows, len(ground.maker.rows.X)
    fit = account(outcome, search, (solver, ground.engine), counts)
    if way is not None:
        fit = restored(fit, *way[1:])
        return Found(fit.params, fit, way[1])
    if kept is not None:
        # Races are run over a sample of which no row is left out: not on the scale of ends.
        raced = (one if one.finished else replace(one, loglik=None) for one in fit.starts)
        fit = replace(fit, starts=tuple(raced))
    return Found(fit.params, fit, ground.model.family, ground.model, kept and kept.threshold)


def _ground(rows: Source, task: Task, rng: np.random.RandomState, known: Survey) -> Ground:
    return prepare(
        rows,
        task.family,
        task.n_components,
        rng,
        engine=task.engine,
        given=task.given,
        known=known,
        concomitants=task.concomitants,
        noise=task.noise,
        trim=task.trim,
        fixed=task.fixed,
        prior=task.prior,
    )


def _refuse_together(task: Task, solver: str, journaled_engine: str) -> None:
    """ValueError for settings of which each is fine alone."""
    if task.max_seconds < math.inf:
        refuse_untimed(solver)
    if journaled_engine == "mixed":
        raise ValueError(
            "checkpoint: with engine='mixed' a pass hangs on those before it, so no fit could be "
            "taken up again where it was. Use engine='auto'"
        )
    asked = task.given or task.begin is not None or task.init_params != "auto" or task.n_init != 1
    if not begins(solver) and (asked or task.trim):
        raise ValueError(
            f"solver={solver!r} answers from all rows at once and begins nowhere: leave out starts "
            "(n_init, init_params, ..._init, warm_start) and trim, or use solver='auto'"
        )
    if solver == "nce" and task.noise is not None:
        raise ValueError(
            "solver='nce' tells rows from others by a density that integrates to 1, and that of "
            "noise is 1/V everywhere: use another solver, or noise=None"
        )


def refuse_prior(task: Task, solver: str, asked: bool) -> None:
    """ValueError for solvers that know no prior; asked: whether the family has one of its own."""
    if solver == "nce" and task.prior:
        raise ValueError(
            "solver='nce' tells rows from others and maximises no posterior: use another solver, "
            "or prior=None"
        )
    if (asked or task.prior) and not begins(solver):
        raise ValueError(
            f"solver={solver!r} answers from the table's moments alone, which know no prior: use "
            "solver='auto', or prior=None"
        )


def refuse_labels(task: Task, solver: str, engine: str) -> None:
    """ValueError for settings that know no labels."""
    for asked, found in (
        (task.trim, f"trim={task.trim:g}"),
        (solver == "nce", "solver='nce'"),
        (engine == "mixed", "engine='mixed'"),
    ):
        if asked:
            raise ValueError(f"labels: {found} knows none: leave it out, or fit without labels")


def _without_clumps(search: Search, ground: Ground, task: Task, outcome: Outcome) -> Outcome:
    """The best of an outcome and of climbs that begin without some of a larger mixture."""
    known, K = ground.survey, task.n_components
    # With a component on each row there is nothing to tell apart.
    for size in range(K + 1, min(K + MOST + 1, known.sample.n)):
        settings: dict[str, Any] = {"engine": task.engine, "known": known, "trim": task.trim}
        larger = prepare(known.source, task.family, size, search.rng, **settings)
        outcome = improved(search, ground, larger, outcome)
    return outcome


def _only_steps(task: Task) -> bool:
    """Whether a fit is starts and EM steps alone, in which no parameter is given."""
    return (
        not (task.given or task.concomitants or task.pins)
        and task.noise is None
        and not task.trim
        and task.begin is None
        and task.solver in ("auto", "em")
    )


def _plainly(task: Task, rows: Source) -> bool:
    """Whether the plain hill is climbed too where rows are few."""
    begun = task.given or task.begin is not None or isinstance(rows, KnownRows)
    bare = not (task.concomitants or task.pins or task.trim or task.prior or task.noise is not None)
    return bare and not begun and task.solver in CLIMBERS


def surveyed(
    rows: Source,
    n_components: int,
    rng: np.random.RandomState,
    *,
    groups: int = 1,
    numbers: int | None = None,
) -> Survey:
    """`rng` draws the sample, with `numbers` of at most about so many.

    `groups` is the number of components of the smallest mixture.
    """
    return Survey(rows, sample_rows(rows, n_components, rng, numbers), groups)


def prepare(
    rows: Source,
    family: Family,
    n_components: int,
    rng: np.random.RandomState,
    *,
    engine: str = "auto",
    given: Mapping[str, Array] = NOTHING_GIVEN,
    known: Survey | None = None,
    concomitants: tuple[int, ...] = (),
    noise: Asked | None = None,
    trim: float = 0.0,
    fixed: FixedWeights | None = None,
    prior: tuple[Conjugate, ...] = (),
) -> Ground:
    """Model, engine and starts for a table; ValueError where they do not fit it.

    `rng` draws the sample on which starts are found, unless the table is `known` already.
    """
    known = known or surveyed(
        rows, n_components, rng, groups=n_components, numbers=family.start_numbers
    )
    settled = settle(family, known, n_components)
    settled = replace(settled, prior=believed(settled.family, settled.prior, prior, known.source.d))
    model = Mixture(settled.family, settled.prior, fixed=fixed)
    found = design(known.sample, concomitants, True, "concomitant") if concomitants else None
    if found is not None:
        model = Concomitant(settled.family, settled.prior, found)
    if trim and isinstance(rows, Rows):
        refuse_gaps(rows.X)
    rows = known.sample
    begun: Mixture = model
    if noise is not None or trim:
        rows, share = cleaned(rows, settled.frames[0](rows.X))
    if noise is not None:
        refuse_noise(settled.family)
        uniform = uniform_of(noise, known.source, settled.family)
        begun = Noisy(settled.family, settled.prior, uniform, share)

    def mixed(K: int, components: Any) -> Any:
        plain = MixtureParams(np.full(K, 1.0 / K), components)
        return model.even(plain) if isinstance(model, Concomitant) else plain

    # Its moments are worked out once, if anybody asks.
    sample = Survey(rows, rows)

    @cache
    def fewer(K: int) -> Any:
        own = settled.alike(sample, K) if settled.alike else settled.family.settled(sample, K).base
        return mixed(K, own)

    anchors = _anchors(model, settled.base, n_components, known.source.d)
    base = mixed(n_components, settled.base)
    far = settled.family.heavy_tailed and not concomitants
    maker = StartMaker(model, rows, base, settled.frames, given, fewer, anchors, far)
    return Ground(begun, resolve_for(known.source, engine, begun), known, maker, trim)


def _anchors(model: Mixture, base: Any, K: int, d: int) -> Anchors | None:
    """What starts are told of parameters that are known; None where none is."""
    if model.fixed is None and model.family.pinned is None:
        return None
    pinned, name = model.family.pinned, next(iter(model.family.supports()))
    means = None if pinned is None else pinned.places(name)
    if means is not None and not _is_mean(model.family, base, name):
        means = None
    shares = np.full(K, np.nan) if model.fixed is None else model.fixed.values
    places = np.full((K, d), np.nan) if means is None else means
    if pinned is None or pinned.common or pinned.roots is None:
        return Anchors(shares, places, roles=_roles(pinned, shares, places))
    shaped = [k for k in pinned.shapes(K) if np.isnan(places[k]).any()]
    roles, alike = _roles(pinned, shares, places), pinned.alike and model.fixed is None
    return Anchors(shares, places, shaped, pinned.log_densities, roles, alike)


def _is_mean(family: Family, params: Any, name: str) -> bool:
    """Whether a parameter is where the rows of components lie, in their units."""
    try:
        return np.array_equal(family.means(params), params.arrays()[name])
    except NotImplementedError:
        return False


def _roles(pinned: Any, shares: Array, places: Array) -> Roles:
    """The roles of components, where limits treat them unequally."""
    K = len(shares)
    limits = [] if pinned is None else pinned.roles(K)
    if len(set(limits)) < 2:
        return ()
    each = [
        (limit, share.tobytes(), place.tobytes())
        for limit, share, place in zip(limits, shares, places, strict=True)
    ]
    return tuple(each.index(one) for one in each)


def _outcome(search: Search, maker: StartMaker, task: Task) -> Outcome:
    if task.begin is not None:
        last = task.last
        return search.climb(task.begin, () if last is None or last.penalised else last.trace)
    if len(task.given) == len(maker.base.arrays()):
        return search.from_given(maker.replaced(maker.base))
    return search.from_starts(maker, task.init_params, task.n_init)

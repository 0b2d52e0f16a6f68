"""One cell of a search: fitted and judged."""

from __future__ import annotations

import operator
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.known_rows import KnownRows
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.streamed import Streamed
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.errors import FAILURES
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.measured import widened
from mixtura.estimators.opened import missing_row
from mixtura.fitting.account import account
from mixtura.fitting.mixture_fit import Found, prepare, refuse_labels, refuse_prior
from mixtura.fitting.outcome import better
from mixtura.fitting.prepared import trimmed
from mixtura.fitting.search import Search
from mixtura.inference import criteria
from mixtura.models.known_states import as_known
from mixtura.models.responsibilities import normalise
from mixtura.records import AnyArray, Spike
from mixtura.result import Fit
from mixtura.selection.beside import plainly
from mixtura.selection.points import AnyPoint
from mixtura.selection.splitting import best_split
from mixtura.solvers.registry import resolve_solver

Fold = tuple[AnyArray, AnyArray]


@dataclass(frozen=True)
class Trial:
    """A finished cell: what was found, or why nothing was.

    flaw says what is wrong with a mixture that is not to be chosen. certainty is
    sum_i w_i log max_k P(k | x_i). heldout holds (log-likelihood, weight) of each fold's rows.
    """

    point: AnyPoint
    result: Found | None
    flaw: str = ""
    certainty: float = np.nan
    heldout: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0

    @property
    def regular(self) -> bool:
        """Whether this mixture may be chosen."""
        return self.held and not self.flaw

    @property
    def held(self) -> bool:
        """Whether there is a mixture at all."""
        return self.result is not None

    @property
    def found(self) -> Found:
        """The mixture; ask `held` first."""
        assert self.result is not None
        return self.result

    def measures(self) -> dict[str, float]:
        """Log-likelihood, number of parameters and every criterion, each in its own sign."""
        return self._measures

    @cached_property
    def _measures(self) -> dict[str, float]:
        if not self.held:
            return {}
        fit = self.found.fit
        asked = fit.loglik, fit.n_parameters
        return {
            "loglik": fit.loglik,
            "n_parameters": fit.n_parameters,
            "bic": criteria.bic(*asked, fit.weight),
            "icl": criteria.icl(*asked, fit.weight, self.certainty),
            "aic": criteria.aic(*asked),
            "aicc": criteria.aicc(*asked, fit.weight),
            "heldout": self.mean_heldout,
        }

    def mixture(self, settings: Mapping[str, Any], rows: Source) -> ClimbedMixture:
        """The estimator that holds what was found in `rows`."""
        mixture: ClimbedMixture = self.point.unfitted(settings)
        mixture.n_features_in_ = rows.d
        mixture._hold(self.found, rows.dtype)
        return mixture

    @property
    def mean_heldout(self) -> float:
        """Log-likelihood per unit of weight of the rows left out; nan where none were."""
        if not self.heldout:
            return np.nan
        return sum(part[0] for part in self.heldout) / sum(part[1] for part in self.heldout)


def tried(
    rows: Source,
    settings: Mapping[str, Any],
    point: AnyPoint,
    before: Trial | None,
    folds: Sequence[Fold],
) -> Trial:
    """Fit one cell to all rows, from its own starts and from the best split of `before`.

    For every fold the cell is fitted to its other rows, from its own starts only, so that nothing
    of the rows left out is known.
    """
    began = time.perf_counter()
    with single_blas, single_openmp():
        try:
            found, flaw = fitted(rows, settings, point, before)
            trial = Trial(point, found, flaw)
            mixture = trial.mixture(settings, rows)
            heldout = tuple(_left_out(rows, settings, point, fold) for fold in folds)
            certainty = rows.reduced(lambda part: _certainty(mixture, part), operator.add)
        except (ValueError, ArithmeticError) as error:
            return Trial(point, None, str(error), seconds=time.perf_counter() - began)
    return Trial(point, found, flaw, certainty, heldout, time.perf_counter() - began)


def _certainty(mixture: ClimbedMixture, part: Source) -> float:
    """sum_i w_i log max_k P(k | x_i) of the rows of a table in memory, or of one of its parts."""
    assert isinstance(part, Rows)
    told: dict[str, Any] = part.measured
    p = mixture.predict_proba(part.X, **told)
    if isinstance(part, KnownRows):
        with np.errstate(divide="ignore"):
            p = normalise(as_known(np.log(p.astype(np.float64)), part.known))[1]
    best = np.log(p.max(axis=1).astype(np.float64))
    w = part.sample_weight
    return float(best.sum() if w is None else w @ best)


def fitted(
    rows: Source, settings: Mapping[str, Any], point: AnyPoint, before: Trial | None = None
) -> tuple[Found, str]:
    """What was found in one cell, and its flaw; empty where it has none."""
    mixture = point.unfitted(settings)
    task = mixture._task(mixture._family(), rows.d)
    assert isinstance(rows, Rows | Streamed)
    rng = np.random.RandomState(mixture.random_state)
    family = task.family.filling(rows.X if isinstance(rows, Rows) else missing_row(rows))
    plain = rows
    if isinstance(rows, Rows):
        family, rows = widened(mixture, family, rows)
    ground = prepare(
        rows,
        family,
        task.n_components,
        rng,
        engine=task.engine,
        noise=task.noise,
        trim=task.trim,
        prior=task.prior,
    )
    name, solver = resolve_solver(task.solver, ground.model)
    refuse_prior(task, name, ground.model.prior.asked)
    if isinstance(rows, KnownRows):
        refuse_labels(task, name, ground.engine)
    search = Search(ground.model, rows, ground.open_sweep, task.tol, task.max_iter, rng, solver)
    outcome = search.from_starts(ground.maker, task.init_params, task.n_init)
    start = None
    # A split is of all rows among components, which noise and trimmed rows are not in.
    if before is not None and task.noise is None and not task.trim:
        own = rows if isinstance(rows, Rows) else ground.maker.rows
        smaller, fewer = before.mixture(settings, plain)._fitted()
        if rows is not plain:
            smaller = replace(smaller, family=ground.model.family)
        start = best_split(ground, own, smaller, fewer, task.tol)
    if start is not None:
        try:
            other = search.climb(start)
        except FAILURES:
            other = outcome
        if better(other, outcome):
            outcome = other
    kept = trimmed(ground, outcome.climb.params)
    counts = rows.positive if kept is None else kept.rows, len(ground.maker.rows.X)
    fit = account(outcome, search, (name, ground.engine), counts)
    model = ground.model if outcome.penalised else ground.model.unpenalised()
    narrow = model.guard(outcome.climb.summary, outcome.climb.params)
    least = None if kept is None else kept.threshold
    found = Found(fit.params, fit, ground.model.family, ground.model, least)
    return plainly(found), flaw_of(fit, narrow)


def flaw_of(fit: Fit, narrow: Sequence[Spike]) -> str:
    """Why a mixture may not be chosen; narrow are the components that collapsed."""
    if fit.empty:
        return f"component {fit.empty[0]} is empty"
    if narrow:
        return f"component {narrow[0].component} has collapsed onto {narrow[0].count:.3g} rows"
    return ""


def _left_out(
    rows: Source, settings: Mapping[str, Any], point: AnyPoint, fold: Fold
) -> tuple[float, float]:
    """Log-likelihood and weight of a fold's rows under a fit to the others."""
    assert isinstance(rows, Rows)
    found, _ = fitted(rows.take(fold[0]), settings, point)
    out = rows.take(fold[1])
    mixture = Trial(point, found).mixture(settings, out)
    log_p = mixture.score_samples(out.X, **out.measured).astype(np.float64)
    return float(
        log_p.sum() if out.sample_weight is None else out.sample_weight @ log_p
    ), out.weight

"""A table of cells fitted side by side: what cells have in common is made once for all of them.

All structures with K components have the same starts (see `shared_starts`), as in mclust (Scrucca,
Fop, Murphy & Raftery 2016, The R Journal 8). Beside these a cell starts from the splits of its
structure's mixture with one component less. All are climbed a little, inside C, and the best one to
the end. Then a cell that is below a mixture nested in it begins there anew, so none stays below.

A cell is as sure as a single climb that ended regularly: it is examined only when it is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from mixtura.data import door
from mixtura.data.rows import Rows
from mixtura.engines.gaussian.structured import Contested
from mixtura.engines.gaussian.whole import Climber, End, narrow, responsibilities
from mixtura.engines.threads import ordered_map, single_blas, single_openmp
from mixtura.errors import FAILURES
from mixtura.families.gaussian.covariance import structure
from mixtura.families.registry import family
from mixtura.fitting.account import account
from mixtura.fitting.mixture_fit import Found, prepare, surveyed
from mixtura.fitting.prepared import Ground
from mixtura.fitting.sample import sample_size
from mixtura.fitting.search import Search
from mixtura.inference.nesting import doubled, embedded, freedom, nested
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.result import Certificate, Fit, StartReport
from mixtura.selection.points import Point
from mixtura.selection.shared_starts import shared_starts
from mixtura.selection.trial import Trial, flaw_of
from mixtura.solvers.registry import resolve_solver

# Higher, in units of log-likelihood, than rounding and what a climb leaves.
HIGHER = 1e-6

Lane = tuple[str, float | None]


@dataclass(frozen=True)
class Common:
    """What all cells of a structure and prior share.

    `held` climbs with the penalty.
    """

    ground: Ground
    free: Climber
    held: Climber


class Quick:
    """Fits the cells of one table, a round of equally many components at a time."""

    def __init__(self, rows: Rows, settings: Mapping[str, Any], points: Sequence[Point]) -> None:
        self.rows, self.settings = rows, settings
        self.tol, self.max_iter = settings["tol"], settings["max_iter"]
        self.rng = np.random.RandomState(settings["random_state"])
        self.numbers = sorted({point.n_components for point in points})
        self.known = surveyed(rows, self.numbers[-1], self.rng)
        # The same rows once each, with their weights, where the starts' sample is the whole table.
        sample = self.known.sample
        whole = rows.positive <= sample_size(rows.d, self.numbers[-1])
        self.few, self.all = sample, sample if whole else rows
        self.lanes: dict[Lane, Common | ValueError] = {}
        for point in points:
            if point.lane not in self.lanes:
                self.lanes[point.lane] = self._common(point)
        self.starts = shared_starts(self.known, self.numbers, settings["n_init"], self.rng)

    def round(
        self, points: Sequence[tuple[Point, Trial | None]], done: Mapping[Point, Trial]
    ) -> Iterator[Trial]:
        """Trials of cells with equally many components, each beside the same with one less.

        `done` holds those of them that are known already.
        """
        # The largest structures take longest, and nobody is to wait for the last one.
        longest = sorted(points, key=lambda each: -_freedom(each[0].covariance_type))
        with single_blas, single_openmp():
            found = {trial.point: trial for trial in ordered_map(self._tried, longest)}
            before = dict(points)
            beside = {**done, **found}
            # From the smallest structure up, so that what one gained the next can take over.
            for point in sorted(found, key=lambda point: _freedom(point.covariance_type)):
                beside[point] = self._lifted(beside[point], beside, before[point])
                yield beside[point]

    def refitted(self, trial: Trial) -> Trial:
        """The mixture climbed to the last digits by the solver, and examined."""
        ground = self._of(trial.point).ground
        name, solver = resolve_solver(self.settings["solver"], ground.model)
        rng = np.random.RandomState(self.settings["random_state"])
        search = Search(
            ground.model, self.rows, ground.open_sweep, self.tol, self.max_iter, rng, solver
        )
        with single_blas, single_openmp():
            try:
                outcome = search.climb(trial.found.params)
            except FAILURES as error:
                return replace(trial, flaw=str(error))
        counts = self.rows.positive, len(self.few.X)
        fit = account(outcome, search, (name, ground.engine), counts)
        fit = replace(fit, starts=trial.found.fit.starts)
        return self._judged(trial.point, outcome.climb.params, fit, trial.seconds)

    def _common(self, point: Point) -> Common | ValueError:
        """What cells of a structure and prior share; the error where they do not fit the table."""
        kind = family(point.covariance_type, point.reg_covar)
        try:
            ground = prepare(self.rows, kind, 1, self.rng, known=self.known)
        except ValueError as error:
            return error
        units, model = ground.maker.base.components, ground.model
        free, held = (
            Climber(each, units, self.tol, self.max_iter) for each in (model.unpenalised(), model)
        )
        return Common(ground, free, held)

    def _of(self, point: Point) -> Common:
        common = self.lanes[point.lane]
        if isinstance(common, ValueError):
            raise common
        return common

    def _tried(self, given: tuple[Point, Trial | None]) -> Trial:
        """One cell by itself."""
        point, before = given
        began = time.perf_counter()
        starts = self.starts[point.n_components][1]
        fewer = None if before is None else before.found.params
        try:
            common = self._of(point)
            if point.reg_covar is None and point.n_components > len(self.few.X):
                door.refuse_few_distinct(self.rows, point.n_components)
            end, told = common.free.contest(self.few, starts, fewer)
            trial = self._ended(point, (end, told), fewer is not None)
            if trial.flaw and end is not None and common.free.family.structure.ranked:
                # In a contest only fitted covariances are looked at: here they hide a spike.
                end, won = self._sound(common, starts)
                if end is not None:
                    told = told._replace(won=won)
                    trial = self._ended(point, (end, told), fewer is not None)
        except (ValueError, ArithmeticError) as error:
            trial = Trial(point, None, str(error))
        return replace(trial, seconds=time.perf_counter() - began)

    def _ended(self, point: Point, contest: tuple[End | None, Contested], split: bool) -> Trial:
        """The trial of a cell from the end of its contest on the sample."""
        names, starts = self.starts[point.n_components]
        common, (end, told) = self._of(point), contest
        penalised = end is None
        if end is not None and self.all is not self.few:
            end = common.free.from_params(self.all, end.params)
        if end is None:
            end = self._penalised(common, starts[0])
        if end is None:
            return Trial(point, None, "every start ends in a singularity")
        reports = tuple(
            StartReport(
                name,
                int(steps),
                float(value) / self.few.weight if np.isfinite(value) else None,
                "kept" if i == told.won else "dropped" if np.isfinite(value) else "failed",
            )
            for i, (name, value, steps) in enumerate(
                zip((*names, "a split"), told.values, told.steps, strict=True)
            )
            if i < len(names) or split
        )
        return self._judged(point, end.params, self._fit(point, end, reports, penalised))

    def _sound(self, common: Common, starts: Array) -> tuple[End | None, int]:
        """The best end of a start by itself that is no spike, and its place."""
        best: tuple[End | None, int] = None, -1
        for i, resp in enumerate(starts):
            end = common.free.from_groups(self.few, resp)
            if end is None or (best[0] is not None and end.loglik <= best[0].loglik):
                continue
            if not narrow(self.few, common.free.model, end.params):
                best = end, i
        return best

    def _penalised(self, common: Common, start: Array) -> End | None:
        """With the penalty, where nothing is regular without; without it from there, if that is."""
        end = common.held.from_groups(self.few, start)
        if end is None:
            return None
        return common.free.from_params(self.all, end.params) or common.held.from_params(
            self.all, end.params
        )

    def _lifted(self, trial: Trial, beside: Mapping[Point, Trial], fewer: Trial | None) -> Trial:
        """The trial, from a mixture nested in it where that is higher or this one irregular."""
        point = trial.point
        if isinstance(self.lanes[point.lane], ValueError):
            return trial
        own = trial.found.fit.loglik + HIGHER if trial.regular else -np.inf
        higher = [
            other
            for other in beside.values()
            if other.regular
            and other.found.fit.loglik > own
            and other.point.reg_covar == point.reg_covar
            and _nested(other.point.covariance_type, point.covariance_type)
        ]
        # A collapsed cell keeps its name: one component twice would say nothing.
        if trial.regular and fewer is not None and fewer.found.fit.loglik > own:
            higher.append(fewer)
        for other in sorted(higher, key=lambda other: -other.found.fit.loglik):
            try:
                lifted = self._from(other, trial)
            except FAILURES:
                continue
            if lifted.regular:
                return lifted
        return trial

    def _from(self, other: Trial, trial: Trial) -> Trial:
        """The trial anew, from a mixture nested in it."""
        began, point = time.perf_counter(), trial.point
        shape, small = (structure(each.point.covariance_type) for each in (trial, other))
        params, loglik = other.found.params, other.found.fit.loglik
        if other.point.n_components < point.n_components:
            name, start = "one component less", doubled(params, shape)
        else:
            name, start = small.name, embedded(params, small, shape)
        end = self._of(point).free.from_params(self.all, start)
        if end is None and not trial.regular:
            return trial
        if end is None or end.loglik < loglik:
            # A larger model that has no better regular optimum is the smaller one.
            end = End(start, loglik, 0, True)
        earlier = trial.found.fit.starts if trial.held else ()
        earlier = tuple(replace(report, outcome="dropped") for report in earlier)
        mean = end.loglik / self.all.weight
        reports = (StartReport(f"from {name}", end.iterations, mean, "kept"), *earlier)
        fit = self._fit(point, end, reports, penalised=False)
        seconds = trial.seconds + time.perf_counter() - began
        return self._judged(point, end.params, fit, seconds)

    def _fit(self, point: Point, end: End, starts: tuple[StartReport, ...], penalised: bool) -> Fit:
        """What is known of a cell that is not examined."""
        common = self._of(point)
        model = common.ground.model
        rows = end.params.weights * self.all.weight * model.prior.count_scale
        return Fit(
            loglik=end.loglik,
            weight=self.rows.weight,
            trace=(end.loglik,),
            penalised=penalised,
            passes=0,
            sample_passes=sum(report.iterations for report in starts),
            iterations=end.iterations,
            converged=end.converged,
            reason="converged: little is left to gain"
            if end.converged
            else f"stopped: max_iter={self.max_iter} steps were taken",
            gradient_norm=np.inf,
            gap=self.tol,
            n_parameters=model.n_parameters(end.params),
            solver="em",
            engine="compiled",
            starts=starts,
            sample_rows=len(self.few.X),
            empty=tuple(int(k) for k in np.flatnonzero(rows < 0.5)),
            held=model.held_columns,
            equations=model.equations,
            rows=self.rows.positive,
            certificate=Certificate("not examined", detail="a cell of a search"),
        )

    def _judged(self, point: Point, params: MixtureParams, fit: Fit, seconds: float = 0.0) -> Trial:
        common = self._of(point)
        model = common.ground.model if fit.penalised else common.ground.model.unpenalised()
        flaw = flaw_of(fit, narrow(self.all, model, params))
        best = np.log(responsibilities(self.all, params, common.free.form).max(axis=1))
        w = self.all.sample_weight
        certainty = float(best.sum() if w is None else w @ best)
        return Trial(point, Found(params, fit), flaw, certainty, seconds=seconds)


def _freedom(name: str) -> int:
    return freedom(structure(name))


@cache
def _nested(small: str, large: str) -> bool:
    return nested(structure(small), structure(large))

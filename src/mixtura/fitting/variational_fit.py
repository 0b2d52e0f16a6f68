"""From a prior and rows to the best posterior met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import Sweep
from mixtura.engines.choose import open_sweep, resolve_for
from mixtura.engines.journaled import Journal
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.errors import FAILURES, FitError
from mixtura.families.frames import Frame
from mixtura.fitting.checkpoint import journaled
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.mixture_fit import Found
from mixtura.fitting.noted_bounds import NotedBounds
from mixtura.fitting.sample import sample_rows
from mixtura.fitting.starts import STARTS
from mixtura.fitting.variational_counts import CountedMoves, Counts
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.models.weight_priors import held
from mixtura.records import Array, Summary
from mixtura.result import Certificate, Fit, StartReport, chance_of_higher, landscape_of
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import Clock
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# The start in which all rows are one component's; the others are those of `STARTS`.
ONE = "one"
# Asking for fewer steps than this is asking for the steps themselves: no moves are made.
STEPS = 10
# Steps before the first move.
FIRST = 50
# Times that components are put in order at the end.
ORDERINGS = 3
# Ends whose bounds differ by no more than this, relative, are equal.
EQUAL = 1e-10


@dataclass(frozen=True)
class VariationalTask:
    """What is asked of a fit: settings, checked.

    frames are the ways in which rows are made free of units; begin is the posterior that a warm
    start continues; moves says whether components may be born, merged and deleted.
    """

    model: VariationalMixture
    n_components: int
    frames: tuple[Frame, ...]
    tol: float
    max_iter: int
    n_init: int
    init_params: str
    engine: str
    moves: bool
    begin: VariationalParams | None
    history: tuple[float, ...] = ()


@dataclass(frozen=True)
class VariationalFound(Found):
    """lower_bounds are scikit-learn's numbers after each step of the last climb; active is how many
    components rows may belong to, the first ones; numbers (n_components + 1,) how probable each
    number of components is, None where no moves were made."""

    lower_bounds: tuple[float, ...] = ()
    active: int = 0
    numbers: Array | None = None


@dataclass(frozen=True)
class _End:
    """Where a climb ended: the bound at its start and after each step, and scikit-learn's."""

    climb: Climb
    bounds: tuple[float, ...]
    theirs: tuple[float, ...]

    def followed(self, after: _End) -> _End:
        """This and the climb that went on from its end, as one."""
        climb = self.climb.followed(after.climb)
        return _End(climb, self.bounds + after.bounds[1:], self.theirs + after.theirs[1:])


def find_posterior(
    rows: Source,
    task: VariationalTask,
    rng: np.random.RandomState,
    listener: FitListener | None = None,
    journal: Journal | None = None,
) -> VariationalFound:
    """The posterior with the highest bound of all starts; raises FitError if every one failed."""
    with single_blas, single_openmp():
        return _Finder(rows, task, rng, listener, journal).found()


class _Finder:
    def __init__(
        self,
        rows: Source,
        task: VariationalTask,
        rng: np.random.RandomState,
        listener: FitListener | None,
        journal: Journal | None,
    ) -> None:
        self.rows, self.task, self.model, self.rng = rows, task, task.model, rng
        self.listener, self.passes, self.sample_passes, self.moves = listener, 0, 0, 0
        self.engine = resolve_for(rows, task.engine, task.model)
        opened: Callable[[Any, Source], Sweep] = partial(open_sweep, self.engine)
        self.plain = opened
        self.opened = opened if journal is None else journaled(opened, rows, journal)
        self.sample = sample_rows(rows, task.n_components, rng)
        self.reports: list[StartReport] = []
        self.counts = Counts(task.model)
        self.clock, self.heard, self.place = Clock(), journal is None, ""

    def found(self) -> VariationalFound:
        with self.clock.hearing(self.heard):
            best = self._best()
            numbers = self._numbers(best)
        params: Any = best.climb.params
        active, K = len(params.weights), self.task.n_components
        summary = best.climb.summary
        if active < K:
            params = self.model.extended(params, K)
            sweep = self.opened(self.model, self.rows)
            summary = sweep(params)
            self.passes += sweep.passes
        fit = self._account(best, params, summary)
        known = params, fit, self.model.family, self.model
        steps = best.theirs[1:]
        return VariationalFound(*known, lower_bounds=steps, active=active, numbers=numbers)

    def _numbers(self, best: _End) -> Array | None:
        """How probable each number of components is; None where none but one was looked at."""
        if not self._moving:
            return None
        moves = self._moves()
        moves.look_around(best.climb.params, self.task.tol, self.task.max_iter, self.clock)
        self.sample_passes += moves.passes
        return self.counts.probabilities(self.task.n_components)

    @property
    def _moving(self) -> bool:
        """Whether components are born, merged and deleted."""
        return self.task.moves and self.task.max_iter >= STEPS and self.task.n_components > 1

    def _moves(self) -> CountedMoves:
        w = self.sample.sample_weight
        weights = np.ones(self.sample.n) if w is None else w
        # What is worth a component depends on how many rows there are.
        rows = Rows(self.sample.X, weights * (self.rows.weight / self.sample.weight))
        most, frames = self.task.n_components, self.task.frames
        return CountedMoves(
            self.model, rows, frames, self.plain, most, self.rng, counts=self.counts
        )

    def _best(self) -> _End:
        if self.task.begin is not None:
            return self._end(self.task.begin, "warm start", 0)
        best: _End | None = None
        failure: Exception = FitError("no start was tried")
        for index in range(self.task.n_init):
            if best is not None and self.clock.passed:
                break
            self.place = f"initialisation {index + 1} of {self.task.n_init}"
            if best is not None and self.listener is not None:
                chance = chance_of_higher(landscape_of(self.reports, best.climb.gap))
                self.listener.stands(best.climb.objective / self.rows.weight, chance)
            try:
                end = self._end(self._start(index), self.task.init_params, index)
            except FAILURES as error:
                failure = error
                why = StartReport(self.task.init_params, 0, None, "failed", str(error))
                self.reports.append(why)
                continue
            if best is None or _higher(end, best):
                best = end
        if best is None:
            raise failure
        return best

    def _start(self, index: int) -> VariationalParams:
        X, w = self.sample.X, self.sample.sample_weight
        weights = np.ones(len(X)) if w is None else w
        K, name = self.task.n_components, self.task.init_params
        if name == ONE:
            resp = np.ones((len(X), 1))
        else:
            frame = self.task.frames[index % len(self.task.frames)]
            resp = STARTS[name](frame(X), weights, K, self.rng)
        return self._begun(self.sample, resp)

    def _begun(self, rows: Rows, resp: Array) -> VariationalParams:
        base = self.model.untold(resp.shape[1])
        return self.model.first_step(rows.X, rows.sample_weight, resp, base)

    def _end(self, start: VariationalParams, name: str, index: int) -> _End:
        """The end of a climb from `start`, with moves on its way."""
        if self.listener is not None:
            self.listener.started(index)
        steps = self.task.max_iter
        if self._moving:
            end = self._moved(self._climbed(start, min(FIRST, steps)))
        else:
            end = self._climbed(start, steps)
        mean = end.climb.objective / self.rows.weight
        if self.listener is not None:
            self.listener.ended(end.climb, mean)
        unfinished = not end.climb.converged
        report = StartReport(name, end.climb.iterations, mean, "kept", unfinished=unfinished)
        self.reports.append(report)
        return end

    def _moved(self, end: _End) -> _End:
        """The end after moves, if it is higher; else that of the same climb carried on."""
        if self.clock.passed:
            return end
        moves = self._moves()
        params = moves.improved(end.climb.params)
        self.sample_passes += moves.passes
        if moves.accepted:
            after = self._climbed(params, self.task.max_iter)
            # Empty components that are gone were worth next to nothing.
            if after.climb.objective >= end.climb.objective - moves.least:
                self.moves += moves.accepted
                return self._in_order(after, moves)
        if not end.climb.converged:
            left = self.task.max_iter - end.climb.iterations
            end = end.followed(self._climbed(end.climb.params, left))
        return self._in_order(end, moves)

    def _in_order(self, end: _End, moves: CountedMoves) -> _End:
        """The end after climbs with the components that hold most first, while that is higher."""
        for _ in range(ORDERINGS):
            start = moves.ordered(end.climb.params)
            if start is None or self.clock.passed:
                break
            after = self._climbed(start, self.task.max_iter)
            if not _higher(after, end):
                break
            end = after
        return end

    def _climbed(self, start: VariationalParams, steps: int) -> _End:
        inner = self.opened(self.model, self.rows)
        sweep = NotedBounds(inner, self.model, self.task.n_components)
        step = None if self.listener is None else self.listener.stepped
        history = self.task.history
        settings = self.task.tol, steps, history, step
        climb = em(Problem(self.model, sweep, start, *settings, clock=self.clock))
        self.passes += sweep.passes
        return _End(climb, tuple(sweep.bounds), tuple(sweep.theirs))

    def _empty(self, params: VariationalParams) -> tuple[int, ...]:
        some = held(self.model.weight_prior, params.concentration)
        return tuple(np.setdiff1d(np.arange(len(params.weights)), some).tolist())

    def _account(self, best: _End, params: VariationalParams, summary: Summary) -> Fit:
        climb = best.climb
        return Fit(
            loglik=climb.objective,
            weight=summary.weight,
            rows=self.rows.positive,
            trace=(*climb.earlier, *best.bounds),
            penalised=False,
            passes=self.passes,
            sample_passes=self.sample_passes,
            iterations=climb.iterations,
            converged=climb.converged and not self.clock.interrupted,
            reason=self.clock.reason(climb.reason.replace("log-likelihood", "bound"), self.place),
            gradient_norm=climb.gradient_norm,
            gap=climb.gap,
            n_parameters=self.model.n_parameters(params),
            solver="em",
            engine=self.engine,
            starts=tuple(self.reports),
            moves=self.moves,
            sample_rows=self.sample.n,
            certificate=Certificate("not examined", detail=self.model.obstacle()),
            bound=True,
            empty=self._empty(params),
            standings=self.model.standings(summary, params),
            params=params,
            summary=summary,
        )


def _higher(new: _End, old: _End) -> bool:
    """Beyond rounding, so that of equal ends the first stays."""
    value = old.climb.objective
    return new.climb.objective > value + EQUAL * (old.climb.summary.weight + abs(value))

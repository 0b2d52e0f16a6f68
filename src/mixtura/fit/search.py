"""Many starts, a principled choice among them, and a report of what each one met.

One initialisation is a race of short runs from several starts on a sample of the rows: the worse
half is dropped at each round and the winner is carried on to the top with all rows (the short-run
idea of Biernacki, Celeux & Govaert 2003, Computational Statistics & Data Analysis 41, with
successive halving of the field).

Climbs are at maximum likelihood. One that runs into a singularity is climbed again with the
penalty that keeps every component at finite width, and is preferred only to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mixtura.data.rows import Rows
from mixtura.errors import Collapse, FitError, IllDefined
from mixtura.fit.em import Climb, SweepLike, em
from mixtura.fit.moves import improve
from mixtura.fit.result import Floored, StartReport
from mixtura.fit.solvers import Solver
from mixtura.fit.starts import StartMaker
from mixtura.models.mixture import Mixture, MixtureParams

# The race: (how the start is made, in which frame). The first is scikit-learn's default start.
RACE: tuple[tuple[str, int], ...] = (
    ("kmeans", 0),
    ("kmeans", 1),
    ("k-means++", 0),
    ("k-means++", 1),
    ("k-means++", 0),
    ("k-means++", 1),
    ("random_from_data", 0),
    ("random_from_data", 1),
)
ROUNDS = (8, 16, 32)
# From this many components on, the winner also tries moves of single components.
MOVES_FROM = 3
# Asking for fewer EM steps than this is asking for the steps themselves: the first start is taken.
RACE_STEPS = 10
# Starts are found on at most this many rows (more for very many components).
SAMPLE_ROWS = 20_000
SAMPLE_ROWS_PER_COMPONENT = 200

OpenSweep = Callable[[Mixture, Rows], SweepLike]


class Listener(Protocol):
    """Told of progress: which start is climbing, and each of its steps."""

    def started(self, index: int) -> None: ...

    def stepped(self, iterations: int, gain: float) -> None: ...

    def ended(self, climb: Climb, mean_loglik: float) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """One finished climb on all rows."""

    climb: Climb
    floored: tuple[Floored, ...]
    penalised: bool

    def rank(self) -> tuple[bool, float]:
        """Regular optima first, then by log-likelihood (never penalised)."""
        return (not self.floored, self.climb.summary.loglik)


@dataclass(frozen=True)
class Runner:
    """One start in the race: how it was made, where it is, the EM steps it has had."""

    name: str
    params: MixtureParams
    spent: int = 0
    climb: Climb | None = None


@dataclass
class Search:
    """What all starts share, and the tally of what they did."""

    model: Mixture
    rows: Rows
    open_sweep: OpenSweep
    tol: float
    max_iter: int
    rng: np.random.RandomState
    solver: Solver = em
    listener: Listener | None = None
    passes: int = 0
    sample_passes: int = 0
    moves: int = 0

    def __post_init__(self) -> None:
        self.reports: list[StartReport] = []

    def from_starts(self, maker: StartMaker, init: str, n_init: int) -> Outcome:
        """The best of `n_init` initialisations; raises the last error if every one failed."""
        best: Outcome | None = None
        failure: Exception | None = None
        for index in range(n_init):
            if self.listener is not None:
                self.listener.started(index)
            try:
                outcome = self._initialisation(maker, init)
            except (Collapse, IllDefined) as error:
                failure = error
                continue
            if best is None or _better(outcome, best):
                best = outcome
        if best is None:
            raise failure or FitError("no start was tried")
        return best

    def _initialisation(self, maker: StartMaker, init: str) -> Outcome:
        """Climb from the best start; from the next ones only while the climbs end on a spike."""
        best: Outcome | None = None
        failure: Exception = FitError("no start was tried")
        for runner in self._runners(maker, init):
            try:
                outcome = self.climb(runner.params)
            except (Collapse, IllDefined) as error:
                failure = error
                self._report(runner, "failed", str(error))
                continue
            self._report(runner, "collapsed" if outcome.floored else "kept", outcome=outcome)
            if best is None or _better(outcome, best):
                best = outcome
            if not best.floored:
                return best
        if best is None:
            raise failure
        return best

    def from_given(self, start: MixtureParams) -> Outcome:
        """Climb from a mixture the caller gave; if that only leads to a singularity, keep it."""
        try:
            return self.climb(start)
        except (Collapse, IllDefined) as error:
            kept = em(self.model, self.open_sweep(self.model, self.rows), start, tol=0, max_iter=0)
            reason = f"stopped: EM from the given parameters fails, so they are returned. {error}"
            self.reports.append(StartReport("given", 0, None, "failed", str(error)))
            return Outcome(replace(kept, reason=reason), (), False)

    def climb(self, start: MixtureParams, history: Sequence[float] = ()) -> Outcome:
        """Climb from one start, penalised only if maximum likelihood runs into a singularity."""
        try:
            climb = self._em(self.model.unpenalised(), start, history)
            penalised = False
        except (Collapse, IllDefined):
            if not self.model.penalised:
                raise
            climb, penalised = self._em(self.model, start, ()), True
        found = self.model.narrow(climb.summary, climb.params) if penalised else []
        floored = tuple(Floored(*part) for part in found)
        return Outcome(climb, floored, penalised)

    def _em(self, model: Mixture, start: MixtureParams, history: Sequence[float]) -> Climb:
        step = None if self.listener is None else self.listener.stepped
        sweep = self.open_sweep(model, self.rows)
        climb = self.solver(
            model,
            sweep,
            start,
            tol=self.tol,
            max_iter=self.max_iter,
            history=history,
            on_step=step,
        )
        self.passes += climb.iterations + 1
        if self.listener is not None:
            self.listener.ended(climb, climb.summary.loglik / climb.summary.weight)
        return climb

    def _runners(self, maker: StartMaker, init: str) -> Iterator[Runner]:
        """Starting mixtures in order of promise."""
        raced = init == "auto" and len(maker.base.weights) > 1
        if raced and "means" not in maker.given and self.max_iter >= RACE_STEPS:
            yield from self._race(maker)
            return
        name, frame = RACE[0] if init == "auto" else (init, 0)
        try:
            yield Runner(name, maker.make(name, frame, self.rng))
        except (Collapse, IllDefined) as error:
            self._report(Runner(name, maker.base), "failed", str(error))
            raise

    def _race(self, maker: StartMaker) -> list[Runner]:
        """Short runs in rounds, the worse half leaving each; the best first."""
        field: list[Runner] = []
        for name, frame in RACE:
            try:
                field.append(Runner(name, maker.make(name, frame, self.rng)))
            except (Collapse, IllDefined) as error:
                self._report(Runner(name, maker.base), "failed", str(error))
                if not field and (name, frame) == RACE[-1]:
                    raise
        field = self._round(maker, field, ROUNDS[0])
        reserves: list[Runner] = []
        for steps in ROUNDS[1:]:
            field, dropped = self._halved(field)
            reserves = dropped
            field = self._round(maker, field, steps)
        field = sorted(field, key=self._rank)
        if not maker.given and len(maker.base.weights) >= MOVES_FROM:
            field[0] = self._moved(maker, field[0])
        for runner in field[1:]:
            self._report(runner, "dropped")
        return [*field, *reserves]

    def _moved(self, maker: StartMaker, runner: Runner) -> Runner:
        """The winner after moves of single components."""

        def short_run(params: MixtureParams, steps: int) -> Climb:
            return self._short(maker, Runner(runner.name, params), steps).climb  # type: ignore[return-value]

        assert runner.climb is not None
        climb, accepted = improve(maker, runner.climb, short_run, self.rng)
        self.moves += accepted
        return replace(runner, params=climb.params, climb=climb)

    def _round(self, maker: StartMaker, field: list[Runner], steps: int) -> list[Runner]:
        """Every runner `steps` further; those that collapse leave, but not the last one."""
        further: list[Runner] = []
        for runner in field:
            try:
                further.append(self._short(maker, runner, steps))
            except (Collapse, IllDefined) as error:
                self._report(runner, "failed", str(error))
                if not further and runner is field[-1]:
                    raise
        return further

    def _short(self, maker: StartMaker, runner: Runner, steps: int) -> Runner:
        sweep = self.open_sweep(maker.model, maker.rows)
        climb = em(maker.model, sweep, runner.params, tol=self.tol, max_iter=steps)
        self.sample_passes += climb.iterations + 1
        return Runner(runner.name, climb.params, runner.spent + climb.iterations, climb)

    def _rank(self, runner: Runner) -> tuple[bool, float]:
        """Spikes last, then by the objective to a millionth of a nat per row."""
        climb = runner.climb
        if climb is None:
            return (True, np.inf)
        mean = climb.objective / climb.summary.weight
        return (bool(self.model.narrow(climb.summary, climb.params)), -round(mean, 6))

    def _halved(self, field: list[Runner]) -> tuple[list[Runner], list[Runner]]:
        """(the better half, the rest); among equals the earlier."""
        ordered = sorted(field, key=self._rank)
        keep = (len(field) + 1) // 2
        for runner in ordered[keep:]:
            self._report(runner, "dropped")
        return ordered[:keep], ordered[keep:]

    def _report(
        self, runner: Runner, outcome_name: str, detail: str = "", outcome: Outcome | None = None
    ) -> None:
        climb = outcome.climb if outcome else runner.climb
        mean = climb.summary.loglik / climb.summary.weight if climb else None
        spent = runner.spent + (climb.iterations if outcome and climb else 0)
        self.reports.append(StartReport(runner.name, spent, mean, outcome_name, detail))


def sample_rows(rows: Rows, K: int, rng: np.random.RandomState) -> Rows:
    """The rows the starts are found on: all of a small table, else drawn without replacement.

    Equal rows are merged into one with their summed weight and the rows put in order, so that
    neither the order of a table nor writing a weight as copies of a row changes the starts.
    """
    positive = None if rows.sample_weight is None else np.flatnonzero(rows.sample_weight)
    n = len(rows.X) if positive is None else len(positive)
    size = max(SAMPLE_ROWS, SAMPLE_ROWS_PER_COMPONENT * K)
    if n > size:
        chosen = np.sort(rng.choice(n, size=size, replace=False))
        positive = chosen if positive is None else positive[chosen]
    sample = rows if positive is None else rows.take(positive)
    X, where = np.unique(sample.X, axis=0, return_inverse=True)
    weights = np.bincount(where.ravel(), weights=sample.sample_weight)
    return Rows(np.ascontiguousarray(X), weights.astype(np.float64))


def _better(new: Outcome, old: Outcome) -> bool:
    """Better beyond rounding, so that equal optima keep the order in which they were found."""
    if new.rank()[0] != old.rank()[0]:
        return new.rank()[0]
    margin = 1e-10 * (old.climb.summary.weight + abs(old.climb.summary.loglik))
    return new.climb.summary.loglik > old.climb.summary.loglik + margin

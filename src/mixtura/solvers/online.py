"""Online EM: a forgetful average of summaries, and an M-step after every mini-batch.

s <- s + g_t (s(batch, params) - s), params <- M-step(s), with g_t = t^-0.6: Cappé & Moulines
(2009), On-line expectation-maximization algorithm for latent data models, J. Royal Statistical
Society B 71. Statistics are averaged, never covariances or their factors, so every average is one
of data. What is handed out is the M-step of a second average over the later part of the way (Polyak
& Juditsky 1992, SIAM J. Control and Optimization 30): its variance shrinks like 1/n, as that of
maximum likelihood does, where the last iterate's shrinks like g_t.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mixtura.data.rows import Rows, in_memory
from mixtura.errors import FAILURES
from mixtura.models.base import Model
from mixtura.records import AnyArray, Params, Summary
from mixtura.solvers.climb import Climb, directional, objective_at
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem
from mixtura.solvers.settings import check_integer, check_number, check_seed

# An M-step wants so many rows behind it for each number of the parameters.
ROWS_PER_NUMBER = 5
# A long table is cut into at most this many batches: a step costs as much as some hundred rows.
BATCHES = 1000
# The second average weighs the state after n rows like n^2: its centre of gravity is that of the
# last half of the rows, and it needs to know no end (Shamir & Zhang 2013, ICML, section 4). Its
# variance tends to 9/5 of maximum likelihood's.
LATENESS = 3.0
# A climb has settled after so many epochs without a change.
QUIET = 2
# After an epoch that led down the delay grows by this factor.
CAUTION = 4.0
# So many epochs in succession may fail in an M-step that a mini-batch without luck has spoilt.
PATIENCE = 2


@dataclass(frozen=True)
class Pace:
    """How much a batch counts: (t + delay)^-power for a full batch after t of them.

    Time is counted in rows, t = rows / batch, so that cutting the same rows otherwise changes
    little: a smaller batch forgets the power of it that is its share of a full one. A row counts
    at least as much as each row before it.
    """

    batch: int
    delay: float
    power: float = 0.6

    def share(self, rows: float, new: int) -> float:
        """The weight of `new` rows in the average after `rows` others."""
        step = min(1.0, (rows / self.batch + self.delay) ** -self.power)
        forgotten: float = 1.0 - (1.0 - step) ** (new / self.batch)
        return max(forgotten, new / (rows + new))


@dataclass(frozen=True)
class Running:
    """The state between two batches.

    average and late are summaries per row, as if taken at `params`: the forgetful average, and
    the average of it over the later part of the way; None before the first batch. rows counts
    those behind the average, as the pace sees them.
    """

    params: Any
    average: Summary | None
    late: Summary | None
    rows: float
    steps: int = 0

    @classmethod
    def begun(cls, params: Any, summary: Summary, per_row: float, rows: float) -> Running:
        """At `params` with their summary, which is that of `per_row` rows."""
        average = summary.scale(1.0 / per_row)
        return cls(params, average, average, rows)

    def after(
        self, model: Model, batch: Summary, new: int, pace: Pace, *, weight: float | None
    ) -> Running:
        """The state after a batch of `new` rows, whose summary at `params` is given.

        The average stands for rows of total `weight` in the M-step, where a prior is weighed
        against them; with None there are too few rows for one yet. Raises one of
        `errors.FAILURES` where the M-step does.
        """
        share = pace.share(self.rows, new)
        average = mixed(self.average, batch.scale(1.0 / new), share)
        params, late = self.params, self.late
        if weight is not None:
            params = maximised(model, average, self.params, weight)
            average = model.transported(average, self.params, params)
            late = None if late is None else model.transported(late, self.params, params)
        before = self.rows / (self.rows + new)
        late = mixed(late, average, 1.0 - before**LATENESS)
        return Running(params, average, late, self.rows + new, self.steps + 1)

    def smoothed(self, model: Model, weight: float) -> Params:
        """The M-step of the late average."""
        assert self.late is not None
        return maximised(model, self.late, self.params, weight)


def mixed(old: Summary | None, new: Summary, share: float) -> Summary:
    """The average with `share` of the new."""
    return new if old is None else old.scale(1.0 - share) + new.scale(share)


def maximised(model: Model, average: Summary, params: Any, weight: float) -> Params:
    """The M-step of an average that stands for rows of total `weight`."""
    return model.m_step(average.scale(weight / average.weight), params)


def enough_rows(params: Params) -> int:
    """Rows that an M-step wants behind it."""
    return ROWS_PER_NUMBER * sum(array.size for array in params.arrays().values())


def batches(n: int, size: int, rng: np.random.RandomState) -> Iterator[AnyArray]:
    """The numbers below n in random order, in parts of nearly equal size, at most `size`."""
    return iter(np.array_split(rng.permutation(n), -(-n // size)))


@dataclass(frozen=True)
class Online:
    """Epochs of mini-batches; see `problem.Solver`. A step of the climb is an epoch.

    Parameters
    ----------
    epochs : int or None, default None
        At most so many; None is as many as `max_iter` allows.
    batch : int or None, default None
        Rows of a mini-batch; None is 5 for each number of the parameters, and more where that
        would make over 1000 batches.
    delay : float, default 10
        Batches that an epoch's beginning counts for, at least 1; with few it is left sooner.
    power : float, default 0.6
        g_t = (t + delay)^-power, above 0.5 and at most 1.
    averaged : bool, default True
        Judge and hand out the M-step of the late average, not the last iterate.
    seed : int, default 0
        Of the order of the rows, drawn anew for each epoch.

    Raises ValueError for a setting out of range.

    An epoch is one pass over the rows, and one more judges where it led; the next begins there,
    with the exact average. An epoch that led down is taken back, and later ones begin with four
    times the delay: no climb ends below its start, and where none led up the reason says so.
    Ends when two epochs in succession change the log-likelihood per row by at most `tol`. That is
    near a stationary point and not at one, so `stationary` is False unless the slope there
    vanishes to `tol`. With the compiled engine a pass is so cheap that `auto` is faster as a rule:
    the first epoch is worth five to ten EM steps, later ones less.
    """

    name: ClassVar[str] = "online"

    epochs: int | None = None
    batch: int | None = None
    delay: float = 10.0
    power: float = 0.6
    averaged: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            value = getattr(self, name)
            if value is not None:
                check_integer(name, value, 1)
        check_number("delay", self.delay, "at least 1 and finite", lambda v: 1 <= v < np.inf)
        # With less the average never settles.
        check_number("power", self.power, "above 0.5 and at most 1", lambda v: 0.5 < v <= 1)
        check_seed(self.seed)

    def __call__(self, problem: Problem) -> Climb:
        """Climb by at most `max_iter` epochs."""
        climb, tol, quiet = _Epochs(self, problem), problem.tol, 0
        book = climb.book
        most = problem.max_iter if self.epochs is None else min(self.epochs, problem.max_iter)
        while book.steps < most and (tol == 0 or quiet < QUIET):
            gain = climb.epoch()
            quiet = quiet + 1 if abs(gain) <= tol else 0
        slope = directional(climb.model, climb.summary, climb.params)
        rounding = book.ascent.rounding
        stationary = slope <= max(2 * tol, rounding)
        if tol > 0 and quiet >= QUIET:
            change = f"{QUIET} epochs changed the log-likelihood by at most {tol:.2g} per row"
            book.reason = f"converged: {change}"
            book.gap = max(0.5 * slope, rounding) if stationary else math.inf
        stopped = _stopped(book.steps, problem.max_iter, climb.rose)
        return book.finish(
            climb.params, climb.summary, self.name, stopped=stopped, stationary=stationary
        )


class _Epochs:
    """Where a climb is between two epochs: the best point so far, judged by all rows."""

    def __init__(self, online: Online, problem: Problem) -> None:
        self.online, self.model, self.sweep = online, problem.model, problem.sweep
        self.params, self.summary = problem.params, problem.first()
        self.rows = present(in_memory(self.sweep.rows, "online"))
        self.rng = np.random.RandomState(online.seed)
        self.size = online.batch or max(enough_rows(self.params), len(self.rows.X) // BATCHES)
        self.delay, self.failed, self.rose = online.delay, 0, False
        self.book = Logbook(problem, self.summary, monotone=False)

    def epoch(self) -> float:
        """The gain per row of one more epoch; only a rise is kept."""
        gain = -math.inf
        try:
            params = self._passed()
        except FAILURES:
            self.failed += 1
            if self.failed > PATIENCE:
                raise
        else:
            self.failed, summary = 0, self.sweep(params)
            value = objective_at(self.model, summary, params)
            gain = (value - self.book.value) / summary.weight
            if gain > 0:
                self.params, self.summary, self.rose = params, summary, True
        if not gain > 0:
            self.delay *= CAUTION
        self.book.note(self.params, self.summary)
        return gain

    def _passed(self) -> Any:
        """The parameters after one pass over the rows in random order."""
        running = Running.begun(self.params, self.summary, len(self.rows.X), self.delay * self.size)
        pace, weight = Pace(self.size, 0.0, self.online.power), self.summary.weight
        self.sweep.passes += 1
        for chosen in batches(len(self.rows.X), self.size, self.rng):
            batch = self.sweep.over(self.rows.take(chosen))(running.params)
            running = running.after(self.model, batch, len(chosen), pace, weight=weight)
        return running.smoothed(self.model, weight) if self.online.averaged else running.params


def _stopped(epochs: int, max_iter: int, rose: bool) -> str | None:
    """Why a climb that did not converge ended; None where that was the limit of steps."""
    if epochs > 0 and not rose:
        return f"stopped: none of {epochs} epochs led above the start, which is returned"
    return None if epochs == max_iter else f"stopped: {epochs} epochs were run"


def present(rows: Rows) -> Rows:
    """The rows that carry weight."""
    w = rows.sample_weight
    return rows if w is None or w.all() else rows.take(np.flatnonzero(w))

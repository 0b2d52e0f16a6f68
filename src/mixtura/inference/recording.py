"""A sweep that keeps a log: after how many passes and seconds which objective was met."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

from mixtura.engines.base import Step, Sweep, SweepAround
from mixtura.models.base import Model
from mixtura.records import NO_SHARE, Array, Summary
from mixtura.solvers.climb import objective_at


class Entry(NamedTuple):
    """After so many passes and seconds this objective was met, in total; NaN where it has none."""

    passes: int
    seconds: float
    objective: float


class Log:
    """The passes of one run, in order; its clock stands still while it is written."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.passes = 0
        self._writing = 0.0
        self._began = perf_counter()

    @property
    def seconds(self) -> float:
        """Since the log was begun."""
        return perf_counter() - self._began - self._writing

    def note(self, objective: Callable[[], float]) -> None:
        """A pass has ended; its objective is computed on the log's own time."""
        ended = perf_counter()
        self.passes += 1
        seconds = ended - self._began - self._writing
        self.entries.append(Entry(self.passes, seconds, objective()))
        self._writing += perf_counter() - ended

    def forget(self) -> None:
        """What was met so far belongs to another objective; that it was spent remains."""
        self.entries = [entry._replace(objective=math.nan) for entry in self.entries]


class Recorder(SweepAround):
    """`inner` with every pass logged: EM's steps too are taken one by one, not several in C."""

    def __init__(self, inner: Sweep, model: Model, log: Log) -> None:
        spent, self.log = log.passes, log
        super().__init__(inner.rows)
        self.passes, self.stride, self.engine = spent, 1, inner.engine
        self.inner, self.model = inner, model

    @property
    def passes(self) -> int:
        """Those of the log: solvers add what they have swept in parts (see `over`)."""
        return self.log.passes

    @passes.setter
    def passes(self, passes: int) -> None:
        self.log.passes = passes

    def __call__(self, params: Any) -> Summary:
        summary = self.inner(params)
        self.log.note(lambda: objective_at(self.model, summary, params))
        return summary

    def folded(self, step: Step) -> Summary:
        summary = self.inner.folded(step)
        # What such a pass sums is the solver's business and need not be a likelihood.
        self.log.note(lambda: math.nan)
        return summary

    def information_lost(self, params: Any, least: float = NO_SHARE) -> Array:
        lost = self.inner.information_lost(params, least)
        self.log.note(lambda: math.nan)
        return lost

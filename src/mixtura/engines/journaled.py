"""A sweep whose summaries are written down, and given again where they were written before.

A climb sees the rows through summaries only, and all else about it is arithmetic that repeats
itself. So the summaries met so far are the whole state of a fit, whatever the solver: given them
again, it comes back to where it was, to the last bit, without reading a row.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mixtura.engines.base import Sweep, SweepAround
from mixtura.models.base import Model
from mixtura.records import Chunk, Params, Summary


class Journal(Protocol):
    """Summaries in the order of the sweeps."""

    def next(self, params: Params, like: Summary) -> Summary | None:
        """What the next sweep, at `params`, gave before; None where there was none.

        `like` is the summary of no rows at `params`: it has the kind and the shapes of the answer.
        """

    def add(self, params: Params, summary: Summary) -> None:
        """Write down what a sweep at `params` gave."""


class Journaled(SweepAround):
    """`inner`, its sweeps at parameters journaled.

    Not journaled is what solvers fold by steps of their own, which may do more than add, what
    labels take of the information, and the steps of small tables inside C: all are repeated.
    """

    def __init__(self, inner: Sweep, model: Model, journal: Journal) -> None:
        # Else passes after one that is given again would differ from what they were.
        inner = inner.forgetful()
        self.inner, self.model, self.journal = inner, model, journal
        self.engine, self.rows = inner.engine, inner.rows

    @property
    def passes(self) -> int:
        """Those given again included."""
        return self.inner.passes

    @passes.setter
    def passes(self, passes: int) -> None:
        self.inner.passes = passes

    @property
    def stride(self) -> int:
        """That of the inner sweep."""
        return self.inner.stride

    @stride.setter
    def stride(self, stride: int) -> None:
        self.inner.stride = stride

    def __call__(self, params: Any) -> Summary:
        nothing = self.model.e_step(Chunk(np.empty((0, self.rows.d))), params)
        known = self.journal.next(params, nothing)
        if known is not None:
            self.passes += 1
            return known
        summary = self.inner(params)
        self.journal.add(params, summary)
        return summary

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Params, Summary, list[float]]:
        if self.inner.steps_inside:
            return self.inner.advance(model, params, summary, steps)
        return super().advance(model, params, summary, steps)

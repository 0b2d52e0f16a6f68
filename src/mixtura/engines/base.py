"""What every engine offers: a sweep over the rows, and answers row by row."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.refits import Refits, Refitted, Removals, Removed, Swap
from mixtura.models.base import Labelled, Model
from mixtura.records import NO_SHARE, AnyArray, Array, Chart, Chunk, Params, Summary

# A table of at most this many numbers is climbed several steps at a time: convergence is then
# judged less often, and an engine may run the steps without coming back to the interpreter.
_SMALL_TABLE = 1 << 15
_STRIDE = 8


# What `folded` sums, of each chunk.
Step = Callable[[Chunk], Summary]
# (model, rows) -> a sweep; and (model, X, params, out): answers row by row, written into `out`.
Opener = Callable[[Any, Source], "Sweep"]
Filler = Callable[[Any, AnyArray, Any, "RowOutputs"], None]


class Sweep(ABC):
    """A pass over bound data: parameters in, summary out. Deterministic for an engine and data."""

    engine: str
    # Whether `advance` takes several steps at once, and not one sweep after another.
    steps_inside: bool = False
    # Whether there is a kernel for `refitted`.
    refits_inside: bool = False

    def __init__(self, rows: Source) -> None:
        self.rows = rows
        # Passes over the rows so far, those inside `advance` included.
        self.passes = 0
        # EM steps between two judgements of convergence; the same for every engine, so that all
        # of them stop at the same step.
        self.stride = _STRIDE if rows.n * rows.d <= _SMALL_TABLE else 1

    @abstractmethod
    def __call__(self, params: Any) -> Summary:
        """The summary of all rows at `params`."""

    @abstractmethod
    def folded(self, step: Step) -> Summary:
        """The sum over chunks of step(chunk) -> Summary, in chunk order.

        For what is not a plain E-step: the step sees the rows, so no kernel runs.
        """

    @abstractmethod
    def over(self, rows: Source) -> Sweep:
        """A sweep of the same engine and model over other rows."""

    def forgetful(self) -> Sweep:
        """A sweep like this whose passes hang on their parameters alone, to the last bit."""
        return self

    def remark(self, params: Any, summary: Summary) -> str:
        """What is to be said of the passes of a climb that ended at `params`; empty if nothing."""
        return ""

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Params, Summary, list[float]]:
        """`steps` EM steps, at least one, from `params`, whose summary is known.

        Returns the new parameters, their summary and the log-likelihoods met strictly in between.
        """
        logliks = []
        for _ in range(steps):
            params = model.m_step(summary, params)
            summary = self(params)
            if not isfinite(summary.loglik):
                model.refuse_inadmissible(params)
            logliks.append(summary.loglik)
        return params, summary, logliks[:-1]

    def begun(
        self, model: Labelled, resp: Array, params: Any, steps: int = 1
    ) -> tuple[Params, Summary]:
        """The M-step from given responsibilities (n, K) of rows in memory, and its summary.

        `params` lends its units and shapes; with more `steps` EM goes on from there.
        """
        assert isinstance(self.rows, Rows)
        start = model.first_step(self.rows.X, self.rows.sample_weight, resp, params)
        summary = self(start)
        if steps > 1:
            start, summary, _ = self.advance(model, start, summary, steps - 1)
        return start, summary

    def information_price(self, params: Any, *, led: bool = False) -> float:
        """How many passes `information_lost` is worth there; infinite where there is no kernel.

        Where a climb is `led` by it, what is made of it on the way counts too.
        """
        return math.inf

    def information_lost(self, params: Any, least: float = NO_SHARE) -> Array:
        """What labels take of the information at `params`, as `Chart.observed` takes it.

        Shares of a row that are smaller than the `least` are none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no kernel for the information")

    def charted(self, chart: Chart) -> Chart:
        """The same chart, its points and slopes worked out by a kernel where there is one."""
        return chart

    def one_thread(self) -> AbstractContextManager[Any]:
        """Holds BLAS to one thread where its threads would be in the way of those of passes."""
        return nullcontext()

    def refitted(self, model: Labelled, units: Any, refits: Refits) -> Refitted | None:
        """Partial EM of many sets of components in one call; None where there is no kernel for it.

        `units` are two equal components.
        """
        return None

    def removed(self, model: Labelled, units: Any, removals: Removals) -> Removed | None:
        """The same of removals; `units` are as many equal components as there are heirs."""
        return None

    def tried(
        self, model: Labelled, params: Any, trials: Sequence[Sequence[Swap]], steps: int
    ) -> list[tuple[Any, Summary, list[float]] | None] | None:
        """(parameters, summary, log-likelihoods met) after so many EM steps from each of some
        mixtures, `params` after swaps; None of one that fails, and where there is no kernel."""
        return None


class SweepAround(Sweep):
    """A sweep around another, `inner`, to which goes all that it does not do itself."""

    inner: Sweep

    def folded(self, step: Step) -> Summary:
        return self.inner.folded(step)

    def over(self, rows: Source) -> Sweep:
        return self.inner.over(rows)

    def information_price(self, params: Any, *, led: bool = False) -> float:
        return self.inner.information_price(params, led=led)

    def information_lost(self, params: Any, least: float = NO_SHARE) -> Array:
        return self.inner.information_lost(params, least)

    def charted(self, chart: Chart) -> Chart:
        return self.inner.charted(chart)

    def one_thread(self) -> AbstractContextManager[Any]:
        return self.inner.one_thread()


@dataclass(frozen=True)
class RowOutputs:
    """Preallocated answers, one row each; None where not wanted.

    log_density (n,), responsibilities (n, K), labels (n,) int64, component_log_density (n, K)
    """

    log_density: AnyArray | None = None
    responsibilities: AnyArray | None = None
    labels: AnyArray | None = None
    component_log_density: AnyArray | None = None

    def part(self, rows: slice) -> RowOutputs:
        """Views of the same rows of every output."""
        return RowOutputs(
            *(
                None if out is None else out[rows]
                for out in (
                    self.log_density,
                    self.responsibilities,
                    self.labels,
                    self.component_log_density,
                )
            )
        )


class Drawing(Protocol):
    """Rows drawn by a kernel, in chunks with random numbers of their own."""

    @property
    def columns(self) -> int:
        """Of a row."""
        ...

    def fill(self, chunk: int, X: Array, labels: AnyArray) -> None:
        """The first rows of the chunk of that number, X (n, columns) and labels (n,) int64."""


# (model, params, key), the key two uint64 numbers that choose the random ones.
OpenDrawing = Callable[[Any, Any, AnyArray], Drawing]


def chunk_slices(n: int, rows: int) -> list[slice]:
    """Fixed cuts: they depend on the data's shape alone, so the sum never depends on threads."""
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]

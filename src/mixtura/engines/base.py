"""What every engine offers: a sweep over the rows, and answers row by row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.models.base import Labelled, Model
from mixtura.models.mixture import normalise
from mixtura.records import AnyArray, Array, Chunk, Params, Summary

# A table of at most this many numbers is climbed several steps at a time: convergence is then
# judged less often, and an engine may run the steps without coming back to the interpreter.
_SMALL_TABLE = 1 << 15
_STRIDE = 8


# What `folded` sums, of each chunk.
Step = Callable[[Chunk], Summary]


class Sweep(ABC):
    """A pass over bound data: parameters in, summary out. Deterministic for an engine and data."""

    engine: str
    # Whether `advance` takes several steps at once, and not one sweep after another.
    steps_inside: bool = False

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

    def truncated(
        self, model: Model, params: Any, kept: Any, *, keep: int, search: int
    ) -> tuple[Summary, Any]:
        """A pass in which a row has responsibilities in its `keep` likeliest components only.

        Returns the summary, whose log-likelihood is that of the kept components alone, and what
        the next call is to be given as `kept` (None at first). An engine may look for better
        components only among the `search` nearest to the best one kept; this one looks at all.
        """

        def step(chunk: Chunk) -> Summary:
            return model.e_step_with(chunk, params, lambda joint: likeliest(joint, keep))

        return self.folded(step), None

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
            logliks.append(summary.loglik)
        return params, summary, logliks[:-1]

    def begun(self, model: Labelled, resp: Array, params: Any) -> tuple[Params, Summary]:
        """The M-step from given responsibilities (n, K) of rows in memory, and its summary.

        `params` lends its units and shapes.
        """
        assert isinstance(self.rows, Rows)
        start = model.first_step(self.rows.X, self.rows.sample_weight, resp, params)
        return start, self(start)


def likeliest(joint: Array, keep: int) -> tuple[Array, Array]:
    """(log sum, shares) of the `keep` largest of each row; among equals the first is kept."""
    order = np.argsort(-joint, axis=1, kind="stable")[:, :keep]
    few = np.full_like(joint, -np.inf)
    np.put_along_axis(few, order, np.take_along_axis(joint, order, axis=1), axis=1)
    return normalise(few)


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


def chunk_slices(n: int, rows: int) -> list[slice]:
    """Fixed cuts: they depend on the data's shape alone, so the sum never depends on threads."""
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]

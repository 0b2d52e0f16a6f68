"""The plain engine: NumPy, chunk by chunk, in the calling thread. The others must equal it."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs, Step, Sweep, chunk_slices
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.responsibilities import normalise
from mixtura.records import AnyArray, Chunk, Summary

# Residuals of one chunk stay in the second-level cache: 64 Ki numbers are half a megabyte.
_CHUNK_NUMBERS = 1 << 16


def chunk_rows(d: int) -> int:
    """Rows per chunk for a table of d columns."""
    return int(np.clip(_CHUNK_NUMBERS // max(d, 1), 256, 8192))


class LocalSweep(Sweep):
    """Sum of `model.e_step` over chunks."""

    engine = "local"

    def __init__(self, model: Model, rows: Source) -> None:
        super().__init__(rows)
        self.model = model
        self.chunk_rows = max(chunk_rows(rows.d), model.least_rows)

    def __call__(self, params: Any) -> Summary:
        return self.folded(lambda chunk: self.model.e_step(chunk, params))

    def folded(self, step: Step) -> Summary:
        self.passes += 1
        return added(stepped(step, chunk) for chunk in self.rows.chunks(self.chunk_rows))

    def over(self, rows: Source) -> LocalSweep:
        return type(self)(self.model, rows)


def stepped(step: Step, chunk: Chunk) -> Summary:
    """What `step` makes of a chunk, its rows in float64."""
    return step(chunk._replace(X=np.asarray(chunk.X, dtype=np.float64)))


def added(parts: Iterable[Summary]) -> Summary:
    """The sum, in order."""
    return reduce(operator.add, parts)


def fill(model: Mixture, X: AnyArray, params: Any, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""
    for rows in chunk_slices(len(X), chunk_rows(X.shape[1])):
        fill_chunk(model, np.asarray(X[rows], dtype=np.float64), params, out.part(rows))


def fill_chunk(model: Mixture, x: AnyArray, params: Any, out: RowOutputs) -> None:
    """The same for one chunk."""
    with np.errstate(over="ignore", invalid="ignore"):
        log_density = model.family.log_density(x, params.components)
    # Whitening may overflow to infinity minus infinity: no density there either.
    log_density[np.isnan(log_density)] = -np.inf
    log_density = model.densities(log_density, x)
    joint = log_density + model.log_weights(x, params)
    if out.component_log_density is not None:
        out.component_log_density[:] = log_density
    if out.labels is not None:
        # Where no component has a density the responsibilities are the weights: see `normalise`.
        nowhere = np.isneginf(joint.max(axis=1))
        out.labels[:] = np.where(nowhere, params.weights.argmax(), joint.argmax(axis=1))
    if out.log_density is not None or out.responsibilities is not None:
        log_p, resp = normalise(joint, params.weights)
        if out.log_density is not None:
            out.log_density[:] = log_p
        if out.responsibilities is not None:
            out.responsibilities[:] = resp

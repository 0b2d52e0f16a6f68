"""The fused kernels: E-step and statistics in one sweep of C, several chunks at a time.

Known models have a kernel; the table at the end says which. Small tables are climbed by whole EM
steps inside the kernel, because there the interpreter costs more than the arithmetic.
"""

from __future__ import annotations

from collections import deque
from typing import Any, get_args

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Chunk, Source
from mixtura.engines import local, native
from mixtura.engines.base import RowOutputs, Step, Sweep, chunk_slices
from mixtura.engines.local import added
from mixtura.engines.threads import folded_in_pool, ordered_map, single_blas
from mixtura.families.covariance import STRUCTURES
from mixtura.families.gaussian import Gaussian
from mixtura.families.gaussian_records import GaussianStatistics, gaussian_params_from_root
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Summary

# Rows a thread takes at a time: enough to hide the call, few enough to share out evenly, and at
# most so many numbers, because a few chunks for every thread are in memory where rows pass by.
_CHUNK_ROWS, _CHUNK_NUMBERS = 8192, 1 << 20


def chunk_rows(d: int) -> int:
    """Rows per chunk for a table of d columns."""
    return min(max(_CHUNK_NUMBERS // max(d, 1), 256), _CHUNK_ROWS)


def supports(model: Model) -> bool:
    """Whether there is a fused kernel for this model."""
    if not (isinstance(model, Mixture) and isinstance(model.family, Gaussian)):
        return False
    return model.family.form.name in get_args(native.Form)


class CompiledSweep(Sweep):
    """The pass of a Gaussian mixture, fused."""

    engine = "compiled"

    def __init__(self, model: Mixture, rows: Source) -> None:
        assert isinstance(model.family, Gaussian)
        super().__init__(rows)
        self.model, self.family = model, model.family
        self.form = model.family.form
        # The kernel's own M-step is that of the table's structures, whoever shares their forms. A
        # long table is swept by all threads instead, and so in the same way wherever it lies.
        known = STRUCTURES.get(self.family.structure.name) is self.family.structure
        self.steps_inside = known and self.stride > 1 and isinstance(rows, Rows)
        self.chunk_rows = chunk_rows(rows.d)
        self.total_weight = rows.weight

    def part(self, chunk: Chunk, params: MixtureParams) -> Summary:
        """The summary of one chunk; its weight is left to the whole."""
        X, w, _ = chunk
        c = params.components
        loglik, counts, first, second = native.gaussian_pass(
            X,
            w,
            params.log_weights,
            c.means,
            c.whiten,
            c.log_norm,
            self.form.name,
        )
        return Summary(loglik, 0.0, GaussianStatistics(counts, first, second))

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        chunks = self.rows.chunks(self.chunk_rows)
        if self.rows.n <= self.chunk_rows:
            total = added(self.part(chunk, params) for chunk in chunks)
        else:
            total = added(ordered_map(lambda chunk: self.part(chunk, params), chunks))
        return Summary(total.loglik, self.total_weight, total.components)

    def folded(self, step: Step) -> Summary:
        self.passes += 1
        with single_blas:
            return folded_in_pool(self.rows, local.chunk_rows(self.rows.d), step)

    def over(self, rows: Source) -> CompiledSweep:
        return type(self)(self.model, rows)

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Any, list[float]]:
        if steps == 1 or not isinstance(model, Mixture) or not self.steps_inside:
            return super().advance(model, params, summary, steps)
        assert isinstance(self.rows, Rows)
        c, prior = params.components, model.prior
        weights, means, roots, logliks, failed = native.gaussian_em(
            self.rows.X,
            self.rows.sample_weight,
            params.weights,
            c.means,
            c.root,
            self.form.name,
            passes=steps,
            strength=prior.strength,
            target=prior.target,
            held=prior.held,
            absolute=float(np.max(prior.absolute)),
        )
        self.passes += len(logliks)
        if failed >= 0:
            # The plain steps fail at the same place, with the error that says what happened.
            return super().advance(model, params, summary, steps)
        components = gaussian_params_from_root(means, roots, self.form)
        self.family.refuse_collapse(components, weights * summary.weight, prior)
        new = MixtureParams(weights, components)
        return new, [float(value) for value in logliks[1:]]


def fill(model: Mixture, X: AnyArray, params: MixtureParams, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""
    c = params.components
    assert isinstance(model.family, Gaussian)
    form = model.family.form.name

    def run(rows: slice) -> None:
        part = out.part(rows)
        native.gaussian_rows(
            X[rows],
            params.log_weights,
            c.means,
            c.whiten,
            c.log_norm,
            form,
            log_density=part.log_density,
            responsibilities=part.responsibilities,
            labels=part.labels,
            component_log_density=part.component_log_density,
        )

    slices = chunk_slices(len(X), chunk_rows(X.shape[1]))
    if len(slices) == 1:
        run(slices[0])
    else:
        deque(ordered_map(run, slices), maxlen=0)

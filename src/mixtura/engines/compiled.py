"""The fused kernels: E-step and statistics in one sweep of C, several chunks at a time.

Known models have a kernel; the table at the end says which. Small tables are climbed by whole EM
steps inside the kernel, because there the interpreter costs more than the arithmetic.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from math import ceil
from typing import Any, get_args

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines import native
from mixtura.engines.base import RowOutputs, Step, Sweep, chunk_slices
from mixtura.engines.local import added, chunk_rows
from mixtura.engines.threads import folded_in_pool, ordered_map, single_blas
from mixtura.families.covariance import STRUCTURES
from mixtura.families.gaussian import Gaussian
from mixtura.families.gaussian_records import GaussianStatistics, gaussian_params_from_root
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Summary

# A chunk should take a thread about a millisecond, beside which calling it is nothing, and there
# should be enough of them to share out evenly; an exponential costs as much as so many flops.
_CHUNK_FLOPS, _EXP_FLOPS = 2.5e7, 44
_CHUNKS, _MOST_ROWS = 32, 1 << 16
# Cuts fall between blocks of the kernels for many columns: see native/wide.h.
_BLOCK = 384


def supports(model: Model) -> bool:
    """Whether there is a fused kernel for this model."""
    if not (isinstance(model, Mixture) and isinstance(model.family, Gaussian)):
        return False
    return model.family.form.name in get_args(native.Form)


@lru_cache
def chunks(n: int, d: int, K: int, form: str) -> tuple[slice, ...]:
    """Cuts for n rows of d columns and K components: one, or an even number of nearly equal."""
    each = 2 * d * (d + 3) if form in ("full", "tied") else 8 * d
    least = _CHUNK_FLOPS / (K * (each + _EXP_FLOPS))
    count = n / min(max(n / _CHUNKS, least), _MOST_ROWS)
    if count <= 1:
        return (slice(0, n),)
    blocks = ceil(n / (2 * ceil(count / 2)) / _BLOCK)
    return tuple(chunk_slices(n, blocks * _BLOCK))


class CompiledSweep(Sweep):
    """The pass of a Gaussian mixture, fused."""

    engine = "compiled"

    def __init__(self, model: Mixture, rows: Rows) -> None:
        assert isinstance(model.family, Gaussian)
        super().__init__(rows)
        self.model, self.family = model, model.family
        self.form = model.family.form
        # The kernel's own M-step is that of the table's structures, whoever shares their forms.
        self.steps_inside = STRUCTURES.get(self.family.structure.name) is self.family.structure
        self.total_weight = rows.weight

    def part(self, rows: slice, params: MixtureParams) -> Summary:
        """The summary of one chunk; its weight is left to the whole."""
        w = self.rows.sample_weight
        c = params.components
        loglik, counts, first, second = native.gaussian_pass(
            self.rows.X[rows],
            None if w is None else w[rows],
            params.log_weights,
            c.means,
            c.whiten,
            c.log_norm,
            self.form.name,
        )
        return Summary(loglik, 0.0, GaussianStatistics(counts, first, second))

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        slices = chunks(*self.rows.X.shape, len(params.weights), self.form.name)
        if len(slices) == 1:
            total = self.part(slices[0], params)
        else:
            total = added(ordered_map(lambda rows: self.part(rows, params), slices))
        return Summary(total.loglik, self.total_weight, total.components)

    def folded(self, step: Step) -> Summary:
        self.passes += 1
        slices = chunk_slices(len(self.rows.X), chunk_rows(self.rows.X.shape[1]))
        with single_blas:
            return folded_in_pool(self.rows, slices, step)

    def over(self, rows: Rows) -> CompiledSweep:
        return type(self)(self.model, rows)

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Any, list[float]]:
        if steps == 1 or not isinstance(model, Mixture) or not self.steps_inside:
            return super().advance(model, params, summary, steps)
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
        return new, logliks[1:].tolist()


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

    slices = chunks(*X.shape, len(params.weights), form)
    if len(slices) == 1:
        run(slices[0])
    else:
        deque(ordered_map(run, slices), maxlen=0)

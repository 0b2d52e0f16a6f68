"""The fused kernels: E-step and statistics in one sweep of C, several chunks at a time.

Known models have a kernel; the table at the end says which. Small tables are climbed by whole EM
steps inside the kernel, because there the interpreter costs more than the arithmetic.
"""

from __future__ import annotations

from collections import deque
from typing import Any, get_args

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines import native
from mixtura.engines.base import RowOutputs, Step, Sweep, chunk_slices
from mixtura.engines.local import added, chunk_rows
from mixtura.engines.pruning import Pruning, has_kernel, may_prune
from mixtura.engines.threads import folded_in_pool, ordered_map, single_blas
from mixtura.engines.truncating import truncated_pass
from mixtura.families.covariance import STRUCTURES
from mixtura.families.gaussian import Gaussian
from mixtura.families.gaussian_records import GaussianStatistics, gaussian_params_from_root
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Summary

# Rows a thread takes at a time: enough to hide the call, few enough to share out evenly.
_CHUNK_ROWS = 8192


def supports(model: Model) -> bool:
    """Whether there is a fused kernel for this model."""
    if not (isinstance(model, Mixture) and isinstance(model.family, Gaussian)):
        return False
    return model.family.form.name in get_args(native.Form)


class CompiledSweep(Sweep):
    """The pass of a Gaussian mixture, fused."""

    engine = "compiled"
    # Whether components that cannot matter for a row are skipped; see engines.pruning.
    prunes = True

    def __init__(self, model: Mixture, rows: Rows) -> None:
        assert isinstance(model.family, Gaussian)
        super().__init__(rows)
        self.model, self.family = model, model.family
        self.form = model.family.form
        # The kernel's own M-step is that of the table's structures, whoever shares their forms.
        self.steps_inside = STRUCTURES.get(self.family.structure.name) is self.family.structure
        self.slices = chunk_slices(len(rows.X), _CHUNK_ROWS)
        self.total_weight = rows.weight
        self.pruning: Pruning | None = None

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
        n, d = self.rows.X.shape
        if self.prunes and may_prune(self.form.name, n, d, len(params.weights)):
            if self.pruning is None:
                self.pruning = Pruning(self.rows, self.form.name)
            total = self.pruning.summary(params, lambda: self.plain(params))
        else:
            total = self.plain(params)
        return Summary(total.loglik, self.total_weight, total.components)

    def plain(self, params: MixtureParams) -> Summary:
        """The sum over all chunks, every component looked at; its weight is left to the caller."""
        if len(self.slices) == 1:
            return self.part(self.slices[0], params)
        return added(ordered_map(lambda rows: self.part(rows, params), self.slices))

    def folded(self, step: Step) -> Summary:
        self.passes += 1
        slices = chunk_slices(len(self.rows.X), chunk_rows(self.rows.X.shape[1]))
        with single_blas:
            return folded_in_pool(self.rows, slices, step)

    def truncated(
        self, model: Model, params: Any, kept: Any, *, keep: int, search: int
    ) -> tuple[Summary, Any]:
        K, d = params.components.means.shape
        if model is not self.model or keep >= K or not has_kernel(self.form.name, d):
            return super().truncated(model, params, kept, keep=keep, search=search)
        self.passes += 1
        return truncated_pass(self.rows, params, self.form.name, kept, keep, search)

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
        return new, [float(value) for value in logliks[1:]]


class DenseSweep(CompiledSweep):
    """The same without skipping: every row looks at every component."""

    engine = "dense"
    prunes = False


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

    slices = chunk_slices(len(X), _CHUNK_ROWS)
    if len(slices) == 1:
        run(slices[0])
    else:
        deque(ordered_map(run, slices), maxlen=0)

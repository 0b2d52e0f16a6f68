"""The fused sweep of a Gaussian mixture: E-step and statistics in C, several chunks at a time.

Small tables are climbed by whole EM steps inside the kernel, because there the interpreter costs
more than the arithmetic.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, NamedTuple

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines import local
from mixtura.engines.base import RowOutputs, Step, Sweep, chunk_slices
from mixtura.engines.gaussian import passes
from mixtura.engines.gaussian.climbing import MStep, Sums, gaussian_em
from mixtura.engines.gaussian.lost import information_lost, price
from mixtura.engines.gaussian.passes import CHUNK_FLOPS, row_flops
from mixtura.engines.gaussian.placing import placing_chart
from mixtura.engines.gaussian.pruning import Pruning, has_kernel, may_hide, may_prune, starved
from mixtura.engines.gaussian.refitting import Refitting, swapped
from mixtura.engines.gaussian.structured import MOST_COLUMNS
from mixtura.engines.gaussian.truncating import truncated_pass
from mixtura.engines.local import added
from mixtura.engines.refits import Refits, Refitted, Removals, Removed, Swap
from mixtura.engines.threads import folded_in_pool, ordered_map, shared, single_blas
from mixtura.errors import FAILURES
from mixtura.families.gaussian.covariance import Structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.forms import Name
from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
)
from mixtura.models.base import Labelled, Model
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.truncated import TruncatedStep
from mixtura.records import NO_SHARE, AnyArray, Array, Chart, Chunk, Statistics, Summary

# There should be enough chunks to share out evenly.
_CHUNKS, _MOST_ROWS = 32, 1 << 16
# At most so many numbers: a few chunks for every thread are in memory where rows pass by.
_CHUNK_NUMBERS = 1 << 18
# Cuts fall between blocks of the kernels for many columns: see native/wide.h.
_BLOCK = 384
# Rows that see few components have so many times fewer in sight.
_SIGHT = 4


@lru_cache
def chunk_rows(n: int, d: int, K: int, form: str) -> int:
    """Rows per chunk of n rows of d columns, for K components.

    That makes one chunk, or an even number of nearly equal ones.
    """
    least = CHUNK_FLOPS / row_flops(d, K, form)
    most = min(_MOST_ROWS, max(_CHUNK_NUMBERS // d, _BLOCK))
    count = n / min(max(n / _CHUNKS, least), most)
    if count <= 1:
        return max(n, 1)
    return math.ceil(n / (2 * math.ceil(count / 2)) / _BLOCK) * _BLOCK


def m_step_in_c(structure: Structure, prior: CovariancePrior) -> MStep:
    """The M-step of a structure under a prior, as the kernels know it."""
    shared = "" if structure.inside else structure.letters
    return MStep(prior.strength, prior.target, prior.held, prior.floor, shared)


class Passed(NamedTuple):
    """A mixture in the order of the arguments of `gaussian_pass`."""

    log_weights: Array
    means: Array
    whiten: Array
    log_norm: Array
    form: Name


class CompiledSweep(Sweep):
    """The pass of a Gaussian mixture, fused."""

    engine = "compiled"
    # Whether rows look only at components near them, and blocks of rows only at those in sight.
    prunes = hides = True

    def __init__(self, model: Mixture, rows: Source) -> None:
        assert isinstance(model.family, Gaussian)
        super().__init__(rows)
        self.model, self.family = model, model.family
        self.form = model.family.form
        # A long table is swept by all threads, and so in the same way wherever it lies.
        small = self.stride > 1
        known = self.family.structure.inside or rows.d <= MOST_COLUMNS
        fixed = model.fixed is not None or self.family.pinned is not None
        known = known and self.family.ratio is None and not fixed
        self.m_step_inside = known and self.form.whole and isinstance(rows, Rows)
        self.m_step_inside = self.m_step_inside and not self.family.asked
        self.steps_inside = small and self.m_step_inside
        self.refits_inside = type(model) is Mixture and self.m_step_inside
        if not self.form.whole:
            self.stride = 1
        self.total_weight = rows.weight
        self.pruning: Pruning | None = None

    def part(
        self,
        chunk: Chunk,
        params: MixtureParams,
        *,
        single: bool = False,
        centred: bool = False,
        near: bool = False,
    ) -> Summary:
        """The summary of one chunk, as `gaussian_pass` says; its weight is left to the whole."""
        X, w, *_ = chunk
        loglik, *sums = passes.gaussian_pass(
            X, w, *self.passed(params), single=single, centred=centred, near=near
        )
        return Summary(loglik, 0.0, self.gathered(*sums))

    def passed(self, params: MixtureParams) -> Passed:
        """The mixture as a pass takes it."""
        return passed(params)

    def gathered(self, counts: Array, first: Array, second: Array) -> Statistics:
        """A summary's statistics from the sums of a pass."""
        return GaussianStatistics(counts, first, second)

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        n, d, K = self.rows.n, self.rows.d, len(params.weights)
        # What is remembered of each row has no place where rows only pass by.
        at_hand = isinstance(self.rows, Rows)
        hides = self._near(K) is not None
        if self.prunes and at_hand and not hides and may_prune(self.form.name, n, d, K):
            if self.pruning is None:
                assert isinstance(self.rows, Rows)
                self.pruning = Pruning(self.rows, self.form.name)
            total = self.pruning.summary(params, lambda: self.plain(params))
        else:
            total = self.plain(params)
        return Summary(total.loglik, self.total_weight, total.statistics)

    def plain(self, params: MixtureParams) -> Summary:
        """The sum over all chunks, every component in sight looked at; its weight is left to the
        caller."""
        near = self._near(len(params.weights))
        if near is not None:
            total = self.summed(near[0], params, near=True)
            assert isinstance(total.statistics, GaussianStatistics)
            if not starved(total.statistics.counts, params.weights * self.total_weight):
                return total
        return self.summed(self.rows, params)

    def _near(self, K: int) -> tuple[Rows, AnyArray] | None:
        """The rows, and their order, in which components come out of sight; where it may pay."""
        n, d = self.rows.n, self.rows.d
        if not (self.prunes and self.hides and isinstance(self.rows, Rows)):
            return None
        return self.rows.near if may_hide(self.form.name, n, d, K) else None

    def summed(self, rows: Source, params: MixtureParams, **how: bool) -> Summary:
        """The same over rows of the same shape, each chunk as `gaussian_pass` takes it."""
        K = len(params.weights)
        size = chunk_rows(rows.n, rows.d, K // _SIGHT if "near" in how else K, self.form.name)

        def part(chunk: Chunk) -> Summary:
            return self.part(chunk, params, **how)

        if rows.n <= size:
            return added(map(part, rows.chunks(size)))
        if rows.n <= _CHUNKS * size and isinstance(rows, Rows):
            return added(shared(part, list(rows.chunks(size))))
        return added(ordered_map(part, rows.chunks(size)))

    def folded(self, step: Step) -> Summary:
        self.passes += 1
        if isinstance(step, TruncatedStep) and self._searches(step):
            assert isinstance(self.rows, Rows)
            total, step.kept = truncated_pass(self.rows, step, self.form.name)
            return total
        with single_blas:
            return folded_in_pool(self.rows, local.chunk_rows(self.rows.d), step)

    def _searches(self, step: TruncatedStep) -> bool:
        """Whether there is a kernel for that step: else all components of a row are looked at."""
        K, d = step.params.components.means.shape
        known = step.model is self.model and step.keep < K and has_kernel(self.form.name, d)
        return known and isinstance(self.rows, Rows)

    def information_price(self, params: Any, *, led: bool = False) -> float:
        whole = type(self.model) is Mixture and self.form.whole
        return price(self.rows, len(params.weights), self.form.name, led) if whole else math.inf

    def information_lost(self, params: Any, least: float = NO_SHARE) -> Array:
        self.passes += 1
        near = self._near(len(params.weights))
        rows = self.rows if near is None else near[0]
        return information_lost(rows, params, self.form.name, least, near=near is not None)

    def charted(self, chart: Chart) -> Chart:
        return placing_chart(chart)

    def one_thread(self) -> AbstractContextManager[Any]:
        return single_blas

    def over(self, rows: Source) -> CompiledSweep:
        return type(self)(self.model, rows)

    def forgetful(self) -> CompiledSweep:
        return DenseSweep(self.model, self.rows)

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Any, Summary, list[float]]:
        if steps == 1 or type(model) is not Mixture or not self.steps_inside:
            return super().advance(model, params, summary, steps)
        s = summary.statistics
        assert isinstance(s, GaussianStatistics)
        ended = self._inside(model, params, steps, sums=Sums(s.counts, s.first, s.second))
        self.passes += 0 if ended is None else len(ended[2])
        if ended is None:
            # The plain steps fail at the same place, with the error that says what happened.
            return super().advance(model, params, summary, steps)
        new, after, logliks = ended
        return new, after, logliks[:-1].tolist()

    def begun(
        self, model: Labelled, resp: Array, params: Any, steps: int = 1
    ) -> tuple[Any, Summary]:
        if type(model) is not Mixture or not self.m_step_inside:
            return super().begun(model, resp, params, steps)
        ended = self._inside(model, params, steps if self.steps_inside else 1, given=resp)
        self.passes += 0 if ended is None else len(ended[2])
        if ended is None:
            return super().begun(model, resp, params, steps)
        if steps == len(ended[2]):
            return ended[:2]
        return super().advance(model, *ended[:2], steps - len(ended[2]))[:2]

    def refitted(self, model: Labelled, units: Any, refits: Refits) -> Refitted | None:
        return self._refitting(units).refitted(refits) if self.refits_inside else None

    def removed(self, model: Labelled, units: Any, removals: Removals) -> Removed | None:
        return self._refitting(units).removed(removals) if self.refits_inside else None

    def tried(
        self, model: Labelled, params: Any, trials: Sequence[Sequence[Swap]], steps: int
    ) -> list[tuple[Any, Summary, list[float]] | None] | None:
        alone = self.family.structure.inside and not self.form.shared
        if not (self.refits_inside and self.steps_inside and alone):
            return None
        starts = [swapped(params, swaps) for swaps in trials]

        def run(start: MixtureParams) -> tuple[Any, Summary, list[float]] | None:
            try:
                found = self._inside(model, start, steps)
            except FAILURES:
                return None
            return None if found is None else (*found[:2], found[2].tolist())

        flops = self.rows.n * row_flops(self.rows.d, len(params.weights), self.form.name)
        ends = list(map(run, starts)) if flops * steps < CHUNK_FLOPS else shared(run, starts)
        self.passes += (steps + 1) * len(starts)
        return ends

    def _refitting(self, units: MixtureParams) -> Refitting:
        assert isinstance(self.rows, Rows)
        prior = self.model.prior
        assert isinstance(prior, CovariancePrior)
        m_step = m_step_in_c(self.family.structure, prior)
        return Refitting(self.rows, units, m_step, prior)

    def _inside(
        self,
        model: Any,
        params: MixtureParams,
        steps: int,
        *,
        sums: Sums | None = None,
        given: Array | None = None,
    ) -> tuple[MixtureParams, Summary, Array] | None:
        """(parameters, summary, log-likelihoods) after so many steps in C; None where one fails."""
        assert isinstance(self.rows, Rows)
        c, rows, near = params.components, self.rows, self._near(len(params.weights))
        if near is not None:
            rows, given = near[0], None if given is None else given[near[1]]
        end = gaussian_em(
            rows.X,
            rows.sample_weight,
            params.weights,
            c.means,
            c.root,
            self.form.name,
            passes=steps,
            sums=sums,
            given=given,
            near=near is not None,
            **m_step_in_c(self.family.structure, model.prior)._asdict(),
        )
        if end.failed >= 0:
            return None
        components = GaussianParams(end.means, end.roots, end.whiten, end.log_norm, self.form)
        model.prior.refuse_collapse(components, end.weights * self.total_weight)
        summary = Summary(float(end.logliks[-1]), self.total_weight, GaussianStatistics(*end.sums))
        return MixtureParams(end.weights, components), summary, end.logliks


class DenseSweep(CompiledSweep):
    """The same without skipping: every row looks at every component."""

    engine = "dense"
    prunes = False


def passed(params: MixtureParams) -> Passed:
    """A mixture as a pass takes it."""
    c = params.components
    return Passed(params.log_weights, c.means, c.whiten, c.log_norm, c.form.name)


def fill(model: Mixture, X: AnyArray, params: MixtureParams, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X."""
    filled(passed(params), X, out)


def filled(mixture: Passed, X: AnyArray, out: RowOutputs) -> None:
    """The same of a mixture as a pass takes it."""

    def run(rows: slice) -> None:
        part = out.part(rows)
        passes.gaussian_rows(
            X[rows],
            *mixture,
            log_density=part.log_density,
            responsibilities=part.responsibilities,
            labels=part.labels,
            component_log_density=part.component_log_density,
        )

    slices = chunk_slices(len(X), chunk_rows(*X.shape, len(mixture.log_weights), mixture.form))
    if len(slices) == 1:
        run(slices[0])
    else:
        deque(ordered_map(run, slices), maxlen=0)

"""Whole climbs: EM inside C until it stops, without a return to the interpreter, in one thread.

For many fits of milliseconds beside each other (a table of structures by numbers of components),
where the judgements of `solvers/em.py` and what is known of a finished climb would cost more than
the steps. It stops by the same estimate of the gain still to come, which nothing else confirms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.gaussian import passes, structured
from mixtura.engines.gaussian.climbing import MStep, Reached
from mixtura.engines.gaussian.compiled import m_step_in_c
from mixtura.engines.gaussian.structured import Contested
from mixtura.families.collapse import NUMERIC_SPREAD, SPURIOUS_SPREAD, few_rows
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Spike

# A generalised M-step will do on the way: volumes to this share, common axes by Newton alone.
SETTLED, FEW = 1e-6, 0
# A start of a contest is climbed until this gain per row may be left; then the best goes on.
ROUGH = 1e-4
# EM steps that show which component is best split, and components tried, the heaviest first.
TRIAL, SPLITS = 6, 5

Arrays = tuple[Array, Array, Array]


@dataclass(frozen=True)
class End:
    """Where a climb ended; loglik is the total one, of the rows that were climbed on."""

    params: MixtureParams
    loglik: float
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Climber:
    """Climbs of one Gaussian model; `units` is one component as wide as the table.

    tol is the gain per row still to come that ends one. A climb that meets a singularity is None.
    """

    model: Mixture
    units: GaussianParams
    tol: float
    max_iter: int

    @property
    def form(self) -> Form:
        """How its covariances are stored."""
        return self.family.form

    @property
    def family(self) -> Gaussian:
        """The model's."""
        assert isinstance(self.model.family, Gaussian)
        return self.model.family

    def from_groups(self, rows: Rows, resp: Array) -> End | None:
        """From the M-step of responsibilities (n, K)."""
        return self._climbed(rows, self._equal(resp.shape[1]), resp)

    def from_params(self, rows: Rows, params: MixtureParams) -> End | None:
        """From a mixture."""
        return self._climbed(rows, _arrays(params), None)

    def contest(
        self, rows: Rows, starts: Array, fewer: MixtureParams | None
    ) -> tuple[End | None, Contested]:
        """From the best of responsibilities (S, n, K) and of the splits of a smaller mixture."""
        end, why, told = structured.gaussian_contest(
            rows.X,
            rows.sample_weight,
            self._equal(starts.shape[2]),
            self.form.name,
            self._m_step,
            starts,
            None if fewer is None else _arrays(fewer),
            passes=self.max_iter,
            tol=self.tol * rows.weight,
            rough=max(ROUGH, self.tol) * rows.weight,
            trial=TRIAL,
            splits=SPLITS,
            narrowest=self._narrowest,
        )
        return (None if told.won < 0 else self._end(end, why)), told

    def _equal(self, K: int) -> Arrays:
        """K components that are the units."""
        means = np.broadcast_to(self.units.means, (K, self.units.means.shape[1]))
        root = self.units.root if self.form.shared else np.repeat(self.units.root, K, axis=0)
        return np.full(K, 1.0 / K), means, root

    def _climbed(self, rows: Rows, start: Arrays, given: Array | None) -> End | None:
        return self._end(
            *structured.gaussian_climb(
                rows.X,
                rows.sample_weight,
                *start,
                self.form.name,
                self._m_step,
                passes=self.max_iter,
                tol=self.tol * rows.weight,
                given=given,
                narrowest=self._narrowest,
            )
        )

    def _end(self, end: Reached, why: int) -> End | None:
        if why in (structured.COLLAPSED, structured.ILL_DEFINED):
            return None
        components = GaussianParams(end.means, end.roots, end.whiten, end.log_norm, self.form)
        params = MixtureParams(end.weights, components)
        values = end.logliks
        return End(params, float(values[-1]), len(values) - 1, why == structured.CONVERGED)

    @cached_property
    def _m_step(self) -> MStep:
        exact = m_step_in_c(self.family.structure, self.model.prior)
        return exact._replace(settled=SETTLED, few=FEW)

    @cached_property
    def _narrowest(self) -> structured.Narrowest | None:
        """What `Gaussian.refuse_collapse` refuses."""
        prior = self.model.prior
        if prior.pivots is None or prior.strength > 0:
            return None
        spurious = 0.0 if prior.reference is None else SPURIOUS_SPREAD
        rows = few_rows(self.units.means.shape[1]) / prior.count_scale
        pivots = np.ascontiguousarray(prior.pivots)
        numeric = NUMERIC_SPREAD
        if prior.steps is not None:
            # Whether the narrowest direction is rounding is told at the end.
            table = self.form.variances(self.form.repeat(prior.scale, 1), 1, len(prior.steps))
            some = prior.steps > 0
            numeric = float((prior.steps[some] ** 2 / table[:, some]).min())
        return structured.Narrowest(pivots, rows, spurious, numeric)


def _arrays(params: MixtureParams) -> Arrays:
    return params.weights, params.components.means, params.components.root


def narrow(rows: Rows, model: Mixture, params: MixtureParams) -> list[Spike]:
    """`CovariancePrior.narrow` at the end of a climb on rows in memory.

    Where components share volumes or shapes the rows say more than the covariances do, so a pass
    is made.
    """
    family, parts, stats = model.family, params.components, None
    assert isinstance(family, Gaussian)
    if family.structure.ranked:
        _, *sums = passes.gaussian_pass(
            rows.X,
            rows.sample_weight,
            params.log_weights,
            parts.means,
            parts.whiten,
            parts.log_norm,
            family.form.name,
        )
        stats = GaussianStatistics(*sums)
    return list(model.prior.narrow(parts, params.weights * rows.weight, stats))


def responsibilities(rows: Rows, params: MixtureParams, form: Form) -> Array:
    """P(k | x) of rows in memory, (n, K), in one thread."""
    out, parts = np.empty((rows.n, len(params.weights))), params.components
    passes.gaussian_rows(
        rows.X,
        params.log_weights,
        parts.means,
        parts.whiten,
        parts.log_norm,
        form.name,
        responsibilities=out,
    )
    return out

"""The Gaussian family: K normal densities under one covariance structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Look, Settled
from mixtura.families.beyond import log_normal_tails
from mixtura.families.condensed import Condensed
from mixtura.families.conjugate import Conjugate
from mixtura.families.equations import settle
from mixtura.families.gaussian.chart import GaussianChart, gaussian_chart
from mixtura.families.gaussian.covariance import Structure, structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.gaps import GapsLook
from mixtura.families.gaussian.held import without_held
from mixtura.families.gaussian.intervals import BetweenLook
from mixtura.families.gaussian.left_out import left_out
from mixtura.families.gaussian.limits import refuse_limits, refuse_outside
from mixtura.families.gaussian.matrices import Full
from mixtura.families.gaussian.pinned import Pinned, pins
from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params,
    gaussian_params_from_root,
    gaussian_sums,
)
from mixtura.families.gaussian.settling import from_moments, settled
from mixtura.families.gaussian.span import span_of
from mixtura.families.intervals import Cells
from mixtura.families.limits import ALONE, Limits
from mixtura.families.portrait import Portrait, normal_portrait
from mixtura.families.ratio import EigenvalueRatio
from mixtura.records import AnyArray, Array, Equation, RandomNumbers
from mixtura.supports import Real, Support

# The shape of Gaussian components that nobody asks for.
PLAIN = "full"
# The structures with a covariance of each component's own.
UNBOUND = (PLAIN, "VVV")
# The square of a distance this large is a number still.
FARTHEST = 1e150
# Units of rounding in the entries of a matrix that an M-step makes.
ROUNDED = 8.0


@dataclass(frozen=True)
class Gaussian(Family):
    """log p(x | k) = -1/2 [d log 2 pi + log det Sigma_k + (x - m_k)' Sigma_k^-1 (x - m_k)]

    means       (K, d)        real
    covariances form's shape  positive definite; which ones are equal is the structure's business
    statistics  counts, first and second moments about the current means (GaussianStatistics)
    M-step      m_k = sum r x / n_k;  Sigma_k from the scatter about it by `structure.roots`
    equations   what all rows have in common: no free parameters, and nothing to draw
    Reference: McLachlan & Peel (2000), Finite Mixture Models, sections 3.2 and 3.9.
    """

    structure: Structure
    # Added to every variance, as in scikit-learn; None: the penalty relative to the table.
    reg_covar: float | None = None
    equations: tuple[Equation, ...] = ()
    # Whether cells of its rows may be missing.
    gaps: bool = False
    # Conjugate priors of the components and their weights.
    asked: tuple[Conjugate, ...] = ()
    # How far eigenvalues may be apart; None: as far as they like.
    ratio: EigenvalueRatio | None = None
    # What is known of components in advance; None: nothing.
    pinned: Pinned | None = field(default=None, repr=False)
    record = GaussianParams
    fills_gaps = tells_distance = True

    @property
    def name(self) -> str:
        return self.structure.name

    simpler = "a simpler covariance"

    @property
    def one_covariance(self) -> bool:  # type: ignore[override]
        return self.structure.one_covariance

    @property
    def follows_noise(self) -> bool:  # type: ignore[override]
        known = self.asked or self.ratio is not None or self.pinned is not None
        return self.structure.name in UNBOUND and not known

    @property
    def correlates(self) -> bool:  # type: ignore[override]
        return self.form.correlates

    @property
    def form(self) -> Form:
        return self.structure.form

    def params(self, arrays: Mapping[str, Array]) -> GaussianParams:
        return gaussian_params(arrays["means"], arrays["covariances"], self.form)

    def supports(self) -> dict[str, Support]:
        return {"means": Real(), "covariances": self.form.support}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        return {"means": (K, d), "covariances": self.form.shape(K, d)}

    def settled(self, survey: Survey, K: int) -> Settled:
        return settled(self, survey, K)

    def by_moments(self, X: AnyArray, w: Array, K: int) -> tuple[Array, GaussianParams]:
        return from_moments(self, X, w, K)

    @property
    def compared_in(self) -> str:
        """The units of eigenvalues under a ratio with scale=True, in words."""
        if self.form.correlates:
            return "the table's scatter as unit"
        return (
            "the columns' variances as units" if self.form.identity(2).ndim else "the table's units"
        )

    def filling(self, X: AnyArray) -> Gaussian:
        # A sum is NaN if one of its terms is, and takes no array of its own.
        gaps = bool(np.isnan(X.sum())) and bool(np.isnan(X).any())
        return self if gaps == self.gaps else replace(self, gaps=gaps)

    def filled(self, X: AnyArray, params: GaussianParams, k: int) -> Array:
        return GapsLook(X, params).filled(k)

    def completed(
        self, X: AnyArray, labels: AnyArray, params: GaussianParams, rng: RandomNumbers
    ) -> Array:
        return GapsLook(X, params).completed(labels, rng)

    def whole(self) -> Gaussian:
        return replace(self, gaps=False, pinned=None) if self.gaps or self.pinned else self

    def look(self, X: AnyArray, params: GaussianParams) -> Look:
        return GapsLook(X, params) if self.gaps else super().look(X, params)

    def knows_intervals(self, d: int) -> bool:
        return d == 1 or not self.correlates

    def between(self, cells: Cells, params: GaussianParams) -> Look:
        """The look at cells of which only intervals may be known, where none hangs on another."""
        known = self.knows_intervals(cells.x.shape[1])
        return BetweenLook(cells, params) if known else self.look(cells.x, params)

    def condensed(self, survey: Survey) -> tuple[Family, Family, Condensed] | None:
        """Rows that are fewer than the columns, within their span."""
        one_each = (
            self.structure.inside and not (self.gaps or self.ratio) and type(self.form) is Full
        )
        span = span_of(survey) if one_each and self.reg_covar is None and not self.asked else None
        if span is None:
            return None
        within = replace(self, structure=replace(self.structure, form=span.form))
        return within, replace(self, equations=span.equations), span

    def log_density(self, X: AnyArray, params: GaussianParams) -> Array:
        if self.gaps:
            return GapsLook(X, params).log_density
        out = np.empty((len(X), len(params.means)))
        for k in range(len(params.means)):
            y = self.form.residuals(X, params.means, params.whiten, k)
            out[:, k] = params.log_norm[k] - 0.5 * np.einsum("ij,ij->i", y, y)
        return out

    def left_out(
        self,
        X: AnyArray,
        params: GaussianParams,
        taken: Array,
        counts: Array,
        prior: CovariancePrior,
    ) -> Array:
        look = GapsLook(X, params) if self.gaps else None
        density = self.log_density(X, params) if look is None else look.log_density
        peaks = params.log_norm if look is None else look.peaks
        cells = (~np.isnan(X)).sum(axis=1) - len(prior.equations)
        rows = np.stack([counts, counts + 2 * prior.strength])
        return left_out(density, 2.0 * (peaks - density), cells, taken, rows)

    def log_beyond(self, X: AnyArray, params: GaussianParams) -> Array:
        return log_normal_tails(self, X, params)

    def within_reach(self, X: AnyArray, params: GaussianParams) -> bool:
        with np.errstate(over="ignore"):
            farthest = np.abs([X.max(), X.min()]).max() + np.abs(params.means).max()
            return bool(np.abs(params.whiten).max() * farthest * X.shape[1] < FARTHEST)

    def statistics(self, X: AnyArray, resp: Array, params: GaussianParams) -> GaussianStatistics:
        if self.gaps:
            return GapsLook(X, params).statistics(resp)
        return gaussian_sums(X, resp, params)

    def maximize(
        self, stats: GaussianStatistics, params: GaussianParams, prior: CovariancePrior
    ) -> GaussianParams:
        """The M-step. A component with no rows keeps its mean and its covariance, or ends at a
        conjugate prior's."""
        counts, form = stats.counts, self.form
        shift = stats.first / np.where(counts > 0, counts, 1.0)[:, None]
        if self.pinned is None:
            scatter = form.about(counts, shift, stats.second)
            shift, scatter = prior.drawn(params, counts, shift, scatter)
            means = params.means + form.move(params.root, shift)
        else:
            means, scatter = self.pinned.placed(params, stats, shift)
            counts = np.array(counts)
            # Without rows a covariance stays, and no rows are too few for one that is known.
            counts[self.pinned.shapes(len(counts))] = 0.0
        if self.gaps and np.any(prior.held):
            scatter = without_held(prior, params, scatter)
        if self.pinned is not None:
            scatter, counts = self.pinned.pooled(scatter, counts)
        if self.pinned is not None and len(self.pinned.shapes(len(counts))) == len(counts):
            root = params.root
        elif prior.bounds is not None:
            root = prior.bounds.roots(form, params, scatter, counts)
        else:
            root = self.structure.roots(form, params, scatter, counts, prior)
        if self.pinned is not None:
            root = self.pinned.rooted(root)
            counts[self.pinned.shapes(len(counts))] = np.inf
        new = gaussian_params_from_root(means, root, form)
        prior.refuse_collapse(new, counts)
        return new

    def with_pins(self, means: Array | None, common: bool, covariances: Array | None) -> Gaussian:
        """The same with known means and covariances, NaN where free; ValueError where it cannot."""
        apart = self.structure.inside and self.ratio is None
        if covariances is not None and not apart:
            raise ValueError(
                "fixed: covariances can be known where each is estimated alone, or all are one: "
                "with covariance_type 'full', 'tied', 'diag' or 'spherical' and no constraint"
            )
        return replace(self, pinned=pins(self.form, means, common, covariances))

    def with_limits(self, limits: Limits) -> Gaussian:
        """The same with bounds and ties of what is free; ValueError where it keeps none such."""
        alone = self.structure.inside and self.ratio is None
        refuse_limits(self.form, alone, limits)
        pinned = self.pinned or Pinned(self.form)
        if pinned.roots is not None or pinned.common:
            raise ValueError(
                "fixed: bounds and ties do not go together with covariances that are known or one "
                "common mean: leave these out"
            )
        refuse_outside(limits, pinned.means)
        return replace(self, pinned=replace(pinned, limits=limits))

    def rounding(self, params: GaussianParams) -> float:
        """Of correlations, over their smallest eigenvalue, and of means, in standard deviations.

        At most 1. A mean far from zero is stored so coarsely that a step may miss its place.
        """
        of_means = 0.125 * self.coarseness(params) ** 2
        if not self.form.correlates:
            return min(1.0, of_means)
        rows = np.linalg.norm(params.root, axis=-1, keepdims=True)
        smallest = np.linalg.svd(params.root / rows, compute_uv=False).min() ** 2
        d = params.means.shape[1]
        of_matrix = ROUNDED * d * np.finfo(np.float64).eps / max(smallest, 1e-300)
        return float(min(1.0, of_matrix + of_means))

    def coarseness(self, params: GaussianParams) -> float:
        off = self.form.move(np.abs(params.whiten), np.spacing(np.abs(params.means)))
        return float(np.linalg.norm(off, axis=1).max())

    def score(self, stats: GaussianStatistics, params: GaussianParams) -> dict[str, Array]:
        d = params.means.shape[1]
        means = self.form.pulled(params.whiten, stats.first)
        covariances = self.form.excess(params.whiten, stats.counts, stats.second, d)
        return {"means": means, "covariances": covariances}

    def obstacle(self, prior: CovariancePrior) -> str:
        if not self.structure.free:
            return f"covariance_type={self.structure.name!r} has no simple free coordinates"
        if not self.form.whole:
            return "there are fewer rows than columns, and they are fitted within their span"
        limited = self.pinned is not None and self.pinned.limits is not None
        return ALONE if limited else prior.obstacle()

    def edge(self, params: GaussianParams) -> str:
        return ""

    @property
    def curved(self) -> bool:  # type: ignore[override]
        return self.structure.ranked and self.structure.tangent is not None

    def chart(self, params: GaussianParams, weights: Array) -> GaussianChart:
        return gaussian_chart(self.form, params, weights, self.structure.tangent)

    def transported(
        self, stats: GaussianStatistics, before: GaussianParams, after: GaussianParams
    ) -> GaussianStatistics:
        form = self.form
        inner = form.compose(after.whiten, before.root)
        shift = form.move(after.whiten, before.means - after.means)
        first = form.move(inner, stats.first) + stats.counts[:, None] * shift
        second = form.carried(inner, shift, (stats.counts, stats.first, stats.second))
        return GaussianStatistics(stats.counts, first, second)

    def means(self, params: GaussianParams) -> Array:
        return params.means

    def variances(self, params: GaussianParams) -> Array:
        return self.form.variances(params.covariances, *params.means.shape)

    def log_sides(self, X: AnyArray, params: GaussianParams) -> tuple[Array, Array]:
        z = (X - params.means[:, 0]) / np.sqrt(self.variances(params)[:, 0])
        return log_ndtr(z), log_ndtr(-z)

    def covariances(self, params: GaussianParams, columns: AnyArray) -> Array:
        some = self.form.among(params.covariances, columns)
        return self.form.dense(some, len(params.means), len(columns))

    def portrait(self, params: GaussianParams, weights: Array, names: Sequence[str]) -> Portrait:
        means, variances = params.means, self.variances(params)
        among = partial(self.covariances, params)
        words = self.structure.words
        return normal_portrait(
            self.name,
            words,
            weights,
            names,
            means,
            variances,
            among,
            one_covariance=self.one_covariance,
            correlates=self.correlates,
        )

    def refuse_inadmissible(self, params: Any) -> None:
        """Nothing: its M-step refuses what is not positive definite itself."""

    def n_parameters(self, params: GaussianParams) -> int:
        K, d = params.means.shape
        free = d - len(self.equations)
        total = Real().size((K, free)) + self.structure.n_parameters(K, free) if free else 0
        if self.pinned is None:
            return total
        known = len(self.pinned.shapes(1 if self.form.shared else K))
        shapes = self.structure.n_parameters(known, free) if known else 0
        if self.pinned.limits is not None:
            each = self.structure.n_parameters(1, free)
            shapes += self.pinned.limits.fewer("covariances", each)
        return total - self.pinned.cells(K, d, self.equations) - shapes

    def sample(self, labels: AnyArray, params: GaussianParams, rng: RandomNumbers) -> Array:
        noise = rng.standard_normal((len(labels), params.means.shape[1]))
        out = np.empty_like(noise)
        # Noise has no order, so each component may take the next of it.
        order = np.argsort(labels, kind="stable")
        ends = np.cumsum(np.bincount(labels, minlength=len(params.means)))
        for k, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            root = params.root if self.form.shared else params.root[k]
            own = noise[start:stop]
            shape = own @ root.T if self.form.correlates else own * root
            out[order[start:stop]] = shape + params.means[k]
        self.settle(out, params)
        return out

    def settle(self, X: Array, params: GaussianParams) -> None:
        """Take from drawn rows (n, d), in place, what the equations leave no room for."""
        d = X.shape[1]
        variance = np.ones(d)  # of no matter to constant columns, and others do not correlate
        if self.form.correlates:
            variance = self.variances(params).mean(axis=0)
        settle(X, self.equations, variance)


def plain() -> Gaussian:
    """That of components whose shape nobody asks for."""
    return Gaussian(structure(PLAIN))

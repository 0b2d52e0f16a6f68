"""Free coordinates for K Gaussians: means and log-Cholesky factors in a point's whitened units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.families.gaussian import informed
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params_from_root,
)
from mixtura.families.gaussian.tangents import Tangent
from mixtura.records import Array

# A component with less than this share of the rows is scaled as if it had it.
LEAST_SHARE = 1e-8
# How far from the chart's point its units are trusted: means in standard deviations, roots in
# logarithms (and, off the diagonal, in correlations of that size).
MEAN_RADIUS, ROOT_RADIUS = 10.0, 3.0


@dataclass(frozen=True)
class GaussianChart:
    """m_k = m0_k + L0_k u_k and L_k = L0_k C_k, C_k lower triangular with logs on its diagonal.

    Each number is multiplied by the root of its complete-data information at the centre: pi_k for
    means and off-diagonals, 2 pi_k for log-diagonals (2 d pi_k for a spherical one), where pi_k is
    the component's share; a shared root has all rows. Coordinates are means first, then roots;
    those of a structure that ties roots are their coordinates in an orthonormal `basis` of the
    subspace it leaves them, (root numbers, free ones), and None stands for the whole space.

    The gradients are those of the expected log-likelihood (Fisher's identity): with y in the
    whitened units of the current point, C'^-1 sum r y for u and C'^-1 (sum r y y' - n I) for C.
    """

    form: Form
    centre: GaussianParams
    mean_scale: Array
    root_scale: Array
    basis: Any = None

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        roots = self.root_scale.size if self.basis is None else self.basis.shape[1]
        return int(self.centre.means.size + roots)

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        means = np.broadcast_to(MEAN_RADIUS * self.mean_scale, self.centre.means.shape)
        roots = ROOT_RADIUS * self.root_scale.ravel()
        if self.basis is not None:
            # So short along each free number that no root leaves its own box.
            roots = 1.0 / (abs(self.basis).T.multiply(1.0 / roots)).max(axis=1).toarray()
        return np.concatenate([means.ravel(), roots])

    def params(self, free: Array) -> GaussianParams:
        """The parameters at these coordinates."""
        cut = self.centre.means.size
        shift = free[:cut].reshape(self.centre.means.shape) / self.mean_scale
        roots = free[cut:] if self.basis is None else self.basis @ free[cut:]
        inner = self.form.exponentials(roots.reshape(self.root_scale.shape) / self.root_scale)
        means = self.centre.means + self.form.move(self.centre.root, shift)
        root = self.form.compose(self.centre.root, inner)
        return gaussian_params_from_root(means, root, self.form)

    def coordinates(self, params: GaussianParams) -> Array:
        """Where `params` lie."""
        shift = self.form.move(self.centre.whiten, params.means - self.centre.means)
        inner = self.form.compose(self.centre.whiten, params.root)
        free = self.form.logarithms(inner) * self.root_scale
        return np.concatenate([(shift * self.mean_scale).ravel(), self._tied(free.ravel())])

    def gradient(
        self, stats: GaussianStatistics, params: GaussianParams, prior: CovariancePrior
    ) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        form, d = self.form, params.means.shape[1]
        # What leads from this point back to the centre: the inverse of its root seen from there.
        back = form.compose(params.whiten, self.centre.root)
        counts, second = prior.with_rows(params.whiten, stats.counts, stats.second, d)
        means = form.pulled(back, stats.first) / self.mean_scale
        roots = form.slope(back, counts, second, d) / self.root_scale
        return np.concatenate([means.ravel(), self._tied(roots.ravel())])

    def complete(self, stats: GaussianStatistics, prior: CovariancePrior) -> Array:
        """What rows of known label would tell in all at the centre, (size, size)."""
        return informed.complete(self, stats, prior)

    def lost(self, told: Array) -> tuple[Array, Array, Array]:
        """What labels take of it, and of the counts of components."""
        return informed.lost(self, told)

    def _tied(self, roots: Array) -> Array:
        return roots if self.basis is None else self.basis.T @ roots


def gaussian_chart(
    form: Form, params: GaussianParams, weights: Array, tangent: Tangent | None = None
) -> GaussianChart:
    """The chart around `params` for components with these shares of the rows (K,)."""
    share = np.maximum(weights, LEAST_SHARE)
    rows = np.ones(1) if form.shared else share
    information = form.information(params.means.shape[1])
    root_scale = np.sqrt(rows[:, None] * information)
    basis = None if tangent is None else tangent(np.sqrt(rows), information)
    return GaussianChart(form, params, np.sqrt(share)[:, None], root_scale, basis)

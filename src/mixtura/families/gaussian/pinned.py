"""Means and covariances that are known in advance: what a Gaussian M-step leaves where it is.

The M-step is conditional (Meng & Rubin 1993, Biometrika 80): first the free means at the current
covariances, then the covariances about these means. Each raises the expected log-likelihood, so EM
never falls; it is exact where a mean is known as a whole, and where columns do not correlate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import block_diag, eye

from mixtura.families.gaussian.chart import GaussianChart
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.limits import cut_roots, imposed_roots, pooled
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params_from_root,
)
from mixtura.families.limits import Limits
from mixtura.records import Array, Equation


@dataclass(frozen=True, eq=False)
class Pinned:
    """What is known of K Gaussians.

    form    of the covariances
    means   (K, d), NaN where a cell is free; None: all are
    common  whether all components have one mean, which is free
    roots   of the known covariances, in the form's shape, NaN where one is free; None: all are
    limits  bounds and ties of what is free (`families.gaussian.limits`); None: there are none
    """

    form: Form
    means: Array | None = None
    common: bool = False
    roots: Array | None = None
    limits: Limits | None = None

    def shapes(self, K: int) -> list[int]:
        """The components whose covariance is known: they cannot collapse."""
        if self.roots is None:
            return []
        if self.form.shared or self.alike:
            return list(range(K))
        return np.flatnonzero(~np.isnan(self.roots.reshape(K, -1)).any(axis=1)).tolist()

    @property
    def alike(self) -> bool:
        """Whether the same is known of all components: then of any number of them."""
        if self.roots is None or self.means is not None or self.common or self.limits is not None:
            return False
        return self.form.shared or bool((self.roots == self.roots[:1]).all())

    @property
    def whole(self) -> bool:
        """Whether nothing is free."""
        parts = self.means, self.roots
        return not any(part is None or np.isnan(part).any() for part in parts)

    def placed(
        self, now: GaussianParams, stats: GaussianStatistics, shift: Array
    ) -> tuple[Array, Array]:
        """(the new means (K, d), the scatter about them in the whitened units of `now`).

        `shift` (K, d) is how far each mean would move without pins, in these units.
        """
        form, counts = self.form, stats.counts
        free = now.means + form.move(now.root, shift)
        means = self._common(now, counts, free) if self.common else self._kept(now, free)
        if self.limits is not None:
            means = self.limits.cut("means", means)
        off = form.move(now.whiten, free - means)
        scatter = form.about(counts, shift, stats.second)
        # `about` takes n off off' away.
        return means, scatter - form.about(counts, off, np.zeros_like(stats.second))

    def _kept(self, now: GaussianParams, free: Array) -> Array:
        """Known cells as they are; free ones where they are best beside these, at `now`."""
        if self.means is None:
            return free
        known = ~np.isnan(self.means)
        means = np.where(known, self.means, free)
        if self.form.correlates:
            partly = known.any(axis=1) & ~known.all(axis=1)
            covariances = self.form.dense(now.covariances, *free.shape)
            for k in np.flatnonzero(partly):
                o, f = known[k], ~known[k]
                off = np.linalg.solve(covariances[k][np.ix_(o, o)], (free[k] - means[k])[o])
                means[k, f] -= covariances[k][np.ix_(f, o)] @ off
        return np.asarray(means)

    def _common(self, now: GaussianParams, counts: Array, free: Array) -> Array:
        """The mean weighed by the precisions of all: (sum n P)^-1 sum n P m."""
        K, d = free.shape
        precisions = np.linalg.inv(self.form.dense(now.covariances, K, d)) * counts[:, None, None]
        pulled = np.einsum("kij,kj->i", precisions, free)
        return np.tile(np.linalg.solve(precisions.sum(axis=0), pulled), (K, 1))

    def log_densities(self, X: Array, k: int, means: Array) -> Array:
        """Of rows (n, d), were component k, whose covariance is known, at these means: (n, m)."""
        assert self.roots is not None
        root = self.roots if self.form.shared else np.stack([self.roots[k]] * len(means))
        there = gaussian_params_from_root(means, root, self.form)
        found = np.empty((len(X), len(means)))
        for i in range(len(means)):
            y = self.form.residuals(X, there.means, there.whiten, i)
            found[:, i] = there.log_norm[i] - 0.5 * np.einsum("ij,ij->i", y, y)
        return found

    def rooted(self, roots: Array) -> Array:
        """The roots of an M-step within their limits, with the known ones in their places."""
        if self.limits is not None:
            roots = cut_roots(self.limits, self.form, roots)
        if self.roots is None:
            return roots
        known = self.roots[:1] if self.alike and not self.form.shared else self.roots
        return np.where(np.isnan(known), roots, known)

    def pooled(self, scatter: Array, counts: Array) -> tuple[Array, Array]:
        """Scatter and rows of each component, the mean of its group where these are tied."""
        return (scatter, counts) if self.limits is None else pooled(self.limits, scatter, counts)

    def places(self, name: str) -> Array | None:
        """About where components are known to be, (K, d), NaN where they are not."""
        near = None if self.limits is None else self.limits.places("means")
        if self.means is None or near is None:
            return near if self.means is None else self.means
        return np.where(np.isnan(self.means), near, self.means)

    def given(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        parts = (("means", self.means), ("roots", self.roots))
        limits = {} if self.limits is None else self.limits.given()
        return {name: part for name, part in parts if part is not None} | limits

    def freed(self, family: Any) -> Any:
        """The family without limits, with what else is known."""
        return replace(family, pinned=replace(self, limits=None))

    def roles(self, K: int) -> list[tuple[Any, ...]]:
        """What bounds and ties ask of each of K components."""
        return [] if self.limits is None else self.limits.roles(K)

    def imposed(self, params: GaussianParams) -> GaussianParams:
        """The parameters with what is known in its place, and one mean where there is one."""
        means = params.means
        if self.common:
            means = np.tile(means.mean(axis=0), (len(means), 1))
        elif self.means is not None:
            means = np.where(np.isnan(self.means), means, self.means)
        if self.limits is not None:
            means = self.limits.cut("means", means)
            roots = imposed_roots(self.limits, self.form, params.covariances)
            return gaussian_params_from_root(means, self.rooted(roots), params.form)
        return gaussian_params_from_root(means, self.rooted(params.root), params.form)

    def cells(self, K: int, d: int, equations: Sequence[Equation]) -> int:
        """How many free numbers of the means there are less, where columns obey equations."""
        free = d - len(equations)
        if self.common:
            return (K - 1) * free
        if self.means is None:
            return 0
        constant = [each.columns[0] for each in equations if len(each.columns) == 1]
        known = ~np.isnan(np.delete(self.means, constant, axis=1))
        return int(np.minimum(known.sum(axis=1), free).sum())

    def free(self, chart: GaussianChart) -> Any:
        """An orthonormal basis of what is free in the chart, sparse (its size, free numbers)."""
        K, d = chart.centre.means.shape
        lines = np.ones(chart.size - K * d, dtype=bool)
        if self.roots is not None:
            per_line = lines.reshape(chart.root_scale.shape)
            per_line[0 if self.form.shared else self.shapes(K)] = False
        roots = eye(len(lines), format="csc")[:, np.flatnonzero(lines)]
        return block_diag([*self._free_means(chart), roots], format="csr")

    def _free_means(self, chart: GaussianChart) -> Iterator[Array]:
        """Of each mean, or of the one that all share."""
        K, d = chart.centre.means.shape
        whiten, axes = chart.centre.whiten, np.eye(d)
        # A column for each cell of a mean that moves.
        moved = [self.form.move(whiten, np.tile(axis, (K, 1))) for axis in axes]
        ways = np.stack(moved, axis=2) * chart.mean_scale[:, :, None]
        if self.common:
            yield np.linalg.qr(ways.reshape(K * d, d))[0]
            return
        for k in range(K):
            free = np.ones(d, bool) if self.means is None else np.isnan(self.means[k])
            yield axes if free.all() else np.linalg.qr(ways[k][:, free])[0]


def pins(form: Form, means: Array | None, common: bool, covariances: Array | None) -> Pinned | None:
    """What is known; None where all is free. ValueError for covariances that are none, or of which
    only a part is given."""
    if means is not None and np.isnan(means).all():
        means = None
    roots = None
    if covariances is not None and not np.isnan(covariances).all():
        roots = np.full(covariances.shape, np.nan)
        each = covariances[None] if form.shared else covariances
        gaps = np.isnan(each.reshape(len(each), -1))
        if (gaps.any(axis=1) & ~gaps.all(axis=1)).any():
            raise ValueError(
                "fixed: a covariance is known as a whole, or all of it is NaN: fill it, or free it"
            )
        whole = np.flatnonzero(~gaps.any(axis=1))
        known = covariances if form.shared else covariances[whole]
        if form.shared:
            form.support.check(known, "fixed: covariances")
        for k in [] if form.shared else whole:
            form.support.check(covariances[[k]], f"fixed: covariances of component {k}")
        roots[... if form.shared else whole] = form.root_of(known)
    if means is None and not common and roots is None:
        return None
    return Pinned(form, means, common, roots)

"""Rows of Gaussians with missing cells: maximum likelihood, one pattern of gaps after the other.

Where cells are missing at random a row's density is that of the cells that are there, and what the
M-step needs of a missing one is its mean and covariance given those: the statistics are expected
ones, the M-step is that of whole rows, whatever the structure.
Reference: Little & Rubin (2019), Statistical Analysis with Missing Data, section 11.2; Ghahramani &
Jordan (1994), Supervised learning from incomplete data via an EM approach, NIPS 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mixtura.errors import IllDefined
from mixtura.families.gaussian.records import LOG_2PI, GaussianParams, GaussianStatistics
from mixtura.families.patterns import Patterns, patterns
from mixtura.records import AnyArray, Array, RandomNumbers


@dataclass(frozen=True)
class Given:
    """What one Gaussian says of missing cells, by pattern; zeros stand for cells that are there.

    log_norm (P,)   log p of the cells that are there, at their mean
    whiten (P, d, d)  makes standard normal numbers of those
    slope (P, d, d)   makes expected missing cells of these, z @ slope
    left (P, d, d)    the covariance of missing cells given the others
    """

    log_norm: Array
    whiten: Array
    slope: Array
    left: Array


def given(seen: NDArray[np.bool_], covariance: Array) -> Given:
    """That of a Gaussian with this covariance, for the patterns `seen` (P, d)."""
    both = seen[:, :, None] & seen[:, None, :]
    masked = np.where(both, covariance, 0.0)
    d = seen.shape[1]
    # A one for each missing cell: it says nothing, and matrices of one size are inverted together.
    masked[:, range(d), range(d)] += ~seen
    root = np.linalg.cholesky(masked)
    log_det = np.log(root[:, range(d), range(d)]).sum(axis=1)
    whiten = np.linalg.inv(root) * seen[:, :, None] * seen[:, None, :]
    across = np.where(seen[:, :, None] & ~seen[:, None, :], covariance, 0.0)
    slope = whiten @ across
    left = np.where(~seen[:, :, None] & ~seen[:, None, :], covariance, 0.0)
    left -= np.swapaxes(slope, 1, 2) @ slope
    log_norm = -0.5 * LOG_2PI * seen.sum(axis=1) - log_det
    return Given(log_norm, np.asarray(whiten), np.asarray(slope), left)


def scores(rows: Array, kinds: Patterns, told: Given) -> Array:
    """Standard normal numbers of centred rows in `order`, whose gaps are 0; (n, d)."""
    out = np.empty_like(rows)
    for p, own in enumerate(kinds.slices):
        np.matmul(rows[own], told.whiten[p].T, out=out[own])
    return out


def expected(z: Array, kinds: Patterns, told: Given) -> Array:
    """The missing cells less their means, from those numbers; 0 for cells that are there."""
    out = np.empty_like(z)
    for p, own in enumerate(kinds.slices):
        np.matmul(z[own], told.slope[p], out=out[own])
    return out


def square_root(covariance: Array) -> Array:
    """Columns whose outer products add up to it, (..., d, d)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])


@dataclass(frozen=True)
class GapsLook:
    """Densities and expected sums of rows with gaps."""

    X: AnyArray
    params: GaussianParams

    @cached_property
    def kinds(self) -> Patterns:
        """The patterns of the rows."""
        return patterns(self.X)

    @cached_property
    def ordered(self) -> tuple[Array, NDArray[np.bool_]]:
        """The rows in their order, 0 in gaps, and which cells are there."""
        rows = np.asarray(self.X, dtype=np.float64)[self.kinds.order]
        there = self.kinds.seen[self.kinds.index]
        return np.where(there, rows, 0.0), there

    @cached_property
    def known(self) -> list[tuple[Given, Array]]:
        """By component: what it says of the patterns, and the scores of the rows in their order."""
        g, (K, d) = self.params, self.params.means.shape
        dense, (rows, there) = g.form.dense(g.covariances, K, d), self.ordered
        found = []
        for k in range(K):
            try:
                told = given(self.kinds.seen, dense[k])
            except np.linalg.LinAlgError:
                raise IllDefined(k) from None
            z = scores(np.where(there, rows - g.means[k], 0.0), self.kinds, told)
            found.append((told, z))
        return found

    @cached_property
    def log_density(self) -> Array:
        """log p of what is there of each row, (n, K)."""
        out, index = np.empty((len(self.X), len(self.params.means))), self.kinds.index
        for k, (told, z) in enumerate(self.known):
            squares = np.einsum("ij,ij->i", z, z)
            out[self.kinds.order, k] = told.log_norm[index] - 0.5 * squares
        return out

    @property
    def peaks(self) -> Array:
        """The highest that `log_density` could be of the same cells, (n, K)."""
        out, index = np.empty((len(self.X), len(self.params.means))), self.kinds.index
        for k, (told, _) in enumerate(self.known):
            out[self.kinds.order, k] = told.log_norm[index]
        return out

    def filled(self, k: int) -> Array:
        """The rows, missing cells at their mean under component k given the others."""
        out = np.empty_like(self.ordered[0])
        out[self.kinds.order] = self._filled(k)
        return out

    def _filled(self, k: int) -> Array:
        (rows, there), (told, z) = self.ordered, self.known[k]
        return np.where(there, rows, self.params.means[k] + expected(z, self.kinds, told))

    def completed(self, labels: AnyArray, rng: RandomNumbers, width: Array | None = None) -> Array:
        """The rows, missing cells drawn from the labelled component given the others.

        width (n,) makes normal deviations so much wider.
        """
        out, (rows, there) = np.empty_like(self.ordered[0]), self.ordered
        drawn, noise = rows.copy(), rng.standard_normal(rows.shape)
        if width is not None:
            noise *= width[self.kinds.order, None]
        for k, (told, _) in enumerate(self.known):
            own = labels[self.kinds.order] == k
            away = np.empty_like(noise)
            for p, some in enumerate(self.kinds.slices):
                away[some] = noise[some] @ square_root(told.left[p]).T
            drawn[own] = np.where(there, rows, self._filled(k) + away)[own]
        out[self.kinds.order] = drawn
        return out

    def statistics(self, resp: Array, left_resp: Array | None = None) -> GaussianStatistics:
        """The expected sums at these responsibilities; `left_resp` are those of covariances."""
        first, seconds = self.moments(resp, resp if left_resp is None else left_resp)
        return GaussianStatistics(resp.sum(axis=0), first, self.params.form.gather(seconds))

    def moments(self, resp: Array, left_resp: Array) -> tuple[Array, list[Array]]:
        """First moments (K, d), and each component's second ones."""
        g, form = self.params, self.params.form
        first, seconds = np.empty_like(g.means), []
        starts = [own.start for own in self.kinds.slices]
        for k, (told, _) in enumerate(self.known):
            r = resp[self.kinds.order, k]
            y = form.residuals(self._filled(k), g.means, g.whiten, k)
            first[k] = r @ y
            # What missing cells vary about their means, as rows that have its covariance.
            own = left_resp[self.kinds.order, k]
            left = np.einsum("p,pij->ij", np.add.reduceat(own, starts), told.left)
            about = square_root(left).T + g.means[k]
            y = np.concatenate([y, form.residuals(about, g.means, g.whiten, k)])
            seconds.append(form.second(y, np.concatenate([r, np.ones(len(about))])))
        return first, seconds

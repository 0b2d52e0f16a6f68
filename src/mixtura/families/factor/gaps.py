"""Rows of factor analysers with missing cells: maximum likelihood, all patterns of gaps at once.

What is there of a row, x_o, is of factors too: z given it is normal with the precision
I + Lambda_o' Psi_o^-1 Lambda_o, one q x q matrix for each pattern, and given z a missing cell hangs
on no other. So sums are expected ones, as for `families.gaussian.gaps`, and nothing grows with the
square of the number of columns.
Reference: Little & Rubin (2019), Statistical Analysis with Missing Data, section 11.2; Woodbury's
identity within the patterns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mixtura.families.factor.records import FactorParams, FactorStatistics
from mixtura.families.patterns import patterns
from mixtura.records import AnyArray, Array, RandomNumbers


@dataclass(frozen=True)
class Told:
    """What one component makes of the cells that are there.

    log_density (n,); scores (n, q) E[z | x]; left (P, q, q) the covariance of z given a row of each
    pattern; filled (n, d) the rows less their mean, missing cells expected
    """

    log_density: Array
    scores: Array
    left: Array
    filled: Array


@dataclass(frozen=True)
class FactorGapsLook:
    """Densities and expected sums of rows X (n, d) of which cells are NaN."""

    X: AnyArray
    params: FactorParams

    @cached_property
    def kinds(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """(the patterns, True where a cell is there, (P, d); which of them each row has)."""
        found = patterns(self.X)
        index = np.empty(len(self.X), dtype=np.int64)
        index[found.order] = found.index
        return found.seen, index

    def part(self, k: int) -> tuple[Array, Array, Array]:
        """Mean (d,), loadings (d, q) and noise (d,) of component k."""
        p, d = self.params, self.params.means.shape[1]
        loadings, noise = p.loadings[min(k, len(p.loadings) - 1)], p.noise[min(k, len(p.noise) - 1)]
        return p.means[k], loadings, np.broadcast_to(noise, (d,))

    @cached_property
    def told(self) -> list[Told]:
        """By component."""
        return [self._told(k) for k in range(len(self.params.means))]

    def _told(self, k: int) -> Told:
        (seen, index), (mean, loadings, noise) = self.kinds, self.part(k)
        q, there = loadings.shape[1], seen[index]
        rows = np.where(there, self.X - mean, 0.0)
        weighed = loadings / noise[:, None]
        products = np.einsum("ja,jb->jab", weighed, loadings).reshape(-1, q * q)
        left, log_det = swept((products.T @ seen.T).reshape(q, q, -1) + np.eye(q)[:, :, None])
        z = (left[:, :, index] * (rows @ weighed).T).sum(axis=1).T
        fitted = z @ loadings.T
        # As a sum of squares, not a difference: factors may be far stronger than noise.
        away = np.where(there, rows - fitted, 0.0) ** 2 @ (1.0 / noise) + (z**2).sum(axis=1)
        log_norm = -0.5 * (seen @ np.log(2.0 * np.pi * noise) + log_det)
        found = log_norm[index] - 0.5 * away
        return Told(found, z, np.moveaxis(left, 2, 0), np.where(there, rows, fitted))

    @property
    def log_density(self) -> Array:
        """log p of what is there of each row, (n, K)."""
        return np.stack([one.log_density for one in self.told], axis=1)

    @property
    def scores(self) -> Array:
        """E[z | x, k], (n, K, q)."""
        return np.stack([one.scores for one in self.told], axis=1)

    def filled(self, k: int) -> Array:
        """The rows, missing cells at their mean under component k given the others."""
        return np.asarray(self.told[k].filled + self.params.means[k])

    def completed(self, labels: AnyArray, rng: RandomNumbers) -> Array:
        """The rows, missing cells drawn from the labelled component given the others."""
        (seen, index), out = self.kinds, np.array(self.X, dtype=np.float64)
        noise = rng.standard_normal(out.shape)
        factors = rng.standard_normal((len(out), self.params.loadings.shape[2]))
        for k, one in enumerate(self.told):
            own = np.flatnonzero(labels == k)
            mean, loadings, width = self.part(k)
            root = np.linalg.cholesky(one.left)[index[own]]
            z = one.scores[own] + np.einsum("nab,nb->na", root, factors[own])
            drawn = mean + z @ loadings.T + np.sqrt(width) * noise[own]
            out[own] = np.where(seen[index[own]], out[own], drawn)
        return out

    def statistics(self, resp: Array) -> FactorStatistics:
        """The expected sums at these responsibilities (n, K), which include the row weights."""
        (seen, index), p = self.kinds, self.params
        parts = []
        for k, one in enumerate(self.told):
            r, gram, (_, loadings, noise) = resp[:, k], p.gram[k], self.part(k)
            q = len(gram)
            weights = np.bincount(index, weights=r, minlength=len(seen))
            # Of each column, what its missing cells leave open of z.
            flat = (weights[:, None] * one.left.reshape(-1, q * q)).T
            open_z = (flat @ ~seen).T.reshape(-1, q, q) @ loadings[:, :, None]
            weighed = r[:, None] * one.scores
            cross = weighed.T @ one.filled + open_z[:, :, 0].T
            # As sums over whole rows have them, z = gram^-T y, what is open beside included.
            inner = weighed.T @ one.scores + flat.sum(axis=1).reshape(q, q)
            inner = gram.T @ inner @ gram - r.sum() * np.eye(q)
            square = r @ one.filled**2 + (loadings * open_z[:, :, 0]).sum(axis=1)
            square += noise * (weights @ ~seen)
            first, factors = r @ one.filled, weighed.sum(axis=0) @ gram
            parts.append((first, factors, gram.T @ cross, inner, square))
        first, factors, cross, inner, square = map(np.stack, zip(*parts, strict=True))
        if p.noise.shape[1] == 1:
            square = square.sum(axis=1, keepdims=True)
        return FactorStatistics(resp.sum(axis=0), first, factors, cross, inner, square)


def swept(matrices: Array) -> tuple[Array, Array]:
    """(inverses (q, q, P) of positive definite matrices (q, q, P), their log determinants (P,)).

    By sweeps, all matrices at once, as LAPACK's calls for each take longer than its arithmetic
    where q is small. Reference: Goodnight (1979), A tutorial on the SWEEP operator, American
    Statistician 33.
    """
    a, log_det = matrices.copy(), np.zeros(matrices.shape[2])
    for j in range(len(a)):
        pivot, column = a[j, j].copy(), a[:, j].copy()
        row = a[j] / pivot
        a -= column[:, None] * row
        a[j], a[:, j], a[j, j] = row, -column / pivot, 1.0 / pivot
        log_det += np.log(pivot)
    return a, log_det


def guessed(X: AnyArray, resp: Array, otherwise: Array) -> Array:
    """The rows, gaps at the mean of the groups `resp` (n, K), where these have the column at all;
    else at `otherwise` (d,): for starts."""
    there = ~np.isnan(X)
    sums, cells = resp.T @ np.where(there, X, 0.0), resp.T @ there
    means = np.where(cells > 0, sums / np.where(cells > 0, cells, 1.0), otherwise)
    shares = resp / np.maximum(resp.sum(axis=1, keepdims=True), 1e-300)
    return np.where(there, X, shares @ means)

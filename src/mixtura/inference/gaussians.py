"""A mixture of Gaussians as plain arrays: what is asked of a fit once it is made.

Covariances come as lower Cholesky factors and stay so: a sub-block of a positive definite matrix
is then positive definite however ill-conditioned it is and whatever units its columns have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from mixtura.records import AnyArray, Array

LOG_2PI = float(np.log(2 * np.pi))


class Estimate(NamedTuple):
    """A number, or an array of them, and how far chance may have moved it.

    standard_error is 0.0 where the value is a closed form, exact to rounding.
    """

    value: float | Array
    standard_error: float | Array


@dataclass(frozen=True)
class Gaussians:
    """weights (K,) on the simplex, means (K, d), roots (K, d, d) lower with positive diagonal."""

    weights: Array
    means: Array
    roots: Array

    @property
    def log_weights(self) -> Array:
        """log P(k), -inf for a component without weight."""
        with np.errstate(divide="ignore"):
            return np.log(self.weights)

    def whitened(self, X: AnyArray, k: int) -> Array:
        """L_k^-1 (x - m_k) of all rows, (n, d)."""
        return np.asarray(solve_triangular(self.roots[k], (X - self.means[k]).T, lower=True).T)

    def component_log_density(self, X: AnyArray) -> Array:
        """log P(x | k), (n, K)."""
        d = self.means.shape[1]
        norms = -np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1) - 0.5 * d * LOG_2PI
        out = np.empty((len(X), len(self.weights)))
        # Far enough out squares are infinite, and so is what is subtracted.
        with np.errstate(over="ignore"):
            for k, norm in enumerate(norms):
                y = self.whitened(X, k)
                out[:, k] = norm - 0.5 * np.einsum("ij,ij->i", y, y)
        return out

    def log_joint(self, X: AnyArray) -> Array:
        """log P(k) P(x | k), (n, K)."""
        return self.log_weights + self.component_log_density(X)

    def log_density(self, X: AnyArray) -> Array:
        """log P(x), (n,)."""
        return np.asarray(logsumexp(self.log_joint(X), axis=1))

    def component(self, k: int) -> Gaussians:
        """Component k alone."""
        return Gaussians(np.ones(1), self.means[[k]], self.roots[[k]])

    def draw(self, labels: AnyArray, rng: np.random.RandomState) -> Array:
        """One row from each of these components, (len(labels), d)."""
        out = rng.standard_normal((len(labels), self.means.shape[1]))
        for k in np.unique(labels):
            rows = labels == k
            out[rows] = self.means[k] + out[rows] @ self.roots[k].T
        return out

    def sample(self, n: int, rng: np.random.RandomState) -> Array:
        """n rows in the components' order, their numbers as near to n P(k) as they can be.

        Only the fractions are left to chance: averages over such rows vary less than over
        independent ones, so their usual standard error errs on the safe side.
        """
        edges = np.floor(np.cumsum(self.weights) / self.weights.sum() * n + rng.uniform())
        counts = np.diff(np.minimum(edges, n), prepend=0.0).astype(np.int64)
        counts[np.argmax(self.weights)] += n - counts.sum()
        return self.draw(np.repeat(np.arange(len(counts)), counts), rng)

"""Some columns of a mixture alone, and given the others: both are mixtures of Gaussians again.

With the columns in the order (given, asked), a component's Cholesky factor has blocks

    L = [[L_b, 0], [L_ab, L_a]]

and asked given x has the mean m_a + L_ab L_b^-1 (x - m_b) and the covariance L_a L_a', whatever x
is; the weights become the responsibilities under the given columns alone. Predicting the mean of
that mixture is Gaussian mixture regression (Ghahramani & Jordan 1994, Supervised learning from
incomplete data via an EM approach, NIPS 6). No matrix is inverted and no difference of matrices
is taken: the factor of reordered columns is the triangle of a QR decomposition of the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from mixtura.data.refusal import row_at
from mixtura.inference.gaussians import Gaussians
from mixtura.records import AnyArray, Array


def marginal(mixture: Gaussians, columns: Sequence[int]) -> Gaussians:
    """The mixture of these columns, in this order."""
    columns = list(columns)
    return Gaussians(mixture.weights, mixture.means[:, columns], _reordered(mixture.roots, columns))


def _reordered(roots: Array, columns: list[int]) -> Array:
    """Cholesky factors of the covariances of these columns: those rows of L, made triangular."""
    triangle = np.linalg.qr(np.swapaxes(roots[:, columns], 1, 2), mode="r")
    signs = np.where(np.diagonal(triangle, axis1=1, axis2=2) < 0, -1.0, 1.0)
    return np.asarray(np.swapaxes(triangle * signs[:, :, None], 1, 2))


@dataclass(frozen=True)
class Conditional:
    """p(asked | given) for any values of the given columns.

    given  the mixture of the p given columns
    means  (K, q), where a component's asked columns are when its given ones are at their mean
    loads  (K, q, p), L_ab above
    roots  (K, q, q), L_a above
    """

    given: Gaussians
    means: Array
    loads: Array
    roots: Array

    def responsibilities(self, X: AnyArray) -> Array:
        """P(k | given = x), (n, K).

        Raises ValueError for a row so far out that its squared distance overflows.
        """
        joint = self.given.log_joint(X)
        lost = np.isneginf(joint.max(axis=1))
        if lost.any():
            raise ValueError(
                f"{row_at(int(np.argmax(lost)))} of the given values lies so far from every "
                "component that its squared distance leaves float64: check its units"
            )
        odds = np.exp(joint - joint.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def centres(self, X: AnyArray) -> Iterator[Array]:
        """Each component's conditional means, (n, q)."""
        for k, mean in enumerate(self.means):
            yield mean + self.given.whitened(X, k) @ self.loads[k].T

    def mean(self, X: AnyArray) -> Array:
        """E(asked | given = x), (n, q)."""
        resp = self.responsibilities(X)
        return self._mean(X, resp)

    def covariance(self, X: AnyArray) -> tuple[Array, Array]:
        """(mean (n, q), covariance (n, q, q)) of asked | given = x."""
        resp = self.responsibilities(X)
        mean = self._mean(X, resp)
        within = self.roots @ np.swapaxes(self.roots, 1, 2)
        out = np.tensordot(resp, within, axes=1)
        for k, centre in enumerate(self.centres(X)):
            off = centre - mean
            out += (resp[:, k, None] * off)[:, :, None] * off[:, None, :]
        return mean, out

    def variance(self, X: AnyArray) -> tuple[Array, Array]:
        """(mean (n, q), variance (n, q)) of asked | given = x."""
        resp = self.responsibilities(X)
        mean = self._mean(X, resp)
        out = resp @ (self.roots**2).sum(axis=2)
        for k, centre in enumerate(self.centres(X)):
            out += resp[:, k, None] * (centre - mean) ** 2
        return mean, out

    def _mean(self, X: AnyArray, resp: Array) -> Array:
        return np.asarray(sum(r[:, None] * c for r, c in zip(resp.T, self.centres(X), strict=True)))

    def log_density(self, X: AnyArray, Y: AnyArray) -> Array:
        """log p(asked = y | given = x) of each pair of rows, (n,)."""
        joint = self.given.log_joint(X)
        still = Gaussians(np.ones(len(self.means)), np.zeros_like(self.means), self.roots)
        inner = np.empty_like(joint)
        for k, centre in enumerate(self.centres(X)):
            inner[:, k] = still.component(k).component_log_density(Y - centre)[:, 0]
        top = logsumexp(joint, axis=1)
        return np.asarray(logsumexp(joint + inner, axis=1) - top)

    def sample(self, X: AnyArray, rng: np.random.RandomState) -> Array:
        """One draw of the asked columns for each row, (n, q)."""
        upto = np.cumsum(self.responsibilities(X), axis=1)
        labels = (upto < rng.uniform(size=(len(X), 1)) * upto[:, -1:]).sum(axis=1)
        noise = rng.standard_normal((len(X), self.means.shape[1]))
        out = np.empty_like(noise)
        for k, centre in enumerate(self.centres(X)):
            rows = labels == k
            out[rows] = centre[rows] + noise[rows] @ self.roots[k].T
        return out

    def at(self, x: Array) -> Gaussians:
        """The mixture of the asked columns given one row x (p,)."""
        row = x[None]
        centres = np.concatenate(list(self.centres(row)))
        return Gaussians(self.responsibilities(row)[0], centres, self.roots)


def conditional(mixture: Gaussians, given: Sequence[int], asked: Sequence[int]) -> Conditional:
    """p(asked | given), each a list of columns."""
    p, both = len(given), marginal(mixture, [*given, *asked])
    return Conditional(
        Gaussians(mixture.weights, both.means[:, :p], both.roots[:, :p, :p]),
        both.means[:, p:],
        both.roots[:, p:, :p],
        both.roots[:, p:, p:],
    )

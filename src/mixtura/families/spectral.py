"""Spherical normal components from the moments of order one to three.

Hsu & Kakade (2013), Learning mixtures of spherical Gaussians: moment methods and spectral
decompositions, ITCS, theorem 2 (variances that differ). Here every row also carries a 1 in front,
which has no noise: then means need only span a simplex, wherever zero is, and after whitening the
first coordinates of the K directions are the square roots of the weights.
"""

from __future__ import annotations

import numpy as np

from mixtura.errors import FitError
from mixtura.families.spheres import Spheres
from mixtura.records import Array

# Directions that power iterations begin with, for each component and beside, and their steps: they
# converge quadratically.
_TRIES, _STEPS = 10, 40
# A variance below this share of the largest is rounding.
_ROUNDING = 1e-12
# Rows whose products are taken at once.
_PIECE = 4096


def spectral(X: Array, w: Array, K: int, *, one_variance: bool = False) -> Spheres:
    """K <= d components; X (n, d), weights w (n,). Error n^-1/2.

    With p the shares of the rows, S their covariance with eigenvalues l_1 <= ... <= l_d:

        s2    mean of l_1, ..., l_(d-K+1), the average variance of the noise (the smallest one, in
              the paper; these are all equal), N their eigenvectors, U the others
        y     (1, (l_U - s2)^-1/2 U'(x - mean)), so that E[yy'] less the noise is the identity
        M1    E[y |N'(x - mean)|^2] / (d-K+1) = sum_k pi_k s2_k y(m_k)
        M3    E[y ⊗ y ⊗ y] - the three arrangements of M1 ⊗ D, D the covariance of y per unit noise
              = sum_k pi_k^-1/2 u_k ⊗ u_k ⊗ u_k, the u_k = pi_k^1/2 y(m_k) orthonormal

    FitError where the covariance shows fewer than K - 1 directions beyond the noise.
    """
    p = w / w.sum()
    mean = p @ X
    C = X - mean
    values, vectors = np.linalg.eigh((C * p[:, None]).T @ C)
    quiet = X.shape[1] - K + 1
    common = float(values[:quiet].mean())
    excess = values[quiet:] - common
    if values[-1] <= 0 or (excess <= _ROUNDING * values[-1]).any():
        raise FitError(
            f"the table varies alike in too many directions to hold {K} spherical groups that "
            "moments of order three could tell: use fewer components, or 'auto'"
        )
    units = np.sqrt(excess)
    Y = np.hstack([np.ones((len(X), 1)), C @ vectors[:, quiet:] / units])
    first = (p * ((C @ vectors[:, :quiet]) ** 2).mean(axis=1)) @ Y
    u = _directions(_third(Y, p, first, np.diag(np.append(0.0, 1.0 / excess))))
    means = mean + (u[:, 1:] / u[:, :1] * units) @ vectors[:, quiet:].T
    variances = np.full(K, common) if one_variance else u @ first / u[:, 0]
    return Spheres(u[:, 0] ** 2, means, variances, common)


def _third(Y: Array, p: Array, first: Array, noise: Array) -> Array:
    """M3, (K, K, K)."""
    K = Y.shape[1]
    total = np.zeros((K * K, K))
    for start in range(0, len(Y), _PIECE):
        y = Y[start : start + _PIECE]
        pairs = (y[:, :, None] * y[:, None, :]).reshape(len(y), K * K)
        total += (pairs * p[start : start + _PIECE, None]).T @ y
    one = first[:, None, None] * noise
    return np.asarray(
        total.reshape(K, K, K) - one - one.transpose(1, 0, 2) - one.transpose(1, 2, 0)
    )


def _directions(T: Array) -> Array:
    """The orthonormal u_k, as rows, of T = sum_k a_k u_k ⊗ u_k ⊗ u_k with a_k > 0.

    By power iterations, each direction taken out once it is found: Anandkumar, Ge, Hsu, Kakade &
    Telgarsky (2014), Tensor decompositions for learning latent variable models, JMLR 15, section 5.
    """
    K = len(T)
    rng = np.random.RandomState(0)
    begun = rng.standard_normal((_TRIES + 2 * K, K))
    found = np.zeros((K, K))
    for k in range(K):
        V = begun - begun @ found[:k].T @ found[:k]
        V /= np.linalg.norm(V, axis=1, keepdims=True)
        for _ in range(_STEPS):
            V = _powered(T, V)
            V /= np.maximum(np.linalg.norm(V, axis=1, keepdims=True), np.finfo(float).tiny)
        heights = (_powered(T, V) * V).sum(axis=1)
        best = int(heights.argmax())
        found[k] = V[best]
        T = T - heights[best] * np.einsum("i,j,k->ijk", V[best], V[best], V[best])
    left, _, right = np.linalg.svd(found)
    u = left @ right
    # Their first coordinates are square roots of weights.
    return np.asarray(u * np.where(u[:, :1] < 0, -1.0, 1.0))


def _powered(T: Array, V: Array) -> Array:
    """T(., v, v) for each row v of V."""
    K = len(T)
    halfway = (V @ T.reshape(K, K * K)).reshape(len(V), K, K)
    return np.asarray((halfway @ V[:, :, None])[:, :, 0])

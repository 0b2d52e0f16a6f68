"""Where factor analysers begin: principal components of each component's rows.

The rows of a component, centred and weighed by their responsibilities, have a few leading singular
vectors; they are found by a randomised SVD (Halko, Martinsson & Tropp 2011, SIAM Review 53), so no
covariance of the columns is ever made. Where noise has a variance for each column these are
standardised first, so that units do not matter.
"""

from __future__ import annotations

import numpy as np
from sklearn.utils.extmath import randomized_svd

from mixtura.errors import IllDefined
from mixtura.families.factor.prior import NoisePrior
from mixtura.families.factor.records import FactorParams, factor_params
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.records import AnyArray, Array

# Noise has at least this share of a column's variance, and a factor more than noise alone would.
LEAST_NOISE, LEAST_FACTOR = 0.02, 0.1
# Turns of principal components in units of the noise, and the most columns for which they are made.
_TURNS, _NARROW = 5, 100
# A factor without rows of its own begins with this share of the variance, in a random direction.
EMPTY_FACTOR = 1e-4
# A matrix of which one side is at most this many times q is decomposed whole.
_THIN = 8
# Rows that count for less than this in a component are left out of its factors.
_NOTHING = 1e-9


def started(
    X: AnyArray, resp: Array, params: FactorParams, kind: FactorAnalytic, prior: NoisePrior
) -> FactorParams:
    """Parameters from responsibilities (n, K) that include the row weights.

    A component without rows keeps those of `params`. Raises IllDefined for one in which a column
    does not vary, where no prior holds it.
    """
    K, d = params.means.shape
    counts = resp.sum(axis=0)
    means = params.means.copy()
    variances = params.variances
    loadings = np.broadcast_to(params.loadings, (K, d, kind.n_factors)).copy()
    noise = np.broadcast_to(params.noise, (K, d)).copy()
    for k in np.flatnonzero(counts > 0):
        chosen = resp[:, k] > _NOTHING * counts[k]
        share = resp[chosen, k] / resp[chosen, k].sum()
        means[k] = share @ X[chosen]
        centred = X[chosen] - means[k]
        a = prior.strength
        variances[k] = (counts[k] * (share @ centred**2) + 2 * a * prior.target) / (
            counts[k] + 2 * a
        )
        variances[k] += prior.held + prior.absolute
        if not np.all(variances[k] > 0):
            raise IllDefined(int(k))
        loadings[k], noise[k] = _principal(centred, share, variances[k], kind)
    weights = np.where(counts > 0, counts, 0.0) / counts.sum()
    if kind.common_loadings:
        loadings = _pooled(loadings, weights)
        floor = LEAST_NOISE * variances
        noise = np.maximum(variances - np.sum(loadings**2, axis=2), floor)
    if kind.common_noise:
        noise = weights[None] @ noise
    if kind.isotropic:
        noise = noise.mean(axis=1, keepdims=True)
    return factor_params(means, loadings, noise)


def _principal(
    centred: Array, share: Array, variance: Array, kind: FactorAnalytic
) -> tuple[Array, Array]:
    """(loadings (d, q), noise (d,)) of one component: its principal components.

    A share of the variance equal to that of the other directions is left to the noise (Tipping &
    Bishop 1999, J. Royal Statistical Society B 61).
    """
    d, q = len(variance), kind.n_factors
    scale = np.full(d, np.sqrt(variance.mean())) if kind.isotropic else np.sqrt(variance)
    values, directions = _leading(centred * (np.sqrt(share)[:, None] / scale), q)
    rest = max(float(np.sum(variance / scale**2) - values.sum()), 0.0) / max(d - q, 1)
    explained = np.maximum(values - rest, LEAST_FACTOR * values)
    loadings = directions * np.sqrt(explained) * scale[:, None]
    noise = np.maximum(variance - np.sum(loadings**2, axis=1), LEAST_NOISE * variance)
    if kind.isotropic or kind.common_loadings or not len(centred) > d <= _NARROW:
        return loadings, noise
    return _in_units_of_noise(centred, share, variance, q)


def _in_units_of_noise(
    centred: Array, share: Array, variance: Array, q: int
) -> tuple[Array, Array]:
    """The same in units of the noise, which is what they leave of the variance, by turns.

    Joreskog (1967), Psychometrika 32: at given noise these loadings are the likeliest. Principal
    components of standardised columns may lead to a lesser optimum, where a column with much noise
    counts as much as one with little.
    """
    noise = variance
    for _ in range(_TURNS):
        scale = np.sqrt(noise)
        values, directions = _leading(centred * (np.sqrt(share)[:, None] / scale), q)
        explained = np.maximum(values - 1.0, LEAST_FACTOR * values)
        loadings = directions * np.sqrt(explained) * scale[:, None]
        noise = np.maximum(variance - np.sum(loadings**2, axis=1), LEAST_NOISE * variance)
    return loadings, noise


def _leading(matrix: Array, q: int) -> tuple[Array, Array]:
    """The q largest squared singular values, (q,), and their right vectors as columns, (d, q)."""
    n, d = matrix.shape
    if min(n, d) <= _THIN * q:
        _, values, rows = np.linalg.svd(matrix, full_matrices=False)
    else:
        _, values, rows = randomized_svd(matrix, q, n_iter=3, random_state=0)
    values, rows = values[:q] ** 2, rows[:q]
    missing = q - len(values)
    if missing:
        drawn = np.random.RandomState(0).standard_normal((missing, d)) / np.sqrt(d)
        values, rows = np.append(values, np.zeros(missing)), np.concatenate([rows, drawn])
    # A factor that begins at nothing stays there: EM cannot see the direction it should take.
    return np.maximum(values, EMPTY_FACTOR * d), rows.T


def _pooled(loadings: Array, weights: Array) -> Array:
    """The loadings, (1, d, q), that come closest to those of all components."""
    q = loadings.shape[2]
    beside = np.concatenate([np.sqrt(w) * one for w, one in zip(weights, loadings, strict=True)], 1)
    vectors, values, _ = np.linalg.svd(beside, full_matrices=False)
    return np.asarray(vectors[:, :q] * values[:q])[None]

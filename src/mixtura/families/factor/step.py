"""The M-step of mixtures of factor analysers, from the sums alone.

Plain EM on the factors (Ghahramani & Hinton 1996, University of Toronto CRG-TR-96-1) regresses the
rows on the factor scores and is slow where factors are strong. Parameter expansion (Liu, Rubin &
Wu 1998, Biometrika 85) costs nothing and is faster: the factors of a component may have any mean a
and covariance R while the step is made, and are standardised after it: m + Lambda a and
Lambda chol(R) give the same density. So the mean is that of the rows, and loadings are rescaled.
Every step still raises the likelihood. Loadings that are common depend on the noise, and noise on
them: they take turns (ECM, Meng & Rubin 1993, Biometrika 80), one turn to a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.errors import IllDefined
from mixtura.families.factor.prior import NoisePrior
from mixtura.families.factor.records import FactorParams, FactorStatistics
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.records import Array


@dataclass(frozen=True)
class Averages:
    """Expected moments per row of each component, about its new mean, given the rows.

    cross (K, d, q) of rows with factors, inner (K, q, q) of factors, square (K, d or 1) of rows.
    """

    cross: Array
    inner: Array
    square: Array


def maximised(
    stats: FactorStatistics, params: FactorParams, kind: FactorAnalytic, prior: NoisePrior
) -> tuple[Array, Array, Array]:
    """(means, loadings, noise) after one step. A component without rows keeps its own."""
    rows = stats.counts > 0
    count = np.where(rows, stats.counts, 1.0)[:, None]
    shift = stats.first / count
    means = params.means + shift
    averages = averaged(stats, params, count, shift)
    if kind.common_loadings:
        loadings, residual = _common(stats.counts, averages, params)
    else:
        loadings, residual = _own(averages)
        loadings[~rows] = params.loadings[~rows]
    noise = _noise(stats.counts, np.maximum(residual, 0.0), params, kind, prior)
    return means, loadings, noise


def averaged(stats: FactorStatistics, params: FactorParams, count: Array, shift: Array) -> Averages:
    """The averages; `count` (K, 1) is above 0, `shift` (K, d) how far each mean moves."""
    factors, both, products = stats.of_scores(params.gram)
    score = factors / count
    cross = both / count[:, :, None] - shift[:, :, None] * score[:, None, :]
    inner = products / count[:, :, None] - score[:, :, None] * score[:, None, :]
    moved = shift**2
    if stats.square.shape[1] == 1:
        moved = moved.sum(axis=1, keepdims=True)
    return Averages(cross, inner + posterior(params.gram), stats.square / count - moved)


def posterior(gram: Array) -> Array:
    """The covariance of the factors given a row, (K, q, q)."""
    inverse = np.linalg.inv(gram)
    return np.asarray(np.swapaxes(inverse, 1, 2) @ inverse)


def _own(averages: Averages) -> tuple[Array, Array]:
    """(each component's loadings, what they leave of each column's variance)."""
    cross = averages.cross
    loadings = np.swapaxes(np.linalg.solve(averages.inner, np.swapaxes(cross, 1, 2)), 1, 2)
    explained = np.sum(loadings * cross, axis=2)
    residual = averages.square - _like(explained, averages.square)
    return np.asarray(loadings @ _root(averages.inner)), residual


def _common(counts: Array, averages: Averages, params: FactorParams) -> tuple[Array, Array]:
    """The same for one matrix of loadings, at the noise of `params`."""
    cross, inner = averages.cross, averages.inner
    # Rows of every component count by the precision of its noise in each column.
    weight = counts[:, None] / params.noise
    if weight.shape[1] == 1 or len(params.noise) == 1:
        by = weight[:, 0]
        pooled = np.tensordot(by, inner, axes=1)
        loadings = np.linalg.solve(pooled, np.tensordot(by, cross, axes=1).T).T
    else:
        pooled = np.einsum("kj,kab->jab", weight, inner)
        target = np.einsum("kj,kja->ja", weight, cross)
        loadings = np.linalg.solve(pooled, target[:, :, None])[:, :, 0]
    explained = 2.0 * np.sum(loadings * cross, axis=2) - np.sum((loadings @ inner) * loadings, 2)
    residual = averages.square - _like(explained, averages.square)
    spread = np.tensordot(counts / counts.sum(), inner, axes=1)
    return (loadings @ _root(spread[None])[0])[None], residual


def _root(spread: Array) -> Array:
    """The lower Cholesky factors of the factors' covariances (K, q, q).

    Raises IllDefined naming a component whose factors rounding has made dependent.
    """
    try:
        return np.asarray(np.linalg.cholesky(spread))
    except np.linalg.LinAlgError:
        raise IllDefined(int(np.linalg.eigvalsh(spread).min(axis=1).argmin())) from None


def _noise(
    counts: Array, residual: Array, params: FactorParams, kind: FactorAnalytic, prior: NoisePrior
) -> Array:
    """Noise variances from the residual variances (K, d), or (K, 1) their sums."""
    a = prior.strength
    if kind.isotropic:
        residual = residual / params.means.shape[1]
    weight = counts[:, None]
    if kind.common_noise:
        residual = (weight * residual).sum(axis=0, keepdims=True) / counts.sum()
        weight = counts.sum(keepdims=True)[:, None]
    total = weight + 2 * a
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = (weight * residual + 2 * a * prior.target) / total
    noise = np.where(total > 0, noise, params.noise)
    return np.asarray(noise + prior.held + prior.absolute)


def _like(explained: Array, square: Array) -> Array:
    """Explained variances by column, or their sums, as `square` has them."""
    return explained.sum(axis=1, keepdims=True) if square.shape[1] == 1 else explained

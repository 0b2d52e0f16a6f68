"""M-steps of covariance structures that share volume, shape or orientation among components.

Sigma_k = lambda_k D_k A_k D_k' with |A_k| = 1: volume lambda_k, shape A_k (diagonal), orientation
D_k (orthogonal). Celeux & Govaert (1995), Gaussian parsimonious clustering models, Pattern
Recognition 28, maximise the expected log-likelihood, -1/2 sum_k {n_k log|Sigma_k| +
tr(Sigma_k^-1 W_k)}, for each way of sharing them; the common orientation is in `orientation`.

Every function here takes the scatters W, the counts n (K,), all positive, and the covariances
before the step, all in the shape of the structure's form, and returns the covariances. W and n are
shares of all rows, and variances lie about 1 as far as one unit for all columns can do that, so
that no product overflows. Functions that iterate begin at the covariances before: no step lowers
the expected log-likelihood.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.errors import IllDefined
from mixtura.families.gaussian.orientation import common_axes
from mixtura.families.gaussian.spectrum import spectra
from mixtura.families.gaussian.triangular import cholesky_of_all
from mixtura.records import Array

Geometry = Callable[[Array, Array, Array], Array]

# Alternations between volumes and what is common: they end when no volume moves by more than
# SETTLED, relative, or after TURNS, which are more than any table met so far has needed.
TURNS, SETTLED = 200, 1e-13


def pooled(W: Array, n: Array, before: Array) -> Array:
    """EII and EEI: sum W / sum n for all."""
    return np.broadcast_to(W.sum(axis=0) / n.sum(), W.shape).copy()


def scaled_axes(W: Array, n: Array, before: Array) -> Array:
    """VEI: own volumes, one axis-aligned shape; W (K, d) are the axes' scatters."""
    if not W.sum(axis=0).min() > 0 or not W.sum(axis=1).min() > 0:
        raise IllDefined(int(W.sum(axis=1).argmin()))

    def common(volumes: Array) -> Array:
        return np.asarray((W / volumes[:, None]).sum(axis=0))

    def moved(shape: Array) -> Array:
        return np.asarray((W / shape).mean(axis=1) / n)

    volumes, shape = _alternated(np.exp(np.log(before).mean(axis=1)), common, moved, _axes_volume)
    return np.asarray(volumes[:, None] * shape)


def shaped_axes(W: Array, n: Array, before: Array) -> Array:
    """EVI: one volume, own axis-aligned shapes."""
    return _same_volume(W, n, _axes_volume(W))


def own_axes(W: Array, n: Array, before: Array) -> Array:
    """VVI: nothing is shared."""
    _axes_volume(W)
    return np.asarray(W / n[:, None])


def scaled(W: Array, n: Array, before: Array) -> Array:
    """VEE: own volumes, one shape and orientation."""

    def common(volumes: Array) -> Array:
        return np.asarray((W / volumes[:, None, None]).sum(axis=0))

    def moved(shape: Array) -> Array:
        unit = np.sqrt(np.diagonal(shape))
        inverse = np.linalg.inv(shape / unit[:, None] / unit) / unit[:, None] / unit
        return np.asarray((W * inverse).sum(axis=(1, 2)) / (len(shape) * n))

    if not np.trace(W, axis1=1, axis2=2).min() > 0:
        raise IllDefined(int(np.trace(W, axis1=1, axis2=2).argmin()))
    volumes, shape = _alternated(_volume(before), common, moved, _one_volume)
    return np.asarray(volumes[:, None, None] * shape)


def shaped(W: Array, n: Array, before: Array) -> Array:
    """EVV: one volume, own shapes and orientations."""
    return _same_volume(W, n, _volume(W))


def turned(axes: Geometry) -> Geometry:
    """Own orientations, the axes' variances by `axes`: EEV, VEV.

    The best orientation for any order of the shared shape is each scatter's own eigenvectors.
    """

    def geometry(W: Array, n: Array, before: Array) -> Array:
        values, vectors = spectra(W)
        # Of the covariances before only the volumes are looked at.
        last = np.broadcast_to(_volume(before)[:, None], values.shape)
        return composed(vectors, axes(values, n, last))

    return geometry


def oriented(axes: Geometry, same_volume: bool) -> Geometry:
    """One orientation, the axes' variances by `axes`: EVE, VVE."""

    def geometry(W: Array, n: Array, before: Array) -> Array:
        D = common_axes(W, n, before, same_volume)
        along, last = (np.diagonal(D.T @ part @ D, axis1=1, axis2=2) for part in (W, before))
        variances = axes(along, n, last)
        return composed(np.broadcast_to(D, W.shape), variances)

    return geometry


def composed(vectors: Array, variances: Array) -> Array:
    """V diag(variances) V' for each component, symmetric to the last bit."""
    half = vectors * np.sqrt(variances)[:, None, :]
    return np.asarray(half @ np.swapaxes(half, 1, 2))


def _alternated(
    volumes: Array,
    common: Callable[[Array], Array],
    moved: Callable[[Array], Array],
    size: Callable[[Array], Array],
) -> tuple[Array, Array]:
    """(volumes, shape of volume one), each the best for the other."""
    for _ in range(TURNS):
        shape = common(volumes)
        shape = shape / size(shape[None])[0]
        last, volumes = volumes, moved(shape)
        if np.max(np.abs(volumes - last) / last) <= SETTLED:
            break
    return volumes, shape


def _same_volume(W: Array, n: Array, volumes: Array) -> Array:
    share = (volumes.sum() / n.sum()) / volumes
    return np.asarray(W * share.reshape((-1,) + (1,) * (W.ndim - 1)))


def _axes_volume(W: Array) -> Array:
    """|W_k|^(1/d) of diagonal matrices; IllDefined where one has an axis without scatter."""
    if not W.min() > 0:
        raise IllDefined(int(np.argmin(W.min(axis=1))))
    return np.asarray(np.exp(np.log(W).mean(axis=1)))


def _volume(W: Array) -> Array:
    """|W_k|^(1/d); IllDefined where one is not positive definite."""
    pivots = np.diagonal(cholesky_of_all(W), axis1=1, axis2=2)
    return np.asarray(np.exp(2.0 * np.log(pivots).mean(axis=1)))


_one_volume = _volume

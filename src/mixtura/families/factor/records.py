"""The records of mixtures of factor analysers: parameters with what their densities need, sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.errors import Drowned, IllDefined
from mixtura.families.gaussian.records import LOG_2PI
from mixtura.records import AnyArray, Array, Params, Statistics

# Means so far from the components' common centre, in squared standard deviations of the noise
# summed over columns, cost more digits than they may: 1e-16 times this in a squared distance.
FAR = 1e7
# From here on a squared distance is not a difference of sums of that size, which would leave less
# than ten digits.
STRONG = 1e6
# Factors this much stronger than the noise, in variances summed over columns, leave an M-step four
# digits of the noise: it is a difference of two sums of their size.
STRONGEST = 1e12


@dataclass(frozen=True)
class FactorStatistics(Statistics):
    """Sums about the current means; y_ik = projector_k (x_i - m_k), see `FactorParams`.

    counts  (K,)       sum_i r_ik
    first   (K, d)     sum_i r_ik (x_i - m_k)
    factors (K, q)     sum_i r_ik y_ik
    cross   (K, q, d)  sum_i r_ik y_ik (x_i - m_k)'
    inner   (K, q, q)  sum_i r_ik y_ik y_ik'
    square  (K, d)     sum_i r_ik (x_i - m_k)^2, in each column; (K, 1) their sum, where the noise
                       is isotropic
    """

    counts: Array
    first: Array
    factors: Array
    cross: Array
    inner: Array
    square: Array

    def of_scores(self, gram: Array) -> tuple[Array, Array, Array]:
        """`factors`, `cross` and `inner` with the factor scores z = G^-T y in the place of y.

        Of shapes (K, q), (K, d, q), (K, q, q); `gram` is that of the parameters.
        """
        inverse = np.linalg.inv(gram)
        factors = (self.factors[:, None, :] @ inverse)[:, 0]
        inner = np.swapaxes(inverse, 1, 2) @ self.inner @ inverse
        return factors, np.swapaxes(self.cross, 1, 2) @ inverse, inner


@dataclass(frozen=True)
class Group:
    """Components whose rows are centred together.

    members      which components these are
    centre       (d,)
    projections  (d, m (q + 1)): the members' projectors, then their shifts over the noise
    offsets      (m q,) what the projectors make of the shifts
    shifts       (m, d) means minus the centre
    lengths      (m,) the shifts' squared lengths in standard deviations of the noise
    precisions   (m, d) 1 / noise, or (m, 1) where it is isotropic; one line where it is common
    strong       whether the factors of a member are so strong that distances need these:
    loadings     (m, d, q)
    inverses     (m, q, q) what makes factors of the scores, row by row
    """

    members: AnyArray
    centre: Array
    projections: Array
    offsets: Array
    shifts: Array
    lengths: Array
    precisions: Array
    strong: bool
    loadings: Array
    inverses: Array


@dataclass(frozen=True)
class FactorParams(Params):
    """means (K, d), loadings (K, d, q) and noise variances (K, d); build with `factor_params`.

    Loadings that are common have one matrix, (1, d, q); common noise one line and isotropic noise
    one column. With B = Psi^-1/2 Lambda and G the lower Cholesky factor of I + B'B, derived are:

    gram       (K, q, q)  G; its inverse square is the covariance of the factors given a row
    projector  (K, q, d)  G^-1 B' Psi^-1/2: y = projector (x - m) gives the factor scores as G^-T y,
                          and (x - m)' Sigma^-1 (x - m) = (x - m)' Psi^-1 (x - m) - y'y
    log_norm   (K,)       the logarithm of each density at its mean
    """

    means: Array
    loadings: Array
    noise: Array
    gram: Array = field(repr=False)
    projector: Array = field(repr=False)
    log_norm: Array = field(repr=False)

    def arrays(self) -> dict[str, Array]:
        return {"means": self.means, "loadings": self.loadings, "noise": self.noise}

    @property
    def signal(self) -> float:
        """The variance of the factors of the strongest component, in units of the noise."""
        return float(np.sum(self.gram**2, axis=(1, 2)).max())

    @property
    def variances(self) -> Array:
        """The diagonals of the covariances, (K, d)."""
        return np.asarray(np.sum(self.loadings**2, axis=2) + self.noise) + np.zeros_like(self.means)

    @property
    def uniqueness(self) -> Array:
        """psi_kj (Sigma_k^-1)_jj, (K, d): noise as a share of the variance given other columns."""
        return np.asarray(1.0 - self.noise * np.sum(self.projector**2, axis=1))

    @cached_property
    def covariances(self) -> Array:
        """Sigma_k dense, (K, d, d): for tables of few enough columns."""
        return self.among(np.arange(self.means.shape[1]))

    def among(self, columns: AnyArray) -> Array:
        """The covariances of m of the columns, dense, (K, m, m)."""
        K, m = len(self.means), len(columns)
        loadings = self.loadings[:, columns]
        shared = loadings @ np.swapaxes(loadings, 1, 2)
        dense: Array = np.broadcast_to(shared, (K, m, m)).copy()
        noise = np.broadcast_to(self.noise, (len(self.noise), self.means.shape[1]))
        dense[:, np.arange(m), np.arange(m)] += noise[:, columns]
        return dense

    @property
    def root(self) -> Array:
        """The lower Cholesky factors of the covariances, dense, (K, d, d)."""
        return np.asarray(np.linalg.cholesky(self.covariances))

    @property
    def precisions(self) -> Array:
        """Sigma_k^-1 dense, (K, d, d), by Woodbury's identity."""
        d = self.means.shape[1]
        dense = -np.swapaxes(self.projector, 1, 2) @ self.projector
        dense[:, np.arange(d), np.arange(d)] += 1.0 / self.noise
        return np.asarray(dense)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The components near their common centre together, each of the others by itself."""
        centre = self.means.mean(axis=0)
        far = np.sum((self.means - centre) ** 2 / self.noise, axis=1) > FAR
        alone = [_group(self, np.array([k]), self.means[k]) for k in np.flatnonzero(far)]
        if far.all():
            return tuple(alone)
        near = np.flatnonzero(~far)
        return (_group(self, near, self.means[near].mean(axis=0)), *alone)


def _group(params: FactorParams, members: AnyArray, centre: Array) -> Group:
    shifts = params.means[members] - centre
    noise = params.noise if len(params.noise) == 1 else params.noise[members]
    projector, gram = params.projector[members], params.gram[members]
    loadings = np.broadcast_to(params.loadings, (len(params.means), *params.loadings.shape[1:]))
    weighed = shifts / noise
    return Group(
        members,
        centre,
        np.concatenate([projector.reshape(-1, len(centre)), weighed]).T.copy(),
        np.einsum("kqd,kd->kq", projector, shifts).ravel(),
        shifts,
        np.sum(shifts * weighed, axis=1),
        1.0 / noise,
        bool((np.sum(gram**2, axis=(1, 2)) > STRONG).any()),
        loadings[members],
        np.asarray(np.linalg.inv(gram)),
    )


def factor_params(means: Array, loadings: Array, noise: Array) -> FactorParams:
    """Factorise once; raises IllDefined naming a component whose noise is not positive, Drowned
    where it is nothing beside the factors.
    """
    K, d = means.shape
    bad = ~((noise > 0) & np.isfinite(noise)).all(axis=1)
    if bad.any():
        raise IllDefined(int(np.argmax(bad)))
    weighed = loadings / np.sqrt(noise)[:, :, None]
    q = loadings.shape[2]
    signal = np.sum(weighed**2, axis=(1, 2))
    if not np.all(signal <= STRONGEST):
        raise Drowned(int(np.argmax(~(signal <= STRONGEST))), STRONGEST)
    gram = np.asarray(np.linalg.cholesky(np.eye(q) + np.swapaxes(weighed, 1, 2) @ weighed))
    scaled = np.swapaxes(weighed / np.sqrt(noise)[:, :, None], 1, 2)
    projector = np.stack(
        [solve_triangular(g, s, lower=True) for g, s in zip(gram, scaled, strict=True)]
    )
    half_log_det = np.log(np.diagonal(gram, axis1=1, axis2=2)).sum(axis=1)
    half_log_det = half_log_det + 0.5 * np.log(np.broadcast_to(noise, (len(noise), d))).sum(axis=1)
    log_norm = np.broadcast_to(-half_log_det - 0.5 * d * LOG_2PI, (K,)).copy()
    gram = np.broadcast_to(gram, (K, q, q))
    projector = np.broadcast_to(projector, (K, q, d))
    return FactorParams(means, loadings, noise, gram, projector, log_norm)


def canonical(params: FactorParams) -> FactorParams:
    """The same densities with their loadings in the one rotation that has a name.

    Lambda' Psi^-1 Lambda is diagonal and falls from factor to factor (for common loadings with
    Psi^-1 the mean over components), and each factor's loadings sum to a positive number. The
    scores of a row are then uncorrelated given the row, the best determined first.
    """
    inverse = 1.0 / params.noise
    if len(params.loadings) < len(inverse):
        inverse = inverse.mean(axis=0, keepdims=True)
    weighed = params.loadings * np.sqrt(inverse)[:, :, None]
    _, _, turn = np.linalg.svd(weighed, full_matrices=False)
    loadings = params.loadings @ np.swapaxes(turn, 1, 2)
    sign = np.where(loadings.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return factor_params(params.means, loadings * sign, params.noise)

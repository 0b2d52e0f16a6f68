"""Soft groups by EM of round components: a start where rows are hardly more than parameters.

Covariances of d (d + 1) / 2 numbers each follow whatever rows a component has first, so EM from a
poor split settles near it. One variance for each component leaves nothing to follow but where
groups lie (Celeux & Govaert 1995, Gaussian parsimonious clustering models, Pattern Recognition 28,
model [lambda_k I]), and its end is a split from which covariances are worth estimating.
"""

from __future__ import annotations

import numpy as np

from mixtura.fitting.seeding import clusters, seeds
from mixtura.models.responsibilities import normalise, one_hot
from mixtura.records import Array

# EM steps from the clusters of k-means.
STEPS = 40
# Multiplications of a step, for each row, group and column, with its exponential; and at least.
STEP, LEAST = 20.0, 1e6
# The least variance of a group, in that of the rows, and the least rows it is counted with.
NARROWEST, FEWEST = 1e-6, 1e-9


def spheres(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The responsibilities (n, K) that EM of K round components leads to from k-means."""
    Z, w = Z - w @ Z / w.sum(), w / w.mean()
    length = np.square(Z).sum(axis=1)
    least = NARROWEST * float(w @ length) / Z.size or 1.0
    resp = one_hot(clusters(Z, w, seeds(Z, w, min(K, len(Z)), rng)), K)
    for _ in range(STEPS):
        resp = normalise(_log_joint(Z, length, resp * w[:, None], least))[1]
    return resp


def spheres_work(n: int, d: int, K: int) -> float:
    """Multiplications that a start takes."""
    return STEPS * max(STEP * n * K * d, LEAST)


def _log_joint(Z: Array, length: Array, mass: Array, least: float) -> Array:
    """log pi_k + log p(z_i | k) (n, K) after the M-step from weighted responsibilities, without
    the constant; `length` (n,) are the squared lengths of the rows."""
    d, rows = Z.shape[1], np.maximum(mass.sum(axis=0), FEWEST)
    means = mass.T @ Z / rows[:, None]
    far = np.square(means).sum(axis=1)
    variances = np.maximum((mass.T @ length / rows - far) / d, least)
    apart = length[:, None] - 2.0 * Z @ means.T + far
    return np.asarray(np.log(rows) - 0.5 * (apart / variances + d * np.log(variances)))

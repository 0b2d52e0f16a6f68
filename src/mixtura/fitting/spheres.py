"""Soft groups by EM of round components: a start where rows are hardly more than parameters.

Covariances of d (d + 1) / 2 numbers each follow whatever rows a component has first, so EM from a
poor split settles near it. One variance for each component leaves nothing to follow but where
groups lie (Celeux & Govaert 1995, Gaussian parsimonious clustering models, Pattern Recognition 28,
model [lambda_k I]), and its end is a split from which covariances are worth estimating.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from mixtura.engines.gaussian.passes import gaussian_pass, gaussian_rows
from mixtura.fitting.budget import density_work
from mixtura.fitting.seeding import clusters, clusters_work, seeds
from mixtura.models.responsibilities import one_hot
from mixtura.records import Array

# EM steps from the clusters of k-means.
STEPS = 40
# The least variance of a group, in that of the rows, and the least rows it is counted with.
NARROWEST, FEWEST = 1e-6, 1e-9


class _Groups(NamedTuple):
    """Rows (K,), means (K, d) and variances (K,) of round groups."""

    rows: Array
    means: Array
    variances: Array

    @property
    def given(self) -> tuple[Array, Array, Array, Array, Literal["spherical"]]:
        """As the kernels take them."""
        return (
            np.log(self.rows / self.rows.sum()),
            self.means,
            self.variances**-0.5,
            -0.5 * self.means.shape[1] * np.log(2.0 * np.pi * self.variances),
            "spherical",
        )


def spheres(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The responsibilities (n, K) that EM of K round components leads to from k-means."""
    Z, w = np.ascontiguousarray(Z - w @ Z / w.sum()), w / w.mean()
    least = NARROWEST * float(w @ np.square(Z).sum(axis=1)) / Z.size or 1.0
    resp = one_hot(clusters(Z, w, seeds(Z, w, min(K, len(Z)), rng)), K)
    groups = _split(Z, resp * w[:, None], least)
    for _ in range(STEPS - 1):
        groups = _stepped(Z, w, groups, least)
    gaussian_rows(Z, *groups.given, responsibilities=resp)
    return resp


def spheres_work(n: int, d: int, K: int) -> float:
    """Multiplications that a start takes."""
    return STEPS * n * K * density_work(d) + clusters_work(n, d, K)


def _split(Z: Array, mass: Array, least: float) -> _Groups:
    """Those of weighted responsibilities (n, K) of centred rows."""
    rows = np.maximum(mass.sum(axis=0), FEWEST)
    means = mass.T @ Z / rows[:, None]
    far = mass.T @ np.square(Z).sum(axis=1) / rows - np.square(means).sum(axis=1)
    return _Groups(rows, means, np.maximum(far / Z.shape[1], least))


def _stepped(Z: Array, w: Array, groups: _Groups, least: float) -> _Groups:
    """After one EM step; the mean of a group without rows stays where it is."""
    _, rows, first, second = gaussian_pass(Z, w, *groups.given)
    rows = np.maximum(rows, FEWEST)
    shift = first / rows[:, None]
    deviation = np.sqrt(groups.variances)[:, None]
    share = (second / rows - np.square(shift).sum(axis=1)) / Z.shape[1]
    return _Groups(
        rows, groups.means + deviation * shift, np.maximum(groups.variances * share, least)
    )

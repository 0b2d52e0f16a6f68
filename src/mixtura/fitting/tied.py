"""Soft groups by EM of components with one covariance: a start where rows are few.

A covariance of each component's own follows what rows it has first. One that all share is settled
by all rows, so its groups hang little on noise, and the hill they lie on is the one to leave only
for good reason (`plainer`). Groups by one covariance are those of Friedman & Rubin (1967), On some
invariant criteria for grouping data, JASA 62; the EM is that of model [lambda D A D'] in Celeux &
Govaert (1995), Gaussian parsimonious clustering models, Pattern Recognition 28.
"""

from __future__ import annotations

import numpy as np

from mixtura.fitting.seeding import clusters, seeds
from mixtura.fitting.spheres import FEWEST
from mixtura.models.responsibilities import one_hot
from mixtura.records import Array

# So many short runs from clusters of k-means; the best goes on, for so many EM steps.
RUNS, SHORT, STEPS = 2, 3, 8
# Nats per row below which two runs are alike: of these it is the first, in any unit of weight.
ALIKE = 1e-4
# Multiplications of a step, for each row, group and column, with its exponential; and at least.
STEP, LEAST = 20.0, 1e6
# Added to the shared scatter, as a share of each column's: without some it may have no inverse.
ROUND = 1e-6


def tied(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The responsibilities (n, K) that EM of K components with one covariance leads to."""
    Z, w = Z - w @ Z / w.sum(), w / w.mean()
    total = (Z.T * w) @ Z
    unit = total.trace() / len(total) or 1.0
    total[np.diag_indices_from(total)] += ROUND * (total.diagonal() + unit)
    best, highest = np.empty((K, 0)), -np.inf
    for _ in range(RUNS):
        first = one_hot(clusters(Z, w, seeds(Z, w, min(K, len(Z)), rng)), K)
        resp, height = _climbed(Z, w, total, first.T, SHORT)
        if height > highest + ALIKE:
            best, highest = resp, height
    return np.ascontiguousarray(_climbed(Z, w, total, best, STEPS)[0].T)


def tied_work(n: int, d: int, K: int) -> float:
    """Multiplications that a start takes."""
    return (RUNS * SHORT + STEPS) * max(STEP * n * K * d + d**3, LEAST)


def _climbed(Z: Array, w: Array, total: Array, resp: Array, steps: int) -> tuple[Array, float]:
    """(responsibilities (K, n), log-likelihood per row but for a constant) after so many steps.

    `total` is all rows' scatter. What all components of a row share cancels in `joint`.
    """
    n, d = Z.shape
    lines = np.concatenate([Z, np.ones((n, 1))], axis=1)
    floored = total + np.diag(ROUND * total.diagonal())
    slopes = np.empty((len(resp), d + 1))
    for _ in range(steps):
        sums = (resp * w) @ lines
        rows = np.maximum(sums[:, d], FEWEST)
        means = sums[:, :d] / rows[:, None]
        within = (floored - (means.T * rows) @ means) / n
        inverse = np.linalg.inv(within)
        slopes[:, :d] = means @ inverse
        slopes[:, d] = np.log(rows / n) - 0.5 * np.einsum("kj,kj->k", means, slopes[:, :d])
        joint = slopes @ lines.T
        top = joint.max(axis=0)
        joint -= top
        resp = np.exp(joint, out=joint)
        summed = resp.sum(axis=0)
        resp /= summed
    shared = np.linalg.slogdet(within)[1] + (inverse * total).sum() / n
    return resp, float(w @ (np.log(summed) + top)) / n - 0.5 * float(shared)

"""The distances by name: between two mixtures, and for every pair of components of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import numpy as np

from mixtura.inference import divergence
from mixtura.inference.divergence import Pair, pair
from mixtura.inference.gaussians import Estimate, Gaussians

Kind = Literal["kl", "hellinger", "overlap", "misclassification"]
Measure = TypeVar("Measure")


def _pairs(
    mixture: Gaussians, one: Callable[[Pair, int, int], Estimate], symmetric: bool
) -> Estimate:
    """`one` for every pair of different components, 0 for each with itself."""
    K = len(mixture.weights)
    value, error = np.zeros((K, K)), np.zeros((K, K))
    for j in range(K):
        for k in range(j + 1 if symmetric else 0, K):
            if j != k:
                two = pair(mixture.component(j), mixture.component(k))
                value[j, k], error[j, k] = one(two, j, k)
    if symmetric:
        value, error = value + value.T, error + error.T
    return Estimate(value, error)


def _kl(mixture: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    return _pairs(
        mixture, lambda two, j, k: Estimate(divergence.gaussian_kl(two), 0.0), symmetric=False
    )


def _hellinger(mixture: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    return _pairs(
        mixture, lambda two, j, k: Estimate(divergence.gaussian_hellinger(two), 0.0), symmetric=True
    )


def _overlap(mixture: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    value, error = _pairs(
        mixture, lambda two, j, k: divergence.gaussian_error(two, 0.5, n, rng), symmetric=True
    )
    return Estimate(2 * value + np.eye(len(mixture.weights)), 2 * error)


def _misclassification(mixture: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    w = mixture.weights

    def one(two: Pair, j: int, k: int) -> Estimate:
        # Where neither has any weight there are no rows to get wrong.
        both = w[j] + w[k]
        return divergence.gaussian_error(two, float(w[j] / both) if both > 0 else 0.0, n, rng)

    return _pairs(mixture, one, symmetric=True)


BETWEEN_COMPONENTS: Mapping[str, Callable[[Gaussians, int, np.random.RandomState], Estimate]] = {
    "kl": _kl,
    "hellinger": _hellinger,
    "overlap": _overlap,
    "misclassification": _misclassification,
}
BETWEEN_MIXTURES: Mapping[
    str, Callable[[Gaussians, Gaussians, int, np.random.RandomState], Estimate]
] = {
    "kl": divergence.mixture_kl,
    "hellinger": divergence.mixture_hellinger,
    "overlap": divergence.mixture_overlap,
}


def lookup(measures: Mapping[str, Measure], kind: str) -> Measure:
    """The measure of that name; ValueError names the known ones."""
    if not isinstance(kind, str) or kind not in measures:
        raise ValueError(f"kind must be one of {sorted(measures)}, got {kind!r}")
    return measures[kind]

"""Mixtures made up from a seed, for tests of what comes after the fit."""

from __future__ import annotations

import numpy as np

from mixtura import GaussianMixture
from mixtura.inference.gaussians import Gaussians


def made(seed: int, K: int, d: int, spread: float = 2.0) -> Gaussians:
    """K Gaussians over d correlated columns, means `spread` apart on average."""
    rng = np.random.default_rng(seed)
    scatter = rng.normal(size=(K, d, d + 2))
    covariances = scatter @ np.swapaxes(scatter, 1, 2) / (d + 2) + 0.05 * np.eye(d)
    return Gaussians(
        rng.dirichlet(np.full(K, 3.0)),
        spread * rng.normal(size=(K, d)),
        np.linalg.cholesky(covariances),
    )


def estimator(mixture: Gaussians, names: list[str] | None = None) -> GaussianMixture:
    """The same as a fitted estimator."""
    return GaussianMixture.from_parameters(
        mixture.weights,
        mixture.means,
        mixture.roots @ np.swapaxes(mixture.roots, 1, 2),
        feature_names=names,
        random_state=0,
    )


def moved(mixture: Gaussians, scale: np.ndarray, shift: np.ndarray) -> Gaussians:
    """The mixture of scale * x + shift; scale is positive."""
    return Gaussians(mixture.weights, mixture.means * scale + shift, mixture.roots * scale[:, None])

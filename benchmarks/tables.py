"""Tables made for benchmarks of the pass alone, and how two passes are timed side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


def clouds(
    n: int, d: int, K: int, spread: float, name: str = "full"
) -> tuple[Mixture, Array, MixtureParams]:
    """Round clouds whose centres are `spread` times standard normal, and parameters near them."""
    rng = np.random.default_rng(0)
    form = structure(name).form
    centres = spread * rng.normal(size=(K, d))
    X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    covariances = {
        "full": np.tile(np.eye(d), (K, 1, 1)),
        "tied": np.eye(d),
        "diag": np.ones((K, d)),
        "spherical": np.ones(K),
    }[name]
    means = centres + 0.1 * rng.normal(size=(K, d))
    params = MixtureParams(np.full(K, 1 / K), gaussian_params(means, covariances, form))
    return Mixture(Gaussian(structure(name)), no_prior(form, d)), X, params


def in_turn(*functions: Callable[[], Any], rounds: int) -> list[float]:
    """The fastest of `rounds` calls of each; calls alternate, so that all see the same machine."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            began = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - began)
    return best

"""How often the default settings reach the best optimum known, over many seeds."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.table import Table

import mixtura

SEEDS = 100


def blobs(K: int, d: int, separation: float, n: int, seed: int) -> np.ndarray:
    """K clouds of different shape and weight, centres at least `separation` sd apart."""
    rng = np.random.default_rng(seed)
    centres: list[np.ndarray] = []
    while len(centres) < K:
        centre = rng.uniform(-1, 1, size=d) * separation * K ** (1 / d)
        if all(np.linalg.norm(centre - other) > separation for other in centres):
            centres.append(centre)
    shapes = [0.3 * rng.normal(size=(d, d)) + np.eye(d) for _ in range(K)]
    labels = rng.choice(K, size=n, p=rng.dirichlet(np.full(K, 4.0)))
    return np.stack([centres[k] + shapes[k] @ rng.normal(size=d) for k in labels])


def problems() -> dict[str, tuple[np.ndarray, int]]:
    rng = np.random.default_rng(1)
    line = 20.0 * rng.integers(10, size=1000)
    return {
        "3 clouds, d=2, 6 sd": (blobs(3, 2, 6, 600, 1), 3),
        "5 clouds, d=2, 6 sd": (blobs(5, 2, 6, 1000, 2), 5),
        "8 clouds, d=2, 8 sd": (blobs(8, 2, 8, 2000, 3), 8),
        "10 clouds, d=5, 8 sd": (blobs(10, 5, 8, 2000, 4), 10),
        "10 on a line, 20 sd": (line[:, None] + rng.normal(size=(1000, 1)), 10),
    }


def logliks(kind: type[Any], X: np.ndarray, K: int) -> np.ndarray:
    return np.array([kind(K, random_state=seed).fit(X).score(X) * len(X) for seed in range(SEEDS)])


def run(console: Console) -> None:
    """Print the share of seeds within 0.1 nats of the best log-likelihood met."""
    table = Table(title=f"Default settings, {SEEDS} seeds: share that reach the best optimum met")
    for heading in ("problem", "mixtura", "worst", "scikit-learn", "worst", "time ratio"):
        table.add_column(heading, justify="right")
    for name, (X, K) in problems().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            began = time.perf_counter()
            ours = logliks(mixtura.GaussianMixture, X, K)
            middle = time.perf_counter()
            theirs = logliks(sklearn.mixture.GaussianMixture, X, K)
            ended = time.perf_counter()
        best = max(ours.max(), theirs.max())
        table.add_row(
            name,
            f"{np.mean(ours > best - 0.1):.0%}",
            f"{ours.min() - best:.1f}",
            f"{np.mean(theirs > best - 0.1):.0%}",
            f"{theirs.min() - best:.1f}",
            f"{(ended - middle) / (middle - began):.1f}",
        )
    console.print(table)

"""Variational Bayes beside scikit-learn's: the price of a step, and how many components are left.

A step is the time of 12 less that of 2, over 10, both libraries from a start of their own. The
study plants ten groups of rows in the plane, by as many seeds, and starts from one component and
from forty.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.table import Table

from mixtura import BayesianGaussianMixture

TYPES = ("full", "tied", "diag", "spherical")
# Rows, columns, components.
WORKLOADS = ((10_000, 2, 10), (20_000, 8, 16), (50_000, 16, 20), (100_000, 4, 20))
LONG, SHORT, REPEATS = 12, 2, 3
SEEDS, GROUPS, MOST, ROWS, APART = 20, 10, 40, 3000, 6.0


def seconds(call: Callable[[], object]) -> float:
    """Of the fastest of several calls."""
    best = np.inf
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


def step(kind: Any, X: np.ndarray, K: int, name: str, **own: Any) -> float:
    """Seconds of one step."""
    how = {"covariance_type": name, "tol": 0.0, "init_params": "random", "random_state": 0}

    def fit(steps: int) -> float:
        return seconds(lambda: kind(n_components=K, max_iter=steps, **how, **own).fit(X))

    return (fit(LONG) - fit(SHORT)) / (LONG - SHORT)


def planted(seed: int) -> np.ndarray:
    """Rows of ten round groups whose means are six deviations apart or more."""
    rng = np.random.default_rng(seed)
    means: list[np.ndarray] = []
    while len(means) < GROUPS:
        mean = rng.uniform(-20, 20, size=2)
        if all(np.linalg.norm(mean - other) >= APART for other in means):
            means.append(mean)
    labels = rng.choice(GROUPS, size=ROWS, p=rng.dirichlet(np.full(GROUPS, 20.0)))
    return np.array(means)[labels] + rng.normal(size=(ROWS, 2))


def left(start: str, name: str, kind: str) -> tuple[Counter[int], float]:
    """How many seeds end with how many components, and seconds of a fit."""
    found: Counter[int] = Counter()
    began = time.perf_counter()
    for seed in range(SEEDS):
        mixture = BayesianGaussianMixture(
            n_components=MOST,
            covariance_type=name,
            init_params=start,
            weight_concentration_prior_type=kind,
            random_state=seed,
        )
        found[mixture.fit(planted(seed)).n_components_] += 1
    return found, (time.perf_counter() - began) / SEEDS


def run(console: Console) -> None:
    warnings.simplefilter("ignore")
    table = Table("n, d, K", "covariance", "ours", "scikit-learn", "ratio", title="A step, in ms")
    for n, d, K in WORKLOADS:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n, d)) + 3.0 * rng.integers(0, 3, size=(n, d))
        for name in TYPES:
            ours = step(BayesianGaussianMixture, X, K, name, moves=False)
            theirs = step(sklearn.mixture.BayesianGaussianMixture, X, K, name)
            told = f"{1e3 * ours:.2f}", f"{1e3 * theirs:.1f}", f"{theirs / ours:.1f}"
            table.add_row(f"{n:,}, {d}, {K}", name, *told)
    console.print(table)
    title = f"Components left of ten planted, {SEEDS} seeds"
    table = Table("start", "covariance", "weights", "left: seeds", "seconds", title=title)
    for start in ("one", "kmeans"):
        for name in TYPES:
            for kind in ("dirichlet_process", "dirichlet_distribution"):
                found, each = left(start, name, kind)
                said = ", ".join(f"{K}: {times}" for K, times in sorted(found.items()))
                first = "1" if start == "one" else str(MOST)
                table.add_row(first, name, kind, said, f"{each:.2f}")
    console.print(table)

"""Networks that tests share, and the bound of a block model as its definition says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import bernoulli, norm, poisson

# Zachary (1977), An information flow model for conflict and fission in small groups.
KARATE = Path(__file__).parents[2] / "examples" / "karate.csv"
HI = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 17, 18, 20, 22)
LAWS = ("bernoulli", "poisson", "gaussian")


def karate() -> np.ndarray:
    """The adjacency matrix of Zachary's karate club, (34, 34)."""
    A = np.zeros((34, 34))
    for a, b in np.loadtxt(KARATE, delimiter=",", skiprows=1, dtype=int) - 1:
        A[a, b] = A[b, a] = 1
    return A


def drawn(law: str, directed: bool, loops: bool, missing: bool, seed: int = 0) -> np.ndarray:
    """A small network of two blocks, NaN where a pair is missing."""
    rng = np.random.default_rng(seed)
    n = 9
    z = rng.integers(2, size=n)
    theta = np.array([[0.8, 0.2], [0.3, 0.6]]) if directed else np.array([[0.8, 0.2], [0.2, 0.5]])
    mean = theta[np.ix_(z, z)]
    laws = {"bernoulli": rng.random((n, n)) < mean, "poisson": rng.poisson(2 * mean)}
    A = (
        laws.get(law, rng.normal(mean, 0.3)).astype(float)
        if law != "gaussian"
        else rng.normal(mean)
    )
    if missing:
        A[rng.random((n, n)) < 0.15] = np.nan
    if not directed:
        A = np.triu(A) + np.triu(A, 1).T
    if not loops:
        np.fill_diagonal(A, 0.0)
    return A


def log_density(law: str, x: np.ndarray, theta: np.ndarray, variance: float) -> np.ndarray:
    """ln f(x; theta), by SciPy."""
    if law == "bernoulli":
        return bernoulli.logpmf(x, theta)
    return poisson.logpmf(x, theta) if law == "poisson" else norm.logpdf(x, theta, variance**0.5)


def pairs(A: np.ndarray, directed: bool) -> list[tuple[int, int]]:
    """The observed pairs, those of a node and itself where there is any loop."""
    n = len(A)
    loops = bool(np.nan_to_num(np.diag(A)).any())
    return [
        (i, j)
        for i in range(n)
        for j in range(n)
        if (i != j or loops) and (directed or i <= j) and not np.isnan(A[i, j])
    ]


def bound(
    A: np.ndarray, directed: bool, law: str, tau: np.ndarray, params: tuple[np.ndarray, ...]
) -> float:
    """J as `models/block_model.py` defines it, pair by pair."""
    weights, theta, variance = params
    value = float((tau * np.log(weights)).sum() - (tau[tau > 0] * np.log(tau[tau > 0])).sum())
    for i, j in pairs(A, directed):
        density = log_density(law, A[i, j], theta, float(variance))
        both = np.diag(tau[i]) if i == j else np.outer(tau[i], tau[j])
        value += float((both * density).sum())
    return value

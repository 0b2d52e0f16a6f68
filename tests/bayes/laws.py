"""Families with a conjugate prior: rows of each, and their evidence row after row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import dirichlet_multinomial, lomax, nbinom

from mixtura import BetaPrior, Block, DirichletPrior, GammaPrior, Product
from mixtura.families.registry import family

MIXED = Product([Block("poisson", [0, 1]), Block("bernoulli", [2]), Block("exponential", [3])])
PRIORS: dict[str, Any] = {
    "poisson": GammaPrior(1.5, (0.2, 0.7)),
    "exponential": GammaPrior((1.2, 3.0), 4.0),
    "bernoulli": BetaPrior((0.3, 2.0), 1.4),
    "categorical": DirichletPrior((0.4, 1.0, 2.0, 0.7, 0.2)),
    "multinomial": DirichletPrior((0.3, 1.1, 0.6)),
}
FAMILIES = (*PRIORS, "mixed")


def of(name: str) -> Any:
    return MIXED if name == "mixed" else family(name)


def rows(name: str, n: int = 40, seed: int = 0) -> np.ndarray:
    """Rows of two groups."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, size=n)
    counts = rng.poisson(np.array([[2.0, 9.0], [8.0, 1.0]])[z]).astype(float)
    waits = rng.exponential(np.array([[1.0, 20.0], [9.0, 0.5]])[z])
    signs = (rng.uniform(size=(n, 2)) < np.array([[0.9, 0.2], [0.1, 0.6]])[z]).astype(float)
    # All levels are met.
    codes = np.column_stack([np.where(signs[:, 0] > 0, 0, 1 + z), signs[:, 1]]).astype(float)
    codes[:3] = [[0, 0], [1, 1], [2, 0]]
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])[z]
    totals = counts[:, 0].astype(int)
    draws = np.array([rng.multinomial(t, p) for t, p in zip(totals, shares, strict=True)])
    return {
        "poisson": counts,
        "exponential": waits,
        "bernoulli": signs,
        "categorical": codes,
        "multinomial": draws.astype(float),
        "mixed": np.column_stack([counts, signs[:, 0], waits[:, 0]]),
    }[name]


def next_counts(shape: float, rate: float, cells: np.ndarray) -> float:
    total = 0.0
    for x in cells:
        total += nbinom.logpmf(x, shape, rate / (rate + 1.0))
        shape, rate = shape + x, rate + 1.0
    return float(total)


def next_waits(shape: float, rate: float, cells: np.ndarray) -> float:
    total = 0.0
    for x in cells:
        total += lomax.logpdf(x, shape, scale=rate)
        shape, rate = shape + 1.0, rate + x
    return float(total)


def next_codes(alpha: list[float], cells: np.ndarray) -> float:
    """An urn: each code is as likely as it was met before, alpha at first."""
    total, met = 0.0, np.array(alpha)
    for x in cells.astype(int):
        total += np.log(met[x] / met.sum())
        met[x] += 1.0
    return float(total)


def next_draws(alpha: list[float], table: np.ndarray) -> float:
    total, met = 0.0, np.array(alpha)
    for x in table:
        total += dirichlet_multinomial.logpmf(x.astype(int), met, int(x.sum()))
        met = met + x
    return float(total)


def by_column(one: Callable[..., float], X: np.ndarray, *each: Any) -> float:
    """`one`, of the cells that are there, for each column with its arguments."""
    columns = zip(X.T, each, strict=True)
    return sum(one(*own, column[~np.isnan(column)]) for column, own in columns)


EVIDENCE: dict[str, Callable[[np.ndarray], float]] = {
    "poisson": lambda X: by_column(next_counts, X, (1.5, 0.2), (1.5, 0.7)),
    "exponential": lambda X: by_column(next_waits, X, (1.2, 4.0), (3.0, 4.0)),
    "bernoulli": lambda X: by_column(next_codes, X, ([1.4, 0.3],), ([1.4, 2.0],)),
    "categorical": lambda X: by_column(next_codes, X, ([0.4, 1.0, 2.0],), ([0.7, 0.2],)),
    "multinomial": lambda X: next_draws([0.3, 1.1, 0.6], X),
}

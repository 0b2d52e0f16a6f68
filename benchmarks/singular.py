"""Tables on which a Gaussian mixture may collapse: what the default rule ends with, and its cures.

Half of each table is fitted and the other half scored. Tables with ties are jittered over the width
of their grid first: there a spike earns nats that mean nothing. A component is narrow where its
smallest variance is below 1e-6 of the table's; it is a fault where the fit does not say so.

"climbed on" begins where scikit-learn ends and goes on to the top of the same hill: what a maximum
of the likelihood costs beside a climb that stops early, with no part of our search in it.

There are two tables: with as many components as the rows have (`OWN`, else two), and with four.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture as Theirs

from mixtura import EigenvalueRatio, GaussianMixture, NormalInverseWishart
from mixtura.records import Array

SEEDS = 50
NARROW = 1e-6


def _clouds(rng: np.random.Generator, sizes: tuple[int, ...], d: int) -> Array:
    return np.vstack([rng.normal(4 * rng.normal(size=d), 1.0, (n, d)) for n in sizes])


def _duplicates(rng: np.random.Generator) -> Array:
    rows = _clouds(rng, (100, 80), 2)
    return np.vstack([rows, np.repeat(rows[:3], 20, axis=0)])


def _collinear(rng: np.random.Generator) -> Array:
    rows = _clouds(rng, (150, 100), 3)
    return np.column_stack([rows, rows.sum(axis=1) + 1e-3 * rng.normal(size=len(rows))])


TABLES: dict[str, Callable[[np.random.Generator], Array]] = {
    "few rows": lambda rng: _clouds(rng, (20, 20, 20), 4),
    "unbalanced": lambda rng: _clouds(rng, (400, 16), 3),
    "duplicates": _duplicates,
    "counts": lambda rng: rng.poisson(np.repeat([[1.0, 3.0], [6.0, 2.0]], 120, axis=0)).astype(
        float
    ),
    "rounded": lambda rng: np.round(2 * _clouds(rng, (120, 120), 3)) / 2,
    "zeros": lambda rng: _clouds(rng, (160, 120), 2) * (rng.uniform(size=(280, 1)) > 0.2),
    "near collinear": _collinear,
    "heavy tails": lambda rng: rng.standard_t(2, (300, 3)),
    "wide": lambda rng: _clouds(rng, (40, 40), 20),
    "far rows": lambda rng: np.vstack([_clouds(rng, (150, 150), 2), 60 * rng.normal(size=(6, 2))]),
    "uniform": lambda rng: rng.uniform(size=(300, 3)),
    "iris": lambda rng: load_iris().data[rng.permutation(150)],
}
# The width of the grid on which a table's numbers lie.
GRID = {"counts": 1.0, "rounded": 0.5, "iris": 0.1, "duplicates": 0.1, "zeros": 0.1}
OWN, MANY = {"few rows": 3, "iris": 3}, 4

Method = Callable[[Array, int, int], Any]


def _ours(**settings: Any) -> Method:
    return lambda X, K, seed: GaussianMixture(K, random_state=seed, **settings).fit(X)


def _climbed_on(X: Array, K: int, seed: int) -> Any:
    end = Theirs(K, random_state=seed).fit(X)
    names = ("weights", "means", "precisions")
    return _ours(**{f"{name}_init": getattr(end, f"{name}_") for name in names})(X, K, seed)


def _wide(X: Array, K: int, seed: int) -> Any:
    """The mode of the prior is the table's covariance, by the diagonal where rows are few."""
    n, d = X.shape
    S = np.cov(X.T) if n > d else np.diag(X.var(axis=0))
    scale = tuple(map(tuple, ((2 * d + 4) * S).tolist()))
    return _ours(prior=NormalInverseWishart(scale=scale))(X, K, seed)


METHODS: dict[str, Method] = {
    "scikit-learn": lambda X, K, seed: Theirs(K, random_state=seed).fit(X),
    "climbed on": _climbed_on,
    "default": _ours(),
    "ratio 100": _ours(constraint=EigenvalueRatio(100)),
    "reg_covar": _ours(reg_covar=1e-6),
    "fraley-raftery": _ours(prior="fraley-raftery"),
    "wide prior": _wide,
}


@dataclass(frozen=True)
class Ended:
    """What one method came to on one table: held-out log-likelihood per row, components that were
    said to have collapsed, and narrow ones of which nothing was said."""

    heldout: float
    told: int
    untold: int


def ended(name: str, method: str, seed: int, K: int = MANY) -> Ended:
    """One half fitted, the other scored."""
    rng = np.random.default_rng(seed)
    X = TABLES[name](rng)
    X = X[rng.permutation(len(X))] + GRID.get(name, 0.0) * rng.uniform(-0.5, 0.5, X.shape)
    fitted, left = X[::2], X[1::2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = METHODS[method](fitted, K, seed)
    values = np.linalg.eigvals(np.linalg.solve(np.cov(fitted.T), mixture.covariances_)).real
    narrow = set(np.flatnonzero(values.min(axis=1) < NARROW).tolist())
    fit = getattr(mixture, "fit_result_", None)
    verdicts = {} if fit is None else {each.component: each.verdict for each in fit.standings}
    said = {k for k, verdict in verdicts.items() if verdict != "regular"}
    collapsed = list(verdicts.values()).count("collapsed")
    return Ended(float(mixture.score(left)), collapsed, len(narrow - said))


def run(console: Console, seeds: int = SEEDS) -> None:
    """The tables of docs/outliers.md."""
    _printed(console, seeds, "their own components", {name: OWN.get(name, 2) for name in TABLES})
    _printed(console, seeds, f"{MANY} components", dict.fromkeys(TABLES, MANY))


def _printed(console: Console, seeds: int, which: str, sizes: dict[str, int]) -> None:
    first = next(iter(METHODS))
    title = f"{which}: held-out nats per row of {first}, and others above it ({seeds} seeds, ± se)"
    table = Table("table", *METHODS, title=title)
    for name, K in sizes.items():
        base, cells = np.empty(0), []
        for method in METHODS:
            found = [ended(name, method, seed, K) for seed in range(seeds)]
            heldout = np.array([each.heldout for each in found])
            if method == first:
                base, said = heldout, f"{heldout.mean():.3f}"
            else:
                more = heldout - base
                said = f"{more.mean():+.3f} ± {more.std(ddof=1) / seeds**0.5:.3f}"
            counts = sum(each.told for each in found), sum(each.untold for each in found)
            cells.append(f"{said} ({counts[0]} told, {counts[1]} not)" if any(counts) else said)
        table.add_row(name, *cells)
    console.print(table)

"""Is the chance that one more climb ends higher what it is said to be? 400 fits of 20 tables.

`python -m benchmarks chance` makes 20 groups of 8, 12 or 16 default fits of each table, with other
seeds each; says of every group how likely one more fit ends higher (`Fit.chance_of_higher`), and
makes that one. In each bin of what was said the share that did end higher is to lie within what
a binomial of that chance gives in 95 of 100 cases. No chance above 1 in 9 is ever said: of n + 1
starts each is as likely the highest, and n is 8 or more.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from sklearn import datasets

from mixtura import GaussianMixture
from mixtura.records import Array
from mixtura.result import SAME_OPTIMUM, StartReport, chance_of_higher, landscape_of

GROUPS, SIZES, DRAWN = 20, (8, 12, 16), 12
BINS = (0.0, 0.01, 0.03, 0.1, 0.3)


def tables() -> Iterator[tuple[str, Array, int, str]]:
    """(name, rows, components, covariance type)."""
    iris, wine = datasets.load_iris().data, datasets.load_wine().data
    cancer = datasets.load_breast_cancer().data[:, :6]
    path = Path(__file__).parents[1] / "examples" / "faithful.csv"
    faithful = np.loadtxt(path, delimiter=",", skiprows=1)
    yield from (("iris", iris, K, "full") for K in (4, 5))
    yield "wine, 6 columns", wine[:, :6], 4, "full"
    yield "wine", wine, 5, "diag"
    yield "cancer, 6 columns", cancer, 4, "full"
    yield from (("faithful", faithful, K, "full") for K in (3, 5))
    yield "faithful", faithful, 6, "diag"
    for seed in range(DRAWN):
        rng = np.random.default_rng(seed)
        K, d, n = int(rng.integers(3, 8)), int(rng.integers(1, 5)), int(rng.integers(100, 400))
        centres = rng.choice([1.0, 2.0]) * rng.normal(size=(K, d))
        mixing = np.eye(d) + 0.4 * rng.normal(size=(d, d))
        X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, d)) @ mixing
        yield f"drawn, {n} x {d}", X, K, ("full", "diag")[seed % 2]


def said_and_seen(X: Array, K: int, kind: str) -> tuple[list[float], list[bool]]:
    """Of each group the chance, and whether one more fit ended higher."""
    said, seen, seed = [], [], 0
    for group in range(GROUPS):
        ends = []
        for _ in range(SIZES[group % len(SIZES)] + 1):
            ends.append(GaussianMixture(K, covariance_type=kind, random_state=seed).fit(X))
            seed += 1
        per_row = [end.fit_result_.mean_loglik for end in ends]
        met = landscape_of([StartReport("auto", 0, each, "kept") for each in per_row[:-1]], 0.0)
        said.append(chance_of_higher(met) or 0.0)
        seen.append(per_row[-1] > max(per_row[:-1]) + 3 * SAME_OPTIMUM)
    return said, seen


def run(console: Console) -> None:
    said: list[float] = []
    seen: list[bool] = []
    for name, X, K, kind in tables():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chances, higher = said_and_seen(X, K, kind)
        said, seen = said + chances, seen + higher
        told = f"said {np.mean(chances):.3f}, {sum(higher)} of {GROUPS}"
        console.print(f"{name}, K={K}, {kind}: {told}")
    table = Table(title="one more climb ends higher")
    for heading in ("said", "groups", "mean said", "share that did", "binomial 95 %", ""):
        table.add_column(heading, justify="right")
    p, did = np.array(said), np.array(seen)
    for least, most in pairwise(BINS):
        some = (p >= least) & (p < most)
        if not some.any():
            continue
        n, mean = int(some.sum()), float(p[some].mean())
        low, high = stats.binom.interval(0.95, n, mean)
        share = float(did[some].mean())
        table.add_row(
            f"{least:.0%} to {most:.0%}",
            str(n),
            f"{mean:.4f}",
            f"{share:.4f}",
            f"{low / n:.4f} to {high / n:.4f}",
            "within" if low <= did[some].sum() <= high else "OUTSIDE",
        )
    console.print(table)

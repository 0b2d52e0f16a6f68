"""How often a default fit reaches the best optimum known, beside scikit-learn's: 19 tables.

`python -m benchmarks known` fits each table with 20 seeds. An end counts where it is regular and at
most 0.001 nats per row below the best regular one known, kept in `known.json`: the best of 20 of
our fits with other seeds and of scikit-learn's n_init=20, or of more of them. `python -m
benchmarks.known` looks for better ones and writes them there.

Regular, by one rule for both sides: no component has both fewer rows than 2 (d + 1), or than 5, and
a smallest variance, relative to the table's covariance, below 1e-3. Narrow ones of few rows are
what a likelihood without bound invents (Day 1969; McLachlan & Peel 2000, section 3.10). A second
kind of spurious end is high by noise: where rows are fewer than ten for each parameter and
components fewer than six, an end above the plain hill (`init_params="tied"`), but not surely so
(Vuong 1989; in these rows and in each left out), counts as that hill, whoever ends there: see
`mixtura.fitting.plainer`.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets
import sklearn.mixture
from rich.console import Console
from rich.table import Table
from scipy.linalg import eigh

import mixtura
from benchmarks.hard_tables import Cell
from mixtura.data.rows import Rows
from mixtura.fitting.plainer import PLENTY, SEVERAL, how_surely, said, surely
from mixtura.records import Array

KNOWN = Path(__file__).with_name("known.json")
SEEDS, NEAR = 20, 1e-3
NARROW, FEW = 1e-3, 5
# Long searches: scikit-learn's starts, and our fits.
THEIRS, OURS = 20, 20
CELLS = (
    Cell("planted", 2000, 2, 4, 3.0),
    Cell("planted", 1000, 2, 4, 2.0, seed=5),
    Cell("overlapping", 200, 6, 2, 0.7),
    Cell("overlapping", 1000, 50, 5, 1.0),
    Cell("overlapping", 2000, 6, 15, 1.5),
    Cell("overlapping", 2000, 6, 15, 3.0),
    Cell("overlapping", 2000, 5, 10, 2.0),
    Cell("overlapping", 3000, 2, 30, 4.0),
    Cell("overlapping", 2000, 20, 6, 0.6),
    Cell("line", 1000, 1, 10, 20.0),
    Cell("anisotropic", 2000, 2, 6, 2.0),
    Cell("heavy", 2000, 2, 4, 4.0),
    Cell("unbalanced", 3000, 3, 6, 2.0),
    Cell("unbalanced", 4000, 2, 12, 4.0, seed=3),
    Cell("grid", 2500, 2, 25, 4.0),
    Cell("nested", 1500, 2, 3),
)


def tables() -> dict[str, tuple[Array, int]]:
    """(rows, components) by name."""
    faithful = Path(__file__).parents[1] / "examples" / "faithful.csv"
    found = {f"{each.name}, {each.spread:g} sd": (each.table(), each.K) for each in CELLS}
    found["faithful, 3"] = np.loadtxt(faithful, delimiter=",", skiprows=1), 3
    found["iris, 3"] = sklearn.datasets.load_iris().data, 3
    found["wine, 3"] = sklearn.datasets.load_wine().data, 3
    return found


def regular(X: Array, weights: Array, covariances: Array) -> bool:
    """Whether no component is narrow for its few rows."""
    scale, few = np.atleast_2d(np.cov(X.T)), max(2 * (X.shape[1] + 1), FEW)
    return not any(
        weight * len(X) < few and eigh(covariance, scale, eigvals_only=True)[0] < NARROW
        for weight, covariance in zip(weights, covariances, strict=True)
    )


def plain(X: Array, K: int) -> Any:
    """The plain hill of a table with few rows for its parameters; None where there is none."""
    n, d = X.shape
    if K >= SEVERAL or n >= PLENTY * (K * (d * (d + 3) // 2 + 1) - 1):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mixtura.GaussianMixture(K, init_params="tied", random_state=0).fit(X)
    sound = all(each.verdict == "regular" for each in fit.fit_result_.standings)
    return fit if sound and fit.fit_result_.verdict == "interior maximum" else None


def height(X: Array, model: Any, hill: Any) -> float:
    """The mean log-likelihood of an end, that of the hill where it is not surely above it.

    Minus infinity where it is not regular.
    """
    if not regular(X, model.weights_, model.covariances_):
        return -np.inf
    own = float(model.score(X))
    if hill is None or own <= hill.score(X):
        return own
    above = how_surely(_said(X, model, hill), _said(X, hill, hill), np.ones(len(X)), len(X))
    return own if surely(above) else float(hill.score(X))


def _said(X: Array, end: Any, hill: Any) -> tuple[Array, Array]:
    """What an end says of the rows, and of each that is left out, by the model of the hill's."""
    model, params = hill._fitted()
    names = ("weights", "means", "covariances")
    params = model.with_arrays(params, {name: getattr(end, f"{name}_") for name in names})
    return said(model, params, Rows(X), float(len(X)), 1.0)


def ended(kind: type[Any], X: Array, K: int, seed: int, hill: Any, **settings: Any) -> float:
    """The height of a fit's end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = kind(K, random_state=seed, **settings).fit(X)
    return height(X, model, hill)


def run(console: Console) -> None:
    """Print, for each table, the share of seeds that reach the best known, on both sides."""
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    table = Table(title=f"Within {NEAR} nats per row of the best known, {SEEDS} seeds each")
    for heading in (
        "table",
        "best known",
        "mixtura",
        "median short",
        "scikit-learn",
        "median short",
    ):
        table.add_column(heading, justify="right")
    shares = []
    for name, (X, K) in tables().items():
        best, hill = known[name], plain(X, K)
        short = [
            best - np.array([ended(kind, X, K, seed, hill) for seed in range(SEEDS)])
            for kind in (mixtura.GaussianMixture, sklearn.mixture.GaussianMixture)
        ]
        shares.append([np.mean(each <= NEAR) for each in short])
        cells = [f(each) for each in short for f in (_share, _median)]
        table.add_row(name, f"{best:.5f}", *cells)
    ours, theirs = np.mean(shares, axis=0)
    table.caption = f"over all: mixtura {ours:.0%}, scikit-learn {theirs:.0%}"
    console.print(table)


def _share(short: Array) -> str:
    return f"{np.mean(short <= NEAR):.0%}"


def _median(short: Array) -> str:
    return f"{np.median(short):.4f}"


def search() -> None:
    """Look for better optima, and write down those that are the best known now."""
    known = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}
    for name, (X, K) in tables().items():
        theirs, hill = sklearn.mixture.GaussianMixture, plain(X, K)
        settings = {"n_init": THEIRS, "max_iter": 1000}
        found = [ended(mixtura.GaussianMixture, X, K, 1000 + seed, hill) for seed in range(OURS)]
        known[name] = max(
            known.get(name, -np.inf), *found, ended(theirs, X, K, 0, hill, **settings)
        )
        KNOWN.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    search()

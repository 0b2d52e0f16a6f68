"""The search of mclust's grid, 14 structures by 1 to 9 components, pruned and whole, beside mclust.

Pruning must not change what is chosen. mclust is run where R has it, on the same tables, in the
same minute.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.mclust import COLUMNS, DATA, mclust_seconds
from mixtura import GaussianMixtureSearch
from mixtura.records import Array


def run(console: Console) -> None:
    """Print seconds, the ratio to mclust's, and what was chosen."""
    theirs = mclust_seconds(console)
    table = Table(box=None, padding=(0, 2))
    for heading in ("table", "pruned, s", "whole, s", "mclust, s", "pruned / mclust", "chosen"):
        table.add_column(heading, justify="right")
    for index, name in enumerate(COLUMNS):
        X = np.loadtxt(
            DATA / f"{name}.csv", delimiter=",", skiprows=1, usecols=range(COLUMNS[name])
        )
        quick, pruned = searched(X, prune=True)
        slow, whole = searched(X, prune=False)
        same = pruned.best_params_ == whole.best_params_
        best = f"{pruned.best_params_['covariance_type']} {pruned.best_params_['n_components']}"
        table.add_row(
            name,
            f"{quick:.1f}",
            f"{slow:.1f}",
            f"{theirs[index]:.2f}" if theirs else "-",
            f"{quick / theirs[index]:.0f}" if theirs else "-",
            f"{best}, {'the same' if same else 'BUT NOT'} without pruning",
        )
    console.print(table)


def searched(X: Array, prune: bool) -> tuple[float, GaussianMixtureSearch]:
    """Seconds and the search."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GaussianMixtureSearch(prune=prune, random_state=0).fit(X)
    return time.perf_counter() - began, search

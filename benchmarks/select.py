"""The search of mclust's grid, 14 structures by 1 to 9 components, pruned and whole, beside mclust.

Pruning must not change what is chosen. mclust is run where R has it, on the same tables, in the
same minute. Then the same grid over a table that is too long for mclust to be pleasant.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from benchmarks.mclust import COLUMNS, DATA, mclust_seconds
from benchmarks.tables import in_turn
from mixtura import GaussianMixtureSearch
from mixtura.records import Array
from mixtura.selection.trial import Trial

# Each search is timed so often, and the fastest counts: other work only ever adds.
TIMES = 3
# The long table: rows, columns, clouds.
LONG = (20_000, 8, 5)


def run(console: Console) -> None:
    """Print seconds, the ratio to mclust's, and what was chosen."""
    theirs = mclust_seconds(console)
    table = Table(box=None, padding=(0, 2))
    for heading in ("table", "whole, s", "pruned, s", "mclust, s", "whole / its", "pruned / its"):
        table.add_column(heading, justify="right")
    table.add_column("chosen")
    table.add_column("pruned")
    searched(np.random.default_rng(0).normal(size=(60, 2)), prune=True)
    for index, name in enumerate(COLUMNS):
        X = np.loadtxt(
            DATA / f"{name}.csv", delimiter=",", skiprows=1, usecols=range(COLUMNS[name])
        )
        slow, whole = min((searched(X, prune=False) for _ in range(TIMES)), key=lambda s: s[0])
        quick, pruned = min((searched(X, prune=True) for _ in range(TIMES)), key=lambda s: s[0])
        same = pruned.best_params_ == whole.best_params_
        best = f"{whole.best_params_['covariance_type']} {whole.best_params_['n_components']}"
        told = [f"{theirs[index]:.2f}"] if theirs else ["-"]
        told += [f"{ours / theirs[index]:.2f}" if theirs else "-" for ours in (slow, quick)]
        table.add_row(
            name,
            f"{slow:.3f}",
            f"{quick:.3f}",
            *told,
            best,
            "the same" if same else "ANOTHER",
        )
    console.print(table)
    long(console)


def searched(
    X: Array, prune: bool, listener: Shown | None = None
) -> tuple[float, GaussianMixtureSearch]:
    """Seconds and the search."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GaussianMixtureSearch(prune=prune, random_state=0).fit(X, listener=listener)
    return time.perf_counter() - began, search


def clouds() -> Array:
    """The long table: ellipsoids of different shapes, some of which touch."""
    n, d, K = LONG
    rng = np.random.default_rng(0)
    centres, shapes = 2.5 * rng.normal(size=(K, d)), rng.normal(size=(K, d, d))
    of = rng.integers(K, size=n)
    noise = np.einsum("nij,nj->ni", shapes[of] / np.sqrt(d), rng.normal(size=(n, d)))
    return np.asarray(centres[of] + noise)


def long(console: Console) -> None:
    """The whole grid over the long table, with its progress."""
    n, d, K = LONG
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        seconds, search = searched(clouds(), False, Shown(progress))
    found = search.best_params_
    cells = len(search.cv_results_["params"])
    console.print(
        f"{n:,} rows of {d} columns, {K} clouds: {cells} cells in {seconds:.1f} s; chosen "
        f"{found['covariance_type']} {found['n_components']}"
    )


def beside_scikit_learn(name: str) -> float:
    """Its seconds for its four covariance types from one start each, over ours for all fourteen."""
    X = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1, usecols=range(COLUMNS[name]))

    def theirs() -> None:
        for kind in ("full", "tied", "diag", "spherical"):
            for K in range(1, 10):
                sklearn.mixture.GaussianMixture(K, covariance_type=kind, random_state=0).fit(X)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow, quick = in_turn(theirs, lambda: searched(X, prune=False), rounds=TIMES)
    return slow / quick


class Shown:
    """Tells the progress bar how many cells are done."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.task = progress, progress.add_task("cells", total=None)

    def tried(self, done: int, total: int, trial: Trial) -> None:
        """One more cell has ended."""
        self.progress.update(self.task, completed=done, total=total)

"""A default fit beside scikit-learn's: seconds, where it ends, whether it says that it converged.

`python -m benchmarks default` fits all cells, the least work first; `default 1e7,` only those whose
pass takes at most so many multiplications. Both sides have default settings but scikit-learn's
`max_iter`, and run in one process, one after the other.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.hard_tables import Cell
from mixtura.records import Array

CELLS = (
    # Many components, many columns, many rows.
    Cell("overlapping", 10_000, 2, 30, 2.0),
    Cell("overlapping", 10_000, 2, 100, 6.0),
    Cell("overlapping", 10_000, 8, 30, 2.0),
    Cell("overlapping", 20_000, 50, 10, 0.3),
    Cell("overlapping", 100_000, 4, 8, 1.5),
    Cell("overlapping", 200, 2, 2, 1.0),
    Cell("overlapping", 200, 6, 2, 1.0),
    Cell("planted", 2_000, 2, 4, 3.0),
    Cell("overlapping", 1_000, 50, 5, 1.0),
    Cell("line", 1_000, 1, 10, 20.0),
    Cell("grid", 2_500, 2, 25, 5.0),
    Cell("unbalanced", 5_000, 3, 6, 3.0),
    Cell("unbalanced", 50_000, 5, 10, 2.0),
    Cell("anisotropic", 3_000, 2, 6, 3.0),
    Cell("anisotropic", 20_000, 10, 8, 2.0),
    Cell("heavy", 3_000, 2, 4, 5.0),
    Cell("heavy", 30_000, 4, 6, 4.0),
    Cell("nested", 3_000, 3, 3),
    Cell("trap", 1_000, 1, 3, 4.0),
    Cell("overlapping", 3_000, 20, 6, 0.7),
    Cell("overlapping", 5_000, 50, 4, 1.0),
    Cell("overlapping", 300_000, 1, 3, 2.0),
    Cell("overlapping", 300_000, 2, 5, 2.0),
    Cell("overlapping", 20_000, 2, 200, 10.0),
    Cell("overlapping", 20_000, 5, 60, 3.0),
)


@dataclass(frozen=True)
class Ended:
    """One fit: seconds, mean log-likelihood, and whether it converged."""

    seconds: float
    mean: float
    converged: bool


def chosen(only: tuple[str, ...]) -> list[Cell]:
    """Cells of at most so much work (`1e7,`), or all, the least first."""
    try:
        most = min((float(word.strip(",")) for word in only), default=np.inf)
    except ValueError:
        sys.exit(f"multiplications of a pass are a number, as 1e7, and not {' '.join(only)}")
    cells = sorted(CELLS, key=lambda cell: cell.work)
    if most < cells[0].work:
        sys.exit(f"no cell's pass takes so few multiplications: the least {cells[0].work:,}")
    return [cell for cell in cells if cell.work <= most]


def fitted(kind: type[Any], X: Array, K: int, **settings: Any) -> Ended:
    """One fit of either side."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = kind(K, random_state=0, **settings).fit(X)
    seconds = time.perf_counter() - began
    return Ended(seconds, float(model.score(X)), bool(model.converged_))


def beside(cell: Cell) -> tuple[Ended, Ended]:
    """(ours, scikit-learn's) on one cell."""
    X = cell.table()
    ours = fitted(mixtura.GaussianMixture, X, cell.K)
    return ours, fitted(sklearn.mixture.GaussianMixture, X, cell.K, max_iter=1000)


def run(console: Console, only: tuple[str, ...] = ()) -> None:
    """Print every cell, and the geometric mean of the ratios of times."""
    cells = chosen(only)
    # What only the first fit of a process does would count for half of a small cell.
    beside(cells[0])
    table = Table(title="Default fits, seed 0; ahead: our mean log-likelihood less scikit-learn's")
    for heading in ("cell", "ours", "scikit-learn", "its / ours", "ahead", "converged"):
        table.add_column(heading, justify="right", no_wrap=True)
    ratios = []
    for cell in cells:
        ours, theirs = beside(cell)
        ratios.append(theirs.seconds / ours.seconds)
        table.add_row(
            cell.name,
            f"{ours.seconds:.2f} s",
            f"{theirs.seconds:.2f} s",
            f"{ratios[-1]:.2f}",
            f"{ours.mean - theirs.mean:+.4f}",
            "yes" if ours.converged else "no",
        )
    table.caption = f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}"
    console.print(table)

"""Every cell of mclust's BIC tables against ours: 14 structures, 1 to 9 components, 3 tables."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.cells import Cell, CellTable, Key, violations
from mixtura.data.rows import Rows

DATA = Path(__file__).parents[1] / "tests" / "reference" / "data"
COLUMNS = {"iris": 4, "faithful": 2, "diabetes": 3}
# A cell counts as below where it lacks more than this log-likelihood, as above from this on.
BELOW, ABOVE = 0.01, 0.5

R = """
suppressMessages(library(mclust))
for (file in commandArgs(TRUE)) {
  X <- read.csv(file); X <- X[, sapply(X, is.numeric)]
  mclustBIC(X, G = 1, verbose = FALSE)
  cat(system.time(mclustBIC(X, G = 1:9, verbose = FALSE))[["elapsed"]], "\\n")
}
"""


def run(console: Console) -> None:
    """Print how much higher our log-likelihood is in every cell, and what was counted."""
    reference = json.loads((DATA / "mclust_bic.json").read_text())
    theirs = mclust_seconds(console)
    for index, name in enumerate(COLUMNS):
        ours = compare(console, name, reference["models"], reference["tables"][name])
        told = f"; mclust {theirs[index]:.2f} s, ratio {ours / theirs[index]:.0f}" if theirs else ""
        console.print(f"{ours:.0f} s{told}\n")


def compare(console: Console, name: str, models: list[str], theirs: dict[str, Any]) -> float:
    """One table of data; seconds."""
    X = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1, usecols=range(COLUMNS[name]))
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = CellTable(Rows(X), models, range(1, len(theirs["bic"]) + 1)).run()
    seconds = time.perf_counter() - began
    n = float(len(X))
    title = f"{name}: our log-likelihood less mclust's; - where mclust has none"
    table = Table(title=title, box=None, padding=(0, 1))
    table.add_column("K", justify="right")
    for model in models:
        table.add_column(model, justify="right")
    below: list[str] = []
    above: list[Cell] = []
    for K, row in enumerate(theirs["bic"], start=1):
        texts = []
        for model, bic in zip(models, row, strict=True):
            cell = cells[model, K]
            more = None if bic is None else (cell.bic(n) - bic) / 2
            texts.append("-" if more is None else f"{more + 0.0:.1f}".replace("-0.0", "0.0"))
            if more is not None and more < -BELOW:
                below.append(f"{model} {K}")
            if more is not None and more > ABOVE:
                above.append(cell)
        table.add_row(str(K), *texts)
    console.print(table)
    report(console, cells, below, above, theirs, n)
    return seconds


def report(
    console: Console,
    cells: dict[Key, Cell],
    below: list[str],
    above: list[Cell],
    theirs: dict[str, Any],
    n: float,
) -> None:
    """What was counted, in sentences."""
    broken = violations(cells)
    console.print(f"below mclust's by more than {BELOW}: {len(below)} {', '.join(below)}")
    narrowest = min(above, key=lambda cell: cell.smallest)
    console.print(
        f"above by more than {ABOVE}: {len(above)}, all without a penalty; their narrowest "
        f"component has {narrowest.smallest:.2g} of the table's variance in its narrowest "
        f"direction, their lightest {min(cell.rows for cell in above):.2g} rows"
    )
    console.print(f"larger models below one nested in them: {len(broken)}")
    free = {cell.covariance_type: cell.n_parameters for cell in _at(cells, theirs["best"][1])}
    console.print(f"free parameters as mclust's: {free == theirs['df']}")
    ours = max(cells.values(), key=lambda cell: cell.bic(n))
    model, K = theirs["best"]
    value = theirs["bic"][K - 1][list(theirs["df"]).index(model)]
    console.print(
        f"chosen: {ours.covariance_type} {ours.n_components}, BIC {ours.bic(n):.3f}; "
        f"mclust {model} {K}, {value:.3f}, in our table {cells[model, K].bic(n):.3f}"
    )


def _at(cells: dict[Key, Cell], K: int) -> list[Cell]:
    return [cell for cell in cells.values() if cell.n_components == K]


def mclust_seconds(console: Console) -> list[float]:
    """mclustBIC's for each table; empty where there is no R with mclust."""
    if shutil.which("Rscript") is None:
        console.print("R is not installed: mclust is left out")
        return []
    files = [str(DATA / f"{name}.csv") for name in COLUMNS]
    done = subprocess.run(["Rscript", "-e", R, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        console.print("R has no mclust: mclust is left out")
        return []
    return [float(line) for line in done.stdout.split()]

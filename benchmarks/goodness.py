"""Level and power of `goodness_of_fit` by the warp-speed bootstrap.

Giacomini, Politis & White (2013), A warp-speed method for conducting Monte Carlo experiments
involving bootstrap estimators, Econometric Theory 29: each of many tables is drawn, fitted and
given one resample, refitted by the same search. The 95 % quantile of all resamples' statistics is
what each table's own statistic is compared with.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from mixtura import GaussianMixture
from mixtura.records import Array
from mixtura.selection.yardstick import Yardstick

LEVEL, RUNS = 0.05, 1000
KINDS = ("right", "skewed", "missed", "tails")


@dataclass(frozen=True)
class Cell:
    """Two groups of 3 : 2, six widths apart, the second 1.5 times as wide; what is wrong with them.

    "skewed": gamma(6) columns; "missed": a third group between and beside them, one row in eight;
    "tails": Student's t with 5 degrees of freedom. Always two Gaussian components are fitted.
    """

    kind: str
    n: int
    d: int

    def table(self, seed: int) -> Array:
        """Rows (n, d)."""
        rng = np.random.default_rng([seed, self.d, KINDS.index(self.kind)])
        n, d = self.n, self.d
        if self.kind == "skewed":
            X = (rng.gamma(6.0, size=(n, d)) - 6.0) / 6.0**0.5
        else:
            X = rng.normal(size=(n, d))
        if self.kind == "tails":
            X /= np.sqrt(rng.chisquare(5.0, size=(n, 1)) / 5.0)
        second = rng.uniform(size=n) < 0.4
        X[second] *= 1.5
        X[second, 0] += 6.0
        if self.kind == "missed":
            third = rng.uniform(size=n) < 0.125
            X[third] = rng.normal(size=(int(third.sum()), d)) * 0.7
            X[third, 0] += 3.0
            X[third, 1:2] += 3.0
        return X

    def rejected(self, runs: int) -> float:
        """The share of tables rejected at 5 %."""
        yardstick = Yardstick(0)
        own, drawn = np.empty(runs), np.empty(runs)
        for i in range(runs):
            X = self.table(i)
            mixture = GaussianMixture(2, random_state=i).fit(X)
            own[i] = yardstick.of(mixture, X)
            drawn[i] = yardstick.drawn(mixture, self.n, i + 1)
        return float(np.mean(own > np.quantile(drawn, 1 - LEVEL)))


CELLS = [Cell(kind, n, d) for n, d in ((200, 1), (300, 2)) for kind in KINDS]


def run(console: Console) -> None:
    """Print the share of rejections of each cell."""
    table = Table(
        "the table is", "columns", "rows", "rejected at 5 %", "seconds", title=f"{RUNS} runs"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in CELLS:
            began = time.perf_counter()
            share = cell.rejected(RUNS)
            seconds = time.perf_counter() - began
            table.add_row(
                cell.kind, str(cell.d), str(cell.n), f"{100 * share:.1f} %", f"{seconds:.0f}"
            )
    console.print(table)

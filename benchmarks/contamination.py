"""Groups among rows that are none of theirs: who finds both, beside scikit-learn and HDBSCAN.

Three Gaussian groups in 600 rows, and a planted share of outliers: uniform over a box four times as
wide as the groups' own, or in two clumps as wide as a group and far from all, each of fewer rows
than the smallest group. The adjusted Rand index is that of the clean rows alone; F1 that of the
outliers, flagged with the label -1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import chi2
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score, f1_score
from sklearn.mixture import GaussianMixture as Theirs

from mixtura import EigenvalueRatio, GaussianMixture, StudentMixture
from mixtura.records import Array

ROWS, GROUPS, TABLES = 600, 3, 10
SHARES, COLUMNS = (0.0, 0.05, 0.1, 0.2), (2, 5, 10)
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """A kind of contamination; `share` is that of all rows."""

    kind: str
    share: float
    d: int

    def table(self, seed: int) -> tuple[Array, Labels]:
        """(rows, their groups, -1 for outliers)."""
        rng = np.random.default_rng([seed, self.d])
        # A triangle with sides of 7 widths of a group, turned at random.
        angles = 2 * np.pi * np.arange(GROUPS) / GROUPS
        corners = 7.0 / np.sqrt(3) * np.column_stack([np.cos(angles), np.sin(angles)])
        centres = corners @ np.linalg.qr(rng.normal(size=(self.d, self.d)))[0][:2]
        labels = rng.choice(GROUPS, size=ROWS, p=(0.5, 0.3, 0.2))
        shapes = np.eye(self.d) + 0.4 * rng.normal(size=(GROUPS, self.d, self.d)) / self.d**0.5
        clean = centres[labels] + np.einsum(
            "nij,nj->ni", shapes[labels], rng.normal(size=(ROWS, self.d))
        )
        m = round(ROWS * self.share / (1 - self.share))
        middle, half = clean.mean(axis=0), 2.0 * np.ptp(clean, axis=0)
        if self.kind == "uniform":
            beside = rng.uniform(middle - half, middle + half, (m, self.d))
        else:
            away = rng.normal(size=self.d)
            place = 25.0 * away / np.linalg.norm(away) * rng.choice([-1.0, 1.0], size=(m, 1))
            beside = middle + place + rng.normal(size=(m, self.d))
        return np.vstack([clean, beside]), np.append(labels, np.full(m, -1))


CELLS = [
    Cell(kind, share, d)
    for d in COLUMNS
    for kind in ("uniform", "clumped")
    for share in SHARES
    if share > 0 or kind == "uniform"
]


def student(X: Array, cell: Cell) -> Labels:
    """The t components' labels; rows further out than 1 in 1000 of a Gaussian are flagged."""
    found = StudentMixture(GROUPS, random_state=0).fit(X)
    labels = found.predict(X)
    centred = X - found.means_[labels]
    scales = found.scales_[labels]
    squares = np.einsum("ni,ni->n", centred, np.linalg.solve(scales, centred[:, :, None])[:, :, 0])
    return np.where(squares > chi2(X.shape[1]).isf(1e-3), -1, labels)


METHODS: dict[str, Callable[[Array, Cell], Any]] = {
    "scikit-learn": lambda X, cell: Theirs(GROUPS, random_state=0).fit_predict(X),
    "plain": lambda X, cell: GaussianMixture(GROUPS, random_state=0).fit_predict(X),
    "t": student,
    "noise": lambda X, cell: GaussianMixture(GROUPS, noise=True, random_state=0).fit_predict(X),
    "trim": lambda X, cell: GaussianMixture(
        GROUPS, trim=cell.share, constraint=EigenvalueRatio(12), random_state=0
    ).fit_predict(X),
    "HDBSCAN": lambda X, cell: HDBSCAN(min_cluster_size=20).fit_predict(X),
}


def scores(cell: Cell, method: str, tables: int = TABLES) -> tuple[float, float, float]:
    """(mean ARI of the clean rows, mean F1 of the outliers, mean share of clean rows flagged).

    F1 is nan where there are no outliers.
    """
    found = []
    for seed in range(tables):
        X, truth = cell.table(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = np.asarray(METHODS[method](X, cell))
        out, flagged = truth < 0, labels < 0
        f1 = f1_score(out, flagged, zero_division=0.0) if out.any() else np.nan
        found.append((adjusted_rand_score(truth[~out], labels[~out]), f1, flagged[~out].mean()))
    ari, f1, false = np.mean(found, axis=0)
    return float(ari), float(f1), float(false)


def run(console: Console, tables: int = TABLES) -> None:
    """The table of docs/outliers.md."""
    table = Table("outliers", "columns", *METHODS, title=f"ARI / F1 over {tables} tables")
    for cell in CELLS:
        told = []
        for method in METHODS:
            ari, f1, false = scores(cell, method, tables)
            second = f"{100 * false:.1f} %" if np.isnan(f1) else f"{f1:.2f}"
            told.append(f"{ari:.2f} / {second}")
        table.add_row(f"{100 * cell.share:.0f} % {cell.kind}", str(cell.d), *told)
    console.print(table)

"""Answers for rows, samples, and whole fits of small tables, beside scikit-learn's."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_iris

import mixtura
from benchmarks.em_pass import make
from benchmarks.tables import in_turn

ROWS, COLUMNS, COMPONENTS = 1_000_000, 10, 10
FAITHFUL = Path(__file__).parent.parent / "examples" / "faithful.csv"
FITS = 15


def run(console: Console) -> None:
    """Print both tables."""
    console.print(_answers())
    console.print(_small_fits())


def _answers() -> Table:
    table = Table(title=f"{ROWS:,} rows, {COLUMNS} columns, {COMPONENTS} components, full")
    for heading in ("method", "scikit-learn", "mixtura", "ratio"):
        table.add_column(heading, justify="right")
    X, start = make(ROWS, COLUMNS, COMPONENTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sklearn.mixture.GaussianMixture(COMPONENTS, max_iter=1, **start).fit(X[:20_000])
        ours = mixtura.GaussianMixture(COMPONENTS, max_iter=1, solver="em", **start).fit(X[:20_000])
    for name in ("predict_proba", "predict", "score_samples", "sample"):
        given: Any = ROWS if name == "sample" else X

        def call(estimator: Any, name: str = name, given: Any = given) -> Callable[[], Any]:
            return lambda: getattr(estimator, name)(given)

        slow, fast = in_turn(call(theirs), call(ours), rounds=4)
        label = f"{name} (promised 15)" if name == "predict_proba" else name
        table.add_row(label, f"{1e3 * slow:.0f} ms", f"{1e3 * fast:.0f} ms", f"{slow / fast:.1f}")
    return table


def _small_fits() -> Table:
    table = Table(title="A whole default fit beside scikit-learn's single start, warm process")
    for heading in ("table", "scikit-learn", "mixtura", "times (promised 3)", "of the fastest"):
        table.add_column(heading, justify="right")
    table.caption = f"medians of {FITS} fits that take turns; then the fastest of each"
    faithful = np.loadtxt(FAITHFUL, delimiter=",", skiprows=1)
    for name, X, K in (("iris", load_iris().data, 3), ("faithful", faithful, 2)):
        kinds = (sklearn.mixture.GaussianMixture, mixtura.GaussianMixture)
        times: list[list[float]] = [[], []]
        for seed in range(FITS):
            for kind, taken in zip(kinds, times, strict=True):
                began = time.perf_counter()
                kind(K, random_state=seed).fit(X)
                taken.append(time.perf_counter() - began)
        theirs, ours = map(statistics.median, times)
        table.add_row(
            name,
            f"{1e3 * theirs:.1f} ms",
            f"{1e3 * ours:.1f} ms",
            f"{ours / theirs:.2f}",
            f"{min(times[1]) / min(times[0]):.2f}",
        )
    return table

"""The least that a default fit could cost: a k-means start and EM, to scikit-learn's stop and ours.

`python -m benchmarks onestart` times, for each cell of `default`, our k-means start and EM to where
scikit-learn stops (a step gains less than 1e-3 per row), then on to our own convergence, without
race, moves, certificate or the estimator's checks, beside scikit-learn's fit and our default one.
Processor time of all threads, the least of a few, so that a busy machine can be used.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import sklearn.mixture
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.default import chosen
from mixtura.data.rows import Rows
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.errors import FAILURES
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.fitting.mixture_fit import prepare
from mixtura.records import Array
from mixtura.solvers.auto import auto
from mixtura.solvers.problem import Problem

# scikit-learn's tol, and ours.
THEIRS, OURS, MOST = 1e-3, 1e-6, 1000
# Fits of less than so many seconds are repeated.
SHORT, REPEATS = 0.2, 5
HEADINGS = ("cell", "to their stop", "to ours", "default", "scikit-learn", "ratios")


def one_start(X: Array, K: int, *, on: bool) -> None:
    """A k-means start and EM to scikit-learn's stop, or `on` from there to our own."""
    rng = np.random.RandomState(0)
    rows = Rows(X)
    with single_blas, single_openmp():
        ground = prepare(rows, Gaussian(structure("full")), K, rng)
        start = ground.maker.make("kmeans", 0, rng)
        for model in (ground.model.unpenalised(), ground.model):
            try:
                sweep = ground.open_sweep(model, rows)
                params, summary, gain = start, sweep(start), np.inf
                while gain >= THEIRS and sweep.passes < MOST:
                    before = summary.loglik
                    params, after, met = sweep.advance(model, params, summary, sweep.stride)
                    path = np.diff([before, *met, after.loglik])
                    summary, gain = after, path.min() / summary.weight
                if on:
                    auto(Problem(model, sweep, params, OURS, MOST, summary=summary))
                return
            except FAILURES:
                continue


def least(work: Callable[[], object]) -> float:
    """Processor seconds, the least of a few for a short one."""
    found: list[float] = []
    while not found or (max(found) < SHORT and len(found) < REPEATS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def run(console: Console, only: tuple[str, ...] = ()) -> None:
    """Print every cell, and geometric means of scikit-learn's time over each of ours."""
    table = Table(title="Processor seconds; scikit-learn's over each of ours")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    ratios = []
    for cell in chosen(only):
        X = cell.table()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours = mixtura.GaussianMixture(cell.K, random_state=0)
            theirs = sklearn.mixture.GaussianMixture(cell.K, random_state=0, max_iter=MOST)
            times = [
                least(partial(one_start, X, cell.K, on=False)),
                least(partial(one_start, X, cell.K, on=True)),
                least(partial(ours.fit, X)),
                least(partial(theirs.fit, X)),
            ]
        ratios.append([times[3] / each for each in times[:3]])
        told = " ".join(f"{each:.2f}" for each in ratios[-1])
        table.add_row(cell.name, *(f"{each:.4f}" for each in times), told)
    means = np.exp(np.mean(np.log(ratios), axis=0))
    table.caption = "geometric means: " + ", ".join(f"{each:.2f}" for each in means)
    console.print(table)

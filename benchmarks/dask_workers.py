"""Dask: passes by one worker and by two, beside the same kernel in one bare process and in two.

A short pass, and one eight times as long, which is bound by the kernel. Every worker and process
has one thread, and half of the rows where there are two; a pass is sent out and its sum waited for,
as a fit does. All four take turns, so what else runs on the machine meets all of them, and the
least of each counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.floor import Workload
from benchmarks.limits import clouds
from mixtura.data.rows import Rows
from mixtura.engines.base import Sweep
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params_from_root
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

WORKS = (Workload(400_000, 10, 32), Workload(3_200_000, 10, 32))
PARTITIONS, SECONDS = 8, 20.0
# What two workers should do beside one, or else beside two bare processes.
GAIN, SHARE = 1.7, 0.9


def _mixture(start: dict[str, Any]) -> tuple[Mixture, MixtureParams]:
    structure = STRUCTURES["full"]
    roots = start["precisions_init"]  # of ones: its own inverse root
    components = gaussian_params_from_root(start["means_init"], roots, structure.form)
    return Mixture(Gaussian(structure), None), MixtureParams(start["weights_init"], components)


_sweep: Sweep
_params: Any


def _hold(work: Workload, parts: int) -> None:
    """What a bare process needs: its share of the rows and a sweep over them."""
    global _sweep, _params
    X, start = clouds(work)
    model, _params = _mixture(start)
    _sweep = open_sweep("compiled", model, Rows(X[: work.n // parts].copy())).forgetful()


def _pass(_: int) -> float:
    return _sweep(_params).loglik


@contextmanager
def _bare(work: Workload, workers: int) -> Iterator[Callable[[], Any]]:
    """A pass in so many processes."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _hold, (work, workers)) as pool:
        yield lambda: sum(pool.map(_pass, range(workers)))


@contextmanager
def _dask(workers: int, X: Array, start: dict[str, Any]) -> Iterator[Callable[[], Any]]:
    """A pass by so many Dask workers."""
    from dask import array as da
    from distributed import Client, LocalCluster

    from mixtura.data.dask_blocks import of_collection

    model, params = _mixture(start)
    how = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(n_workers=workers, **how) as cluster, Client(cluster):
        chunks = (len(X) // PARTITIONS, X.shape[1])
        sweep = open_sweep("dask", model, of_collection(da.from_array(X, chunks)))
        yield lambda: sweep(params).loglik


def _least(passes: list[Callable[[], Any]]) -> list[float]:
    """Seconds of the fastest pass of each, in turns."""
    for one in passes:
        one()
    least, end = [float("inf")] * len(passes), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        for i, one in enumerate(passes):
            begun = time.perf_counter()
            one()
            least[i] = min(least[i], time.perf_counter() - begun)
    return least


def _seconds(work: Workload) -> list[float]:
    """Of a pass by one bare process and by two, by one Dask worker and by two."""
    X, start = clouds(work)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        with ExitStack() as all_of:
            ways = [_bare(work, 1), _bare(work, 2), _dask(1, X, start), _dask(2, X, start)]
            return _least([all_of.enter_context(way) for way in ways])
    finally:
        del os.environ["OMP_NUM_THREADS"]


def run(console: Console) -> None:
    """Print rows per second, how many times faster two are than one, and than two bare ones."""
    for work in WORKS:
        _compared(console, work)


def _compared(console: Console, work: Workload) -> None:
    table = Table(title=f"{work.n:,} rows, {work.d} columns, {work.K} full components")
    for heading in ("", "one", "two", "two / one"):
        table.add_column(heading, justify="right")
    seconds = _seconds(work)
    gains = [seconds[0] / seconds[1], seconds[2] / seconds[3]]
    for name, pair, gain in zip(("bare", "Dask"), (seconds[:2], seconds[2:]), gains, strict=True):
        rates = [f"{work.n / each / 1e6:.2f} M rows/s" for each in pair]
        table.add_row(name, *rates, f"{gain:.2f}")
    console.print(table)
    bare, dask = seconds[1], seconds[3]
    console.print(
        f"two Dask workers do {gains[1]:.2f} times the rows of one (promised {GAIN}), and "
        f"{bare / dask:.2f} of those of two bare processes (or {SHARE} of them); "
        f"what the second brings is {gains[1] / gains[0]:.2f} of what it brings there"
    )

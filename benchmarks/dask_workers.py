"""Dask: passes by one worker and by two, beside the same kernel in one bare process and in two.

The workload is bound by the kernel. Every worker and process has one thread, and half of the rows
where there are two; a pass is sent out and its sum waited for, as a fit does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.floor import Workload
from benchmarks.limits import clouds
from benchmarks.machine import fastest
from mixtura.data.rows import Rows
from mixtura.engines.base import Sweep
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params_from_root
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

WORK, PARTITIONS, SECONDS = Workload(400_000, 10, 32), 8, 3.0
# What two workers should do beside one, or else beside two bare processes.
GAIN, SHARE = 1.7, 0.9


def _mixture(start: dict[str, Any]) -> tuple[Mixture, MixtureParams]:
    structure = STRUCTURES["full"]
    roots = start["precisions_init"]  # of ones: its own inverse root
    components = gaussian_params_from_root(start["means_init"], roots, structure.form)
    return Mixture(Gaussian(structure), None), MixtureParams(start["weights_init"], components)


_sweep: Sweep
_params: Any


def _hold(parts: int) -> None:
    """What a bare process needs: its share of the rows and a sweep over them."""
    global _sweep, _params
    X, start = clouds(WORK)
    model, _params = _mixture(start)
    _sweep = open_sweep("compiled", model, Rows(X[: WORK.n // parts])).forgetful()


def _pass(_: int) -> float:
    return _sweep(_params).loglik


def _bare(workers: int) -> float:
    """Seconds of a pass in so many processes."""
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), _hold, (workers,)) as pool:
            return _timed(lambda: sum(pool.map(_pass, range(workers))))
    finally:
        del os.environ["OMP_NUM_THREADS"]


def _dask(workers: int, X: Array, start: dict[str, Any]) -> float:
    """Seconds of a pass by so many Dask workers."""
    from dask import array as da
    from distributed import Client, LocalCluster

    from mixtura.data.dask_blocks import of_collection

    model, params = _mixture(start)
    how = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(n_workers=workers, **how) as cluster, Client(cluster):
        chunks = (WORK.n // PARTITIONS, WORK.d)
        sweep = open_sweep("dask", model, of_collection(da.from_array(X, chunks)))
        return _timed(lambda: sweep(params).loglik)


def _timed(one: Callable[[], float]) -> float:
    one()
    return fastest(one, SECONDS)


def run(console: Console) -> None:
    """Print rows per second, how many times faster two are than one, and than two bare ones."""
    X, start = clouds(WORK)
    table = Table(title=f"{WORK.n:,} rows, {WORK.d} columns, {WORK.K} full components")
    for heading in ("", "one", "two", "two / one"):
        table.add_column(heading, justify="right")
    gains, seconds_of_two = [], []
    for name, timed in (("bare", _bare), ("Dask", lambda n: _dask(n, X, start))):
        one, two = timed(1), timed(2)
        gains.append(one / two)
        seconds_of_two.append(two)
        rates = [f"{WORK.n / seconds / 1e6:.2f} M rows/s" for seconds in (one, two)]
        table.add_row(name, *rates, f"{gains[-1]:.2f}")
    console.print(table)
    bare, dask = seconds_of_two
    console.print(
        f"two Dask workers do {gains[1]:.2f} times the rows of one (promised {GAIN}), and "
        f"{bare / dask:.2f} of those of two bare processes (or {SHARE} of them); "
        f"what the second brings is {gains[1] / gains[0]:.2f} of what it brings there"
    )

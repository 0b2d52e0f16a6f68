"""Our pass against the machine's limit: `python -m benchmarks limits`.

The floor (`floor.py`) is that of a dense pass on figures measured in the same run (`machine.py`).
The clouds overlap, at every number of columns, so that no component can be skipped for a row: what
is far away is left out (`screen.h`), which would flatter the ratio. Two times are shown: an
engine's sweep at fixed parameters, and what a user pays for one more EM step, the difference of a
long and a short fit. The ratio is the user's.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.floor import DIAGONAL, WORKLOADS, Machine, Workload, floor
from benchmarks.machine import fastest, measure
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import gaussian_params_from_root
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

# Neighbouring centres are about this many standard deviations apart, whatever the columns.
APART = 2.8
# Seconds that the steps of a long fit should take, and how often each fit is made.
LONG, REPEATS = 0.5, 3


@dataclass(frozen=True)
class Timed:
    """Seconds of one pass, both ways, and the least that it could take."""

    work: Workload
    sweep: float
    step: float
    floor: float

    @property
    def ratio(self) -> float:
        return self.step / self.floor


def clouds(work: Workload) -> tuple[Array, dict[str, Any]]:
    """Overlapping clouds, and a start near them (as `GaussianMixture` takes it)."""
    rng = np.random.default_rng(0)
    scale = APART / np.sqrt(2 * work.d)
    centres = scale * rng.normal(size=(work.K, work.d))
    X = rng.normal(size=(work.n, work.d))
    X += centres[rng.integers(work.K, size=work.n)]
    shape = (work.K, work.d) if work.form == "diag" else (work.K, work.d, work.d)
    one = np.ones(work.d) if work.form == "diag" else np.eye(work.d)
    start = {
        "weights_init": np.full(work.K, 1 / work.K),
        "means_init": centres + 0.1 * scale * rng.normal(size=centres.shape),
        "precisions_init": np.broadcast_to(one, shape).copy(),
    }
    return X, start


def sweep_seconds(work: Workload, X: Array, start: dict[str, Any]) -> float:
    """One pass of the compiled engine at fixed parameters."""
    structure = STRUCTURES[work.form]
    model = Mixture(Gaussian(structure), None)
    roots = start["precisions_init"]  # of ones: its own inverse root
    components = gaussian_params_from_root(start["means_init"], roots, structure.form)
    params = MixtureParams(start["weights_init"], components)
    sweep = open_sweep("compiled", model, Rows(X))
    sweep(params)
    return fastest(lambda: sweep(params), 0.3)


def fit_seconds(work: Workload, X: Array, start: dict[str, Any], steps: int) -> float:
    """A fit of that many EM steps."""
    estimator = mixtura.GaussianMixture(
        work.K, covariance_type=work.form, solver="em", tol=0.0, max_iter=steps, **start
    )
    began = time.perf_counter()
    estimator.fit(X)
    seconds = time.perf_counter() - began
    assert estimator.n_iter_ == steps
    return seconds


def step_seconds(work: Workload, X: Array, start: dict[str, Any], expected: float) -> float:
    """What one more EM step adds to a fit."""
    more = int(np.clip(LONG / expected, 4, 3200))
    short = min(fit_seconds(work, X, start, 2) for _ in range(REPEATS))
    long = min(fit_seconds(work, X, start, 2 + more) for _ in range(REPEATS))
    return (long - short) / more


def timed(work: Workload, machine: Machine) -> Timed:
    """One workload, measured."""
    X, start = clouds(work)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweep = sweep_seconds(work, X, start)
        return Timed(work, sweep, step_seconds(work, X, start, sweep), floor(work, machine))


def run(console: Console, only: tuple[str, ...] = ()) -> None:
    """Print the machine and the table."""
    machine, said = measure()
    console.print(said)
    table = Table(title="Milliseconds of one EM pass, float64")
    shape = ("rows", "columns", "components", "type")
    for heading in (*shape, "floor", "sweep", "step", "step/floor", "promised"):
        table.add_column(heading, justify="right", no_wrap=True)
    missed = []
    for work in (*WORKLOADS, *DIAGONAL):
        if only and work.name not in only:
            continue
        one = timed(work, machine)
        if work.form == "full" and one.ratio > work.promised:
            missed.append(work.name)
        table.add_row(
            f"{work.n:,}",
            str(work.d),
            str(work.K),
            work.form,
            *(f"{1e3 * seconds:.3g}" for seconds in (one.floor, one.sweep, one.step)),
            f"{one.ratio:.2f}",
            f"{work.promised:g}" if work.form == "full" else "",
        )
    console.print(table)
    console.print(f"above what is promised: {', '.join(missed) or 'none'}")

"""Mixtures of factor analysers on images' worth of columns: the pass beside the dense one, memory.

The table is simulated: 60,000 rows of 784 columns from 10 components with 10 factors each.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import product_rates
from benchmarks.tables import in_turn
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.engines.threads import workers
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.prior import no_noise_prior
from mixtura.families.factor.records import FactorParams, factor_params
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

ROWS, COLUMNS, COMPONENTS, FACTORS = 60_000, 784, 10, 10
LIMIT = 8 * 10**9
STEPS = 20
# In a process of its own, which may not address more than the limit.
PROGRAM = """
import resource, sys, time, warnings
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
import numpy as np
from benchmarks.factors import parameters, rows
from mixtura import FactorAnalytic, GaussianMixture
X, _ = rows(parameters(), {n})
settings = dict(init_params="kmeans", solver="em", tol=0.0, max_iter={steps}, random_state=0)
warnings.simplefilter("ignore")
began = time.perf_counter()
gm = GaussianMixture({K}, covariance_type=FactorAnalytic({q}), **settings).fit(X)
took = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(took, gm.fit_result_.passes, X.nbytes / 1e9, peak)
"""


def parameters() -> FactorParams:
    """Components that overlap in every column and differ in all of them together."""
    rng = np.random.default_rng(0)
    return factor_params(
        rng.normal(size=(COMPONENTS, COLUMNS)),
        rng.normal(size=(COMPONENTS, COLUMNS, FACTORS)) / 2,
        rng.uniform(0.5, 1.5, size=(COMPONENTS, COLUMNS)),
    )


def rows(parts: FactorParams, n: int) -> tuple[Array, Array]:
    """n rows, made in pieces, and the component of each."""
    family, rng = FactorAnalysers(FactorAnalytic(FACTORS)), np.random.default_rng(1)
    labels = rng.integers(COMPONENTS, size=n)
    X = np.empty((n, COLUMNS))
    for first in range(0, n, 4096):
        part = slice(first, first + 4096)
        X[part] = family.sample(labels[part], parts, rng)
    return X, labels


def factor_pass(parts: FactorParams, X: Array) -> Callable[[], object]:
    """The pass of the engine that "auto" chooses."""
    model = Mixture(
        FactorAnalysers(FactorAnalytic(FACTORS)), no_noise_prior(FactorAnalytic(FACTORS), COLUMNS)
    )
    params = MixtureParams(np.full(COMPONENTS, 1 / COMPONENTS), parts)
    sweep = open_sweep(resolve("auto", model), model, Rows(X))
    return lambda: sweep(params)


def dense_pass(parts: FactorParams, X: Array) -> Callable[[], object]:
    """The fused pass over the same densities with their covariances written out."""
    shape = structure("full")
    model = Mixture(Gaussian(shape), no_prior(shape.form, COLUMNS))
    dense = gaussian_params(parts.means, parts.covariances, shape.form)
    params = MixtureParams(np.full(COMPONENTS, 1 / COMPONENTS), dense)
    sweep = open_sweep("dense", model, Rows(X))
    return lambda: sweep(params)


def run(console: Console) -> None:
    """Print both passes and their ratio, then a fit in 8 GB."""
    parts = parameters()
    X, _ = rows(parts, ROWS)
    factors, dense = in_turn(factor_pass(parts, X), dense_pass(parts, X), rounds=2)
    again = in_turn(factor_pass(parts, X), rounds=6)[0]
    factors = min(factors, again)
    rate = max(product_rates(workers()).values())
    flops = 4.0 * ROWS * COMPONENTS * COLUMNS * FACTORS
    dense_flops = 2.0 * ROWS * COMPONENTS * COLUMNS * (COLUMNS + 3)
    table = Table(title=f"One pass, {ROWS:,} x {COLUMNS}, K = {COMPONENTS}, q = {FACTORS}")
    for heading in ("covariances", "seconds", "Gflop counted", "floor", "pass / floor"):
        table.add_column(heading, justify="right")
    for name, took, count in (("factors", factors, flops), ("full", dense, dense_flops)):
        least = count / rate
        table.add_row(
            name,
            f"{took:.3f}",
            f"{count / 1e9:.1f}",
            f"{least:.3f}",
            f"{took / least:.2f}",
        )
    console.print(table)
    console.print(
        f"dense / factors: {dense / factors:.1f}; the floor counts 4 n K d q flops (full: "
        f"2 n K d (d + 3)) at the {rate / 1e9:.0f} Gflop/s of a large matrix product"
    )
    del X
    program = PROGRAM.format(limit=LIMIT, n=ROWS, K=COMPONENTS, q=FACTORS, steps=STEPS)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    took, passes, table_gb, peak = map(float, done.stdout.split())
    console.print(
        f"a fit of {STEPS} EM steps from k-means with {LIMIT / 1e9:.0f} GB of address space: "
        f"{took:.1f} s, {passes:.0f} passes, peak {peak:.1f} GB of which the table {table_gb:.1f}"
    )

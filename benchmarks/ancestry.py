"""Ancestry: a pass beside NumPy, new individuals, and whole fits beside `adamixture`.

`adamixture` (1.8) runs in an environment of its own, which uv makes; without uv it is left out. Its
likelihood is ours at the Q and P that it gives. Seconds are those of the CPU, which a busy machine
leaves alone: of our default fit, and of its run, in one thread, without the start of the program.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

import mixtura
from mixtura.data.genotypes import Genotypes, from_dosages
from mixtura.engines.ancestry import Passes
from mixtura.records import AnyArray, Array

# Individuals, markers, populations, and how many sets there are of each kind.
SIZES = (
    ((100, 3000, 3), 10),
    ((200, 10_000, 4), 10),
    ((300, 10_000, 4), 1),
    ((500, 20_000, 5), 1),
    ((1000, 5000, 8), 1),
)
# What is run there: the folder of set.bed, K and the seed.
OTHER = """
import sys, time, numpy, adamixture
folder, K, seed = sys.argv[1], *map(int, sys.argv[2:])
start = time.process_time()
Q, P = adamixture.run(bfile=f"{folder}/set.bed", k=K, seed=seed, threads=1, verbose=False)
numpy.savez(f"{folder}/found.npz", Q=Q, P=P, seconds=time.process_time() - start)
"""
# Seeds of the sets that some individuals are left out of.
PROJECTED = range(4)


def simulated(kind: str, seed: int, size: tuple[int, int, int]) -> tuple[AnyArray, Array]:
    """Genotypes (n, M) and Q (n, K): Balding-Nichols with F = 0.1, or Pritchard-Stephens-Donnelly.

    The second has frequencies that are independent and uniform, and shares from Dirichlet(1).
    """
    n, M, K = size
    rng = np.random.default_rng(seed)
    if kind == "BN":
        p = rng.uniform(0.05, 0.95, (M, 1))
        P, alpha = rng.beta(9 * p, 9 * (1 - p), (M, K)), 0.3
    else:
        P, alpha = rng.uniform(size=(M, K)), 1.0
    Q = rng.dirichlet(np.full(K, alpha), n)
    return rng.binomial(2, Q @ P.T), Q


def error(Q: Array, truth: Array) -> float:
    """Root of the mean squared error of the shares, populations matched."""
    order = linear_sum_assignment(-(truth.T @ Q))[1]
    return float(np.sqrt(np.mean((Q[:, order] - truth) ** 2)))


def run(console: Console) -> None:
    """Print the tables."""
    console.print(_passes())
    console.print(_projections())
    for size, many in SIZES:
        console.print(_fits(size, range(many)))


def _passes() -> Table:
    table = Table(title="one step of P and the sums for Q, seconds (best of 5)")
    for header in ("individuals x markers, K", "EM in NumPy", "EM", "Newton"):
        table.add_column(header, justify="right")
    for n, M, K in ((105, 8000, 7), (1000, 10_000, 5), (2000, 10_000, 10)):
        X, Q = simulated("BN", 0, (n, M, K))
        P, passes = np.full((M, K), 0.3) + 0.01 * np.arange(K), Passes(from_dosages(X))
        Q = 0.9 * Q + 0.1 / K
        X = X.T.astype(np.float64)
        times = [
            _best(lambda X=X, Q=Q, P=P: _numpy_em(X, Q, P)),
            _best(lambda passes=passes, Q=Q, P=P: passes.step(Q, P, em=True)),
            _best(lambda passes=passes, Q=Q, P=P: passes.step(Q, P)),
        ]
        table.add_row(f"{n:,} x {M:,}, {K}", *(f"{seconds:.4f}" for seconds in times))
    return table


def _numpy_em(X: Array, Q: Array, P: Array) -> tuple[Array, Array]:
    """FRAPPE's step as four products of matrices."""
    h = P @ Q.T
    a, b = X / h, (2 - X) / (1 - h)
    first, second = P * (a @ Q), (1 - P) * (b @ Q)
    return first / (first + second), Q * (a.T @ P + b.T @ (1 - P))


def _best(work: object) -> float:
    assert callable(work)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _projections() -> Table:
    """One individual in ten left out: how far its largest share is off, on average."""
    table = Table(title="largest share of who was left out: mean of found less true")
    headers = ("set, missing of those fitted", "one standard error", "joint fit", "`transform`")
    for header in (*headers, "`transform` less joint"):
        table.add_column(header, justify="right")
    for size, missing in (((400, 2000, 4), 0.0), ((200, 10_000, 3), 0.0), ((120, 700, 3), 0.6)):
        rows = np.mean([_projection(seed, size, missing) for seed in PROJECTED], axis=0)
        name = f"{size[0]} x {size[1]:,}, {size[2]}, {missing:.0%}"
        table.add_row(name, *(f"{each:+.3f}" for each in [*rows, rows[2] - rows[1]]))
    return table


def _projection(seed: int, size: tuple[int, int, int], missing: float) -> list[float]:
    """(standard error of a share, how far off the joint fit is, and `transform`)."""
    n, _, K = size
    X, truth = simulated("BN", seed, size)
    rng, new = np.random.default_rng(seed), np.arange(n) % 10 == 0
    X = np.where((rng.random(X.shape) < missing) & ~new[:, None], np.nan, X)
    joint = mixtura.Admixture(K, random_state=0).fit(X)
    fitted = mixtura.Admixture(K, random_state=0).fit(X[~new])
    error = joint.standard_errors(X, replicates=8)[new]
    true = truth[new].max(axis=1)
    found = joint.Q_[new], fitted.transform(X[new])
    return [float(np.sqrt(np.mean(error**2))), *(float((Q.max(1) - true).mean()) for Q in found)]


def _fits(size: tuple[int, int, int], seeds: range) -> Table:
    n, M, K = size
    title = f"fits of {n:,} x {M:,}, K = {K}: log-likelihood, error of Q, CPU seconds"
    table = Table(title=title)
    headers = ("set", "ours", "adamixture less ours", "error", "adamixture's")
    for header in (*headers, "seconds", "adamixture's"):
        table.add_column(header, justify="right")
    rows = []
    for kind in ("BN", "PSD"):
        for seed in seeds:
            X, truth = simulated(kind, seed, size)
            genotypes = from_dosages(X)
            start = time.process_time()
            ours = mixtura.Admixture(K, random_state=seed).fit(genotypes)
            seconds, loglik = time.process_time() - start, ours.fit_result_.loglik
            other = _adamixture(genotypes, K, seed)
            less, Q, their_seconds = other or (np.nan, np.full(truth.shape, np.nan), np.nan)
            row = [less - loglik, error(ours.Q_, truth), error(Q, truth), seconds, their_seconds]
            table.add_row(f"{kind} {seed}", f"{loglik:.2f}", *_written(row))
            rows.append(row)
    table.add_section()
    table.add_row("mean", "", *_written(np.mean(rows, axis=0)))
    table.add_row("largest", "", *_written(np.max(rows, axis=0)))
    return table


def _written(row: Iterable[float]) -> list[str]:
    less, *errors, ours, other = row
    return [f"{less:+.2f}", *(f"{each:.5f}" for each in errors), f"{ours:.2f}", f"{other:.2f}"]


def _adamixture(genotypes: Genotypes, K: int, seed: int) -> tuple[float, Array, float] | None:
    """(log-likelihood, Q, seconds) of its run on the same genotypes; None where it cannot run."""
    uv = shutil.which("uv")
    if uv is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder, "set.bed"), genotypes)
        command = [uv, "run", "--no-project", "--with", "adamixture", "python", "-c", OTHER, folder]
        done = subprocess.run([*command, *map(str, (K, seed))], capture_output=True)
        if done.returncode:
            return None
        with np.load(Path(folder, "found.npz")) as found:
            Q, P, seconds = (found[name].astype(np.float64) for name in ("Q", "P", "seconds"))
    Q /= Q.sum(axis=1, keepdims=True)
    passes = Passes(genotypes)
    # Of either allele.
    return max(passes.loglik(Q, P), passes.loglik(Q, 1 - P)), Q, float(seconds)


def _write(path: Path, genotypes: Genotypes) -> None:
    """A PLINK file of these genotypes."""
    n, M = genotypes.shape
    path.write_bytes(b"\x6c\x1b\x01" + genotypes.codes.tobytes())
    path.with_suffix(".fam").write_text("".join(f"0 i{i} 0 0 0 -9\n" for i in range(n)))
    path.with_suffix(".bim").write_text("".join(f"1 m{j} 0 {j + 1} A G\n" for j in range(M)))

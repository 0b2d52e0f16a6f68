"""Many components: passes that skip what cannot matter, and truncated EM, which approximates."""

from __future__ import annotations

import time
from functools import partial

from rich.console import Console
from rich.table import Table

from benchmarks.tables import clouds, in_turn
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.solvers.truncated import Truncated

# (rows, columns, components, standard deviation of the centres, what is promised of the ratio)
PASSES = [
    (1_000_000, 8, 100, 10.0, ">= 3"),
    (1_000_000, 8, 100, 5.0, ">= 3"),
    (1_000_000, 8, 100, 3.5, ">= 0.91"),
    (1_000_000, 8, 100, 2.0, ">= 0.91"),
    (500_000, 8, 1000, 10.0, ">= 3"),
    (500_000, 8, 1000, 5.0, ">= 3"),
    (500_000, 8, 1000, 2.0, ">= 0.91"),
]
CLIMBS = [(200_000, 8, 100, 10.0), (200_000, 8, 100, 2.0), (100_000, 8, 500, 2.0)]
SETTINGS = [(3, 15), (5, 30), (8, 60)]
STEPS = 15


def run(console: Console) -> None:
    """Print both tables."""
    console.print(_passes())
    console.print(_climbs())


def _passes() -> Table:
    table = Table(title="One pass with pruning beside the dense one (full covariances, float64)")
    for heading in ("rows", "d", "K", "spread", "dense", "pruned", "ratio", "promised", "|Δ ll|"):
        table.add_column(heading, justify="right")
    for n, d, K, spread, promised in PASSES:
        model, X, params = clouds(n, d, K, spread)
        dense = open_sweep("dense", model, Rows(X))
        pruned = open_sweep("compiled", model, Rows(X))
        pruned(params)
        plain, ours = in_turn(partial(dense, params), partial(pruned, params), rounds=4)
        gap = abs(pruned(params).loglik - dense(params).loglik) / n
        table.add_row(
            f"{n:,}",
            str(d),
            str(K),
            f"{spread:g}",
            f"{1e3 * plain:.0f} ms",
            f"{1e3 * ours:.0f} ms",
            f"{plain / ours:.2f}",
            promised,
            f"{gap:.0e}",
        )
    return table


def _climbs() -> Table:
    table = Table(title=f"{STEPS} steps of truncated EM beside EM (dense), from the same start")
    for heading in ("rows", "d", "K", "spread", "keep, search", "EM", "truncated", "ratio", "loss"):
        table.add_column(heading, justify="right")
    table.caption = "loss: EM's log-likelihood per row less the truncated climb's"
    for n, d, K, spread in CLIMBS:
        model, X, params = clouds(n, d, K, spread)
        sweep = open_sweep("dense", model, Rows(X))
        began = time.perf_counter()
        exact = em(Problem(model, sweep, params, tol=0.0, max_iter=STEPS))
        theirs = time.perf_counter() - began
        for keep, search in SETTINGS:
            began = time.perf_counter()
            few = Truncated(keep, search)(Problem(model, sweep, params, tol=0.0, max_iter=STEPS))
            ours = time.perf_counter() - began
            table.add_row(
                f"{n:,}",
                str(d),
                str(K),
                f"{spread:g}",
                f"{keep}, {search}",
                f"{theirs:.2f} s",
                f"{ours:.2f} s",
                f"{theirs / ours:.2f}",
                f"{(exact.objective - few.objective) / n:.0e}",
            )
    return table

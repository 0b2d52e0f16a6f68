"""The pass in float32 beside the pass in float64, for every covariance type."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.tables import clouds, in_turn
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep

WORKLOADS = [
    (1_000_000, 2, 8),
    (500_000, 10, 10),
    (200_000, 32, 16),
    (50_000, 128, 8),
    (200_000, 8, 100),
]


def run(console: Console, only: tuple[str, ...] = ()) -> None:
    """Print one line per workload and covariance type."""
    table = Table(title="One pass in float32 beside float64 (promised: 1.6 times, 1e-5)")
    for heading in ("rows", "d", "K", "covariances", "float64", "float32", "ratio", "off by"):
        table.add_column(heading, justify="right")
    for n, d, K in WORKLOADS:
        if only and f"{n},{d},{K}" not in only:
            continue
        for name in ("full", "tied", "diag", "spherical"):
            model, X, params = clouds(n, d, K, 2.0, name)
            dense: Any = open_sweep("dense", model, Rows(X))
            mixed: Any = open_sweep("mixed", model, Rows(X))
            double, single = in_turn(
                lambda dense=dense, params=params: dense(params),
                lambda mixed=mixed, params=params: mixed._single(params),
                rounds=6,
            )
            exact, near = dense(params).components, mixed._single(params).components
            rows = exact.counts if len(exact.second) == K else exact.counts.sum(keepdims=True)
            gap = np.abs(near.second - exact.second).reshape(len(rows), -1).max(axis=1)
            size = np.abs(exact.second).reshape(len(rows), -1).max(axis=1)
            table.add_row(
                f"{n:,}",
                str(d),
                str(K),
                name,
                f"{1e3 * double:.1f} ms",
                f"{1e3 * single:.1f} ms",
                f"{double / single:.2f}",
                f"{(gap / size).max():.0e}",
            )
    console.print(table)

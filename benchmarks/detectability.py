"""Two planted blocks either side of the threshold of detectability (Decelle et al. 2011).

n = 10,000 nodes, mean degree 4, parameters learned; the signal is |c_in - c_out| / (2 sqrt c), and
below 1 nobody can tell the blocks. The overlap is (2 share right - 1), whichever block is which.
"""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from mixtura import BlockModel
from mixtura.lab.detectability import overlap, planted

N, SEEDS = 10_000, 20
SIGNALS = (0.9, 1.0, 1.15, 1.3)


def found(signal: float, seed: int, inference: str) -> float:
    """Of the blocks found with those planted."""
    model = BlockModel(2, inference=inference, random_state=seed, max_iter=100, n_init=1)
    return overlap(model.fit(planted(N, signal, np.random.default_rng(seed))).labels_)


def run(console: Console) -> None:
    """A line for each signal."""
    import warnings

    table = Table(
        title=f"overlap, {SEEDS} networks of {N:,} nodes (promised: 0.1 at 1.15, 0.05 at 0.9)"
    )
    for head in ("signal", "belief", "least", "most", "variational"):
        table.add_column(head, justify="right")
    for signal in SIGNALS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            met = [found(signal, seed, "belief") for seed in range(SEEDS)]
            bound = [found(signal, seed, "variational") for seed in range(SEEDS // 4)]
        told = np.mean(met), np.min(met), np.max(met), np.mean(bound)
        table.add_row(f"{signal:.2f}", *(f"{value:.3f}" for value in told))
    console.print(table)

"""Whole default fits of hidden Markov models: time, and the height reached.

Against hmmlearn's single start (n_iter=200, its other defaults, priors off) and the best of ten of
those. `uv run --with hmmlearn python -m benchmarks hmmfits`.
"""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import mixtura
from benchmarks.hmm import WORKLOADS, Workload, drawn, maximum_likelihood, theirs

# The workloads of a pass with so many times fewer steps, so that ten starts of hmmlearn come to an
# end.
PART, STARTS = 20, 10


def fitted(kind: type[Any], load: Workload, seed: int, **own: Any) -> tuple[float, float]:
    """(seconds, log-likelihood) of one fit."""
    X, lengths, _ = drawn(load)
    model = kind(load.K, random_state=seed, **load.settings, **own)
    began = time.perf_counter()
    model.fit(X, lengths)
    return time.perf_counter() - began, float(model.score(X, lengths))


def run(console: Console) -> None:
    """Print one line for each workload."""
    other = theirs()
    if other is None:
        console.print("hmmfits: hmmlearn is not installed; uv run --with hmmlearn python -m ...")
        return
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    table = Table(title="Default fits: seconds, log-likelihood")
    for heading in ("workload", "hmmlearn, one start", f"best of {STARTS}", "mixtura"):
        table.add_column(heading, justify="right")
    for load in WORKLOADS:
        small = replace(load, n=load.n // PART, length=min(load.length, load.n // PART))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = {**maximum_likelihood(load), "n_iter": 200, "implementation": "scaling"}
            kind = getattr(other, load.kind)
            starts = [fitted(kind, small, seed, **plain) for seed in range(STARTS)]
            ours = fitted(getattr(mixtura, load.kind), small, 0)
        times, heights = np.array(starts).T
        table.add_row(
            f"{load.name}, {small.n:,}",
            f"{np.median(times):.2f}, {heights[0]:.2f}",
            f"{times.sum():.1f}, {np.nanmax(heights):.2f}",
            f"{ours[0]:.2f}, {ours[1]:.2f}",
        )
    console.print(table)

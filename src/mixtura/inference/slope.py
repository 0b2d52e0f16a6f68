"""The slope heuristic: the price of a parameter is learned from the largest models.

Where models are so large that they only fit noise, the log-likelihood grows linearly in the number
of parameters. That slope is the least price at which a choice is possible, and twice the slope the
best one. Baudry, Maugis & Michel (2012), Statistics and Computing 22: the slope is estimated from
the q largest models for every q, and what is chosen is taken from where it stays the same as q
grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from scipy.stats import theilslopes

from mixtura.records import Array

# Fewer sizes than this say nothing of a line among the largest; of them at least FEWEST are used.
SIZES, FEWEST = 10, 5
# A choice counts as steady where it is that of this share of all regressions.
STEADY = 0.15


def slope_criterion(logliks: Sequence[float], n_parameters: Sequence[int]) -> tuple[Array, float]:
    """(-2 log L + 4 kappa p of each model, kappa): smaller is better.

    kappa is the slope of the log-likelihood in the number of parameters, by Theil and Sen's
    regression: the median slope of all pairs, which up to 29 % of bad fits do not move.
    Raises ValueError where there are too few models, or nothing rises.
    """
    L, p = np.asarray(logliks, dtype=np.float64), np.asarray(n_parameters, dtype=np.float64)
    sizes = np.unique(p)
    if len(sizes) < SIZES:
        raise ValueError(
            f"criterion='slope': the slope is learned from models of at least {SIZES} different "
            f"numbers of parameters, found {len(sizes)}: try more components or covariance types"
        )
    # Of equally large models the best: the others are no part of the line.
    best = np.array([L[p == size].max() for size in sizes])
    slopes = np.array(
        [theilslopes(best[first:], sizes[first:]).slope for first in range(len(sizes) - FEWEST + 1)]
    )
    chosen = [int(np.argmin(-2 * best + 4 * max(kappa, 0.0) * sizes)) for kappa in slopes]
    kappa = float(slopes[_steady(chosen)])
    if kappa <= 0:
        raise ValueError(
            "criterion='slope': the log-likelihood does not rise with the number of parameters "
            "among the largest models: raise n_init, or use criterion='bic'"
        )
    return -2 * L + 4 * kappa * p, kappa


def _steady(chosen: Sequence[int]) -> int:
    """Where the first run of equal choices that is long enough begins; else the longest run."""
    runs: list[tuple[int, int]] = []
    done = 0
    for _, group in groupby(chosen):
        length = len(list(group))
        runs.append((done, length))
        done += length
    # From the right: regressions on the largest models alone are the ones on the line.
    for first, length in reversed(runs):
        if length >= STEADY * len(chosen) and length > 1:
            return first
    return max(runs, key=lambda run: run[1])[0]

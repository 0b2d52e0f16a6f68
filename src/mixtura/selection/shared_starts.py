"""Starts that serve every covariance structure: one way to part the rows for each number of groups.

Two trees of merges (see `fit.hierarchical`), made once and cut at every K: of groups of any shape,
which is mclust's start, and of equal balls. More are clusters of k-means, in standardised and in
whitened columns by turns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.data.survey import Survey
from mixtura.engines.native.merging import merging_history
from mixtura.fitting.hierarchical import cuts, principal
from mixtura.fitting.starts import kmeans
from mixtura.records import Array

# K -> names and responsibilities (S, n, K).
Starts = dict[int, tuple[list[str], Array]]


def shared_starts(
    known: Survey, numbers: Sequence[int], n_init: int, rng: np.random.RandomState
) -> Starts:
    """The starts on the sample of a table; the two trees count as the first of `n_init`."""
    w = known.sample.sample_weight
    assert w is not None
    sd = np.sqrt(known.columns.variance)
    Z = (known.sample.X - known.columns.mean) / np.where(sd > 0, sd, 1.0)
    along = principal(Z, w)
    spread = np.sqrt(w @ along**2 / w.sum())
    frames = (along / np.where(spread > 0, spread, 1.0), Z)
    kinds = {"hierarchical": (along, True), "ward": (Z, False)}
    few = sorted({min(K, len(Z)) for K in numbers})
    trees = {
        name: cuts(rows, w, few, shaped, merging_history) for name, (rows, shaped) in kinds.items()
    }
    starts = {}
    for K in numbers:
        made = {name: cut[min(K, len(Z))] for name, cut in trees.items()}
        if K == 1 or np.array_equal(made["hierarchical"], made["ward"]):
            del made["ward"]
        for repeat in range(1, n_init if K > 1 else 1):
            made[f"kmeans {repeat}"] = kmeans(frames[repeat % 2], w, K, rng)
        starts[K] = list(made), np.stack([_widened(resp, K) for resp in made.values()])
    return starts


def _widened(resp: Array, K: int) -> Array:
    """With columns of zeros up to K."""
    return np.pad(resp, ((0, 0), (0, K - resp.shape[1])))

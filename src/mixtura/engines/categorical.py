"""The fused sweep of a mixture of categorical columns: E-step and statistics in C, in threads."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.native import Double, Int, Pointer, address, checked, data_of, library, run
from mixtura.engines.threads import ThreadsSweep
from mixtura.families.categorical import Categorical, CategoricalStatistics
from mixtura.models.mixture import Mixture
from mixtura.records import Array, Chunk, Summary
from mixtura.supports import TINY


class _Levels(ctypes.Structure):
    """As in kernels.h."""

    _fields_ = [
        ("log_weights", Pointer),
        ("table", Pointer),
        ("fresh", Double),
        ("first", Pointer),
        ("many", Pointer),
        ("K", Int),
        ("total", Int),
        ("loglik", Double),
        ("count", Pointer),
        ("hits", Pointer),
    ]


def levels_pass(
    chunk: Chunk, levels: tuple[int, ...], log_weights: Array, log_shares: Array
) -> tuple[float, Array, Array]:
    """One E-step over rows of codes: (log-likelihood, counts (K,), hits (levels, K)).

    log_shares (levels of all columns one after another, K) are finite. NaN is a gap, and a code
    that has no level is worth log TINY to every component. Rows of weight 0 count nothing.
    """
    total, K = log_shares.shape
    many = np.array(levels, dtype=np.int64)
    first = np.cumsum(many) - many
    if chunk.X.shape[1] != len(levels) or many.sum() != total:
        raise ValueError(f"X has {chunk.X.shape[1]} columns, levels are {levels} for {total} rows")
    counts, hits = np.empty(K), np.empty((total, K))
    asked = _Levels(
        checked("log_weights", log_weights, (K,)), checked("log_shares", log_shares, (total, K)),
        np.log(TINY), address(first), address(many), K, total, 0.0, address(counts), address(hits),
    )  # fmt: skip
    X = np.ascontiguousarray(chunk.X, dtype=np.float64)
    run(library().mixtura_levels, data_of(X, chunk.weight), asked)
    return asked.loglik, counts, hits


class LevelsSweep(ThreadsSweep):
    """The pass of a mixture of categorical columns, fused."""

    engine = "compiled"

    def __init__(self, model: Mixture, rows: Source) -> None:
        assert isinstance(model.family, Categorical)
        super().__init__(model, rows)
        self.levels = model.family.levels

    def __call__(self, params: Any) -> Summary:
        shares = np.maximum(params.components.probabilities, TINY)
        table = np.ascontiguousarray(np.log(shares).T)

        def step(chunk: Chunk) -> Summary:
            loglik, counts, hits = levels_pass(chunk, self.levels, params.log_weights, table)
            weight = len(chunk.X) if chunk.weight is None else chunk.weight.sum()
            return Summary(loglik, float(weight), CategoricalStatistics(counts, hits.T))

        return self.folded(step)

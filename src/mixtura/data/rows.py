"""Rows in memory: what an engine sweeps over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class Rows:
    """A table in memory: X (n, d) C-contiguous float32 or float64, weights (n,) or None."""

    X: AnyArray
    sample_weight: Array | None = None

    @property
    def weight(self) -> float:
        """The sum of the weights; the number of rows when there are none."""
        return float(len(self.X)) if self.sample_weight is None else float(self.sample_weight.sum())

    def take(self, indices: AnyArray) -> Rows:
        """Those rows, with their weights."""
        w = None if self.sample_weight is None else self.sample_weight[indices]
        return Rows(np.ascontiguousarray(self.X[indices]), w)

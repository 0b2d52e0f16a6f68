"""Weights that are known in advance, and free coordinates of what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Chart, Summary


@dataclass(frozen=True, eq=False)
class FixedWeights:
    """Weights (K,) that stay; NaN where one is free."""

    values: Array

    def estimated(self, counts: Array) -> Array:
        """The M-step: free weights share what is left as their expected rows do."""
        free = np.isnan(self.values)
        if not free.any():
            return self.values
        left, rows = 1.0 - float(self.values[~free].sum()), float(counts[free].sum())
        weights = self.values.copy()
        # Without any rows they share evenly.
        weights[free] = left * (counts[free] / rows if rows > 0 else 1.0 / free.sum())
        return weights

    @property
    def size(self) -> int:
        """Free parameters."""
        return max(int(np.isnan(self.values).sum()) - 1, 0)

    def obstacle(self) -> str:
        """Why the free weights have no coordinates of their own; empty where they have."""
        if np.isnan(self.values).any():
            return "fixed: weights of which only some are known are kept by EM's steps alone"
        return ""

    def imposed(self, params: MixtureParams) -> MixtureParams:
        """The parameters with the known weights in their places."""
        return replace(params, weights=self.estimated(params.weights))


@dataclass(frozen=True)
class FreeChart(Chart):
    """Some coordinates of a chart, bool (its size,); the others stay where the chart is centred."""

    whole: Chart
    free: AnyArray

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many free numbers there are."""
        return int(self.free.sum())

    @property
    def radius(self) -> Array:
        return self.whole.radius[self.free]

    def params(self, free: Array) -> MixtureParams:
        numbers = np.zeros(self.whole.size)
        numbers[self.free] = free
        found: MixtureParams = self.whole.params(numbers)
        return found

    def coordinates(self, params: MixtureParams) -> Array:
        return self.whole.coordinates(params)[self.free]

    def gradient(self, summary: Summary, params: MixtureParams) -> Array:
        return self.whole.gradient(summary, params)[self.free]

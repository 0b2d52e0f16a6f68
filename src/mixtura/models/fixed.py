"""Weights that are known in advance, and free coordinates of what is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import block_diag, eye

from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chart, Summary


@dataclass(frozen=True, eq=False)
class FixedWeights:
    """Weights (K,) that stay; NaN where one is free, and then at least `least`."""

    values: Array
    least: float = 0.0

    def estimated(self, counts: Array) -> Array:
        """The M-step: free weights share what is left as their expected rows do: max(least, n / l).

        With a floor it is the maximum of sum n_k log w_k by the conditions of Karush, Kuhn and
        Tucker: l is such that they add up.
        """
        free = np.isnan(self.values)
        if not free.any():
            return self.values
        left, rows = 1.0 - float(self.values[~free].sum()), float(counts[free].sum())
        weights = self.values.copy()
        # Without any rows they share evenly.
        weights[free] = left * (counts[free] / rows if rows > 0 else 1.0 / free.sum())
        low = free & (weights < self.least)
        # Those at the floor leave less to the others, so more of these may get there.
        while (weights[low] < self.least).any():
            weights[low], others = self.least, free & ~low
            left_over = left - self.least * low.sum()
            weights[others] *= left_over / weights[others].sum()
            low |= others & (weights < self.least)
        return weights

    @property
    def size(self) -> int:
        """Free parameters."""
        return max(int(np.isnan(self.values).sum()) - 1, 0)

    def obstacle(self) -> str:
        """Why the free weights have no coordinates of their own; empty where they have."""
        if self.least:
            return "fixed: a least weight is kept by EM's steps alone"
        if np.isnan(self.values).any():
            return "fixed: weights of which only some are known are kept by EM's steps alone"
        return ""

    def imposed(self, params: MixtureParams) -> MixtureParams:
        """The parameters with the known weights in their places."""
        return replace(params, weights=self.estimated(params.weights))


@dataclass(frozen=True)
class FreeChart(Chart):
    """What is free in a chart, along the columns of an orthonormal `basis`, sparse (size, free)."""

    whole: Chart
    basis: Any

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many free numbers there are."""
        return int(self.basis.shape[1])

    @property
    def radius(self) -> Array:
        # So short along each that no number leaves its own box.
        within = abs(self.basis).T.multiply(1.0 / self.whole.radius)
        return np.asarray(1.0 / within.tocsr().max(axis=1).toarray().ravel())

    def params(self, free: Array) -> MixtureParams:
        found: MixtureParams = self.whole.params(self.basis @ free)
        return found

    def coordinates(self, params: MixtureParams) -> Array:
        return np.asarray(self.basis.T @ self.whole.coordinates(params))

    def gradient(self, summary: Summary, params: MixtureParams) -> Array:
        return np.asarray(self.basis.T @ self.whole.gradient(summary, params))

    def observed(self, summary: Summary, params: MixtureParams, lost: Array) -> Array:
        whole = self.whole.observed(summary, params, lost)
        return np.asarray(self.basis.T @ (self.basis.T @ whole).T)


def free_chart(whole: Chart, of_components: int, weights_known: bool, basis: Any) -> FreeChart:
    """A mixture's chart, so many of whose numbers are the components', where some are known.

    `basis` is of what is free of these, None: all.
    """
    logits = whole.size - of_components
    weights = eye(logits, 0 if weights_known else logits)
    parts = eye(of_components) if basis is None else basis
    return FreeChart(whole, block_diag([weights, parts], format="csr"))

"""Free coordinates for a mixture: a softmax around the current weights, and the family's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.coordinates import AroundShares
from mixtura.families.base import Family
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chart, Summary
from mixtura.supports import Simplex

# How far a logit may go from the centre.
LOGIT_RADIUS = 30.0


@dataclass(frozen=True)
class MixtureChart(Chart):
    """The weights' free numbers (see `coordinates.AroundShares`), then the components'.

    The gradient in the logits is n_k - n pi_k (Jordan & Xu 1995, Neural Networks 8).
    """

    family: Family
    prior: Any
    weights: AroundShares
    components: Any

    @cached_property
    def _cut(self) -> int:
        return len(self.weights.numbers(np.ones(())))

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many free numbers there are."""
        return self._cut + int(self.components.size)

    @property
    def radius(self) -> Array:
        return np.concatenate([np.full(self._cut, LOGIT_RADIUS), self.components.radius])

    def params(self, free: Array) -> MixtureParams:
        weights, components = free[: self._cut], free[self._cut :]
        return MixtureParams(self.weights.value(weights), self.components.params(components))

    def coordinates(self, params: MixtureParams) -> Array:
        free = self.weights.free(params.weights)
        return np.concatenate([free, self.components.coordinates(params.components)])

    def gradient(self, summary: Summary, params: MixtureParams) -> Array:
        stats = summary.statistics
        counts = self.family.counts(stats) + self.prior.weight_rows
        return self.pulled(counts, stats, params)

    def pulled(self, counts: Array, own: Any, params: MixtureParams) -> Array:
        """The gradient from the expected rows behind each weight and the family's statistics."""
        # Counts may be below 0 where they are a difference.
        some = params.weights > 0
        slope = np.divide(counts, params.weights, out=np.zeros_like(counts), where=some)
        parts = self.components.gradient(own, params.components, self.prior)
        return np.concatenate([self.weights.slope(params.weights, slope), parts])

    def observed(self, summary: Summary, params: MixtureParams, lost: Array) -> Array:
        """What the complete data tell less what is lost with the labels.

        In the weights' numbers the complete information is that of so many draws, whatever the
        counts. Source: Louis (1982), J. Royal Statistical Society B 44.
        """
        stats = summary.statistics
        total = float((self.family.counts(stats) + self.prior.weight_rows).sum())
        complete = self.components.complete(stats, self.prior)
        counts, across, own = self.components.lost(lost)
        basis, cut = self.weights.basis, self._cut
        found = np.empty((self.size, self.size))
        found[:cut, :cut] = total * np.eye(cut) - basis.T @ counts @ basis
        found[:cut, cut:] = -basis.T @ across
        found[cut:, :cut] = found[:cut, cut:].T
        np.subtract(complete, own, out=found[cut:, cut:])
        return found


def mixture_chart(
    family: Family, prior: Any, params: MixtureParams, shares: Array | None = None
) -> MixtureChart:
    """The chart around `params`; shares (K,) are the components' parts of the rows, the weights
    where these have no others."""
    weights = AroundShares(Simplex(), params.weights)
    parts = family.chart(params.components, params.weights if shares is None else shares)
    return MixtureChart(family, prior, weights, parts)

"""Free coordinates for K contaminated normal densities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.families.contaminated.records import ContaminatedParams, ContaminatedStatistics
from mixtura.families.contaminated.tails import TailsChart
from mixtura.families.gaussian.chart import GaussianChart
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.records import Array


@dataclass(frozen=True)
class ContaminatedChart:
    """Coordinates of means and covariances, then of good shares and inflations."""

    gaussian: GaussianChart
    tails: TailsChart

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return self.gaussian.size + self.tails.size

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return np.concatenate([self.gaussian.radius, self.tails.radius])

    def params(self, free: Array) -> ContaminatedParams:
        """The parameters at these coordinates."""
        cut = self.gaussian.size
        return ContaminatedParams(self.gaussian.params(free[:cut]), *self.tails.tails(free[cut:]))

    def coordinates(self, params: ContaminatedParams) -> Array:
        """Where `params` lie."""
        tails = self.tails.coordinates(params.good_shares, params.inflations)
        return np.concatenate([self.gaussian.coordinates(params.gaussian), tails])

    def gradient(
        self, stats: ContaminatedStatistics, params: ContaminatedParams, prior: HeavyPrior
    ) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        # What covariances are divided by are rows, not their weights.
        seen = replace(stats.weighed, counts=stats.counts)
        own = self.gaussian.gradient(seen, params.gaussian, prior.gaussian)
        return np.concatenate([own, self.tails.gradient(stats, params)])

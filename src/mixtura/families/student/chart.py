"""Free coordinates for K t densities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.families.gaussian.chart import GaussianChart
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.families.student.degrees import DegreesChart
from mixtura.families.student.records import StudentParams, StudentStatistics
from mixtura.records import Array


@dataclass(frozen=True)
class StudentChart:
    """Coordinates of centres and scales, then of the degrees of freedom."""

    gaussian: GaussianChart
    degrees: DegreesChart

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return self.gaussian.size + self.degrees.size

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return np.concatenate([self.gaussian.radius, self.degrees.radius])

    def params(self, free: Array) -> StudentParams:
        """The parameters at these coordinates."""
        cut = self.gaussian.size
        return StudentParams(self.gaussian.params(free[:cut]), self.degrees.degrees(free[cut:]))

    def coordinates(self, params: StudentParams) -> Array:
        """Where `params` lie."""
        nu = self.degrees.coordinates(params.degrees_of_freedom)
        return np.concatenate([self.gaussian.coordinates(params.gaussian), nu])

    def gradient(self, stats: StudentStatistics, params: StudentParams, prior: HeavyPrior) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        # What the scales are divided by are rows, not their weights.
        seen = replace(stats.weighed, counts=stats.counts)
        d = params.gaussian.means.shape[1]
        return np.concatenate(
            [
                self.gaussian.gradient(seen, params.gaussian, prior.gaussian),
                self.degrees.gradient(stats, params.degrees_of_freedom, d),
            ]
        )

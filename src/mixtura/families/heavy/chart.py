"""Free coordinates for K components with heavy tails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from mixtura.families.gaussian.chart import GaussianChart
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.families.heavy.records import HeavyParams, HeavyStatistics
from mixtura.records import Array


class Tails(Protocol):
    """The chart of what components have beside centres and matrices."""

    @property
    def size(self) -> int:
        """How many free numbers there are."""

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""

    def numbers(self, free: Array) -> tuple[Array, ...]:
        """Those parameters at these coordinates, in the record's order."""

    def coordinates(self, params: Any) -> Array:
        """Where those of `params` lie."""

    def gradient(self, stats: Any, params: Any) -> Array:
        """Of the expected log-likelihood; 0 at a limit where it rises beyond."""


@dataclass(frozen=True)
class HeavyChart:
    """Coordinates of centres and matrices, then those of the tails; record makes parameters."""

    record: Callable[..., HeavyParams]
    gaussian: GaussianChart
    tails: Tails

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return self.gaussian.size + self.tails.size

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return np.concatenate([self.gaussian.radius, self.tails.radius])

    def params(self, free: Array) -> HeavyParams:
        """The parameters at these coordinates."""
        cut = self.gaussian.size
        return self.record(self.gaussian.params(free[:cut]), *self.tails.numbers(free[cut:]))

    def coordinates(self, params: HeavyParams) -> Array:
        """Where `params` lie."""
        own = self.gaussian.coordinates(params.gaussian)
        return np.concatenate([own, self.tails.coordinates(params)])

    def gradient(self, stats: HeavyStatistics, params: HeavyParams, prior: HeavyPrior) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        # What matrices are divided by are rows, not their weights.
        seen = replace(stats.weighed, counts=stats.counts)
        own = self.gaussian.gradient(seen, params.gaussian, prior.gaussian)
        return np.concatenate([own, self.tails.gradient(stats, params)])

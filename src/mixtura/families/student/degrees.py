"""Degrees of freedom: their M-step, their gradient, and the one free number each has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from mixtura.families.gamma import shape_of
from mixtura.families.student.records import StudentParams, StudentStatistics, expected_logs
from mixtura.records import Array

# With fewer a density is hardly one of the groups that people mean, and its likelihood has
# singularities of its own; with more it is not told from a Gaussian.
LEAST, MOST = 1.0, 200.0
# Where climbs begin.
START = 10.0
# How far, in logarithms, free numbers are trusted.
RADIUS = 3.0


def maximised(stats: StudentStatistics, now: Array, d: int, *, common: bool) -> Array:
    """The M-step: log(nu/2) - digamma(nu/2) = sum r (u - E log u) / n - 1, between the limits.

    Components without rows keep theirs. Reference: Peel & McLachlan (2000), Robust mixture
    modelling using the t distribution, Statistics and Computing 10, equation 31.
    """
    counts, logs = stats.counts, stats.logs + stats.counts * expected_logs(now, d)
    if common:
        counts, logs = (np.full_like(now, part.sum()) for part in (counts, logs))
    excess = -1.0 - logs / np.where(counts > 0, counts, 1.0)
    found = np.clip(2.0 * shape_of(excess), LEAST, MOST)
    return np.where(counts > 0, found, now)


def slope(stats: StudentStatistics, nu: Array, d: int) -> Array:
    """The derivative of the log-likelihood in each, (K,), by Fisher's identity."""
    half = nu / 2
    known = np.log(half) + 1.0 - digamma(half) + expected_logs(nu, d)
    return np.asarray(0.5 * (stats.counts * known + stats.logs))


def at_limit(nu: Array) -> NDArray[np.bool_]:
    """Which are the least or the most that there may be, but for rounding."""
    return np.asarray((nu <= LEAST * (1 + 1e-9)) | (nu >= MOST * (1 - 1e-9)))


@dataclass(frozen=True)
class DegreesChart:
    """log nu in units of what the rows with their u would tell of it, for those that are free.

    groups holds for each free number the components that share it.
    """

    centre: Array
    groups: tuple[tuple[int, ...], ...]
    scale: Array

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return len(self.groups)

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return RADIUS * self.scale

    def numbers(self, free: Array) -> tuple[Array]:
        """nu at these coordinates."""
        found = self.centre.copy()
        for own, step in zip(self.groups, free / self.scale, strict=True):
            found[list(own)] = np.clip(self.centre[list(own)] * np.exp(step), LEAST, MOST)
        return (found,)

    def coordinates(self, params: StudentParams) -> Array:
        """Where those of `params` lie."""
        nu = params.degrees_of_freedom
        first = [own[0] for own in self.groups]
        return np.asarray(np.log(nu[first] / self.centre[first]) * self.scale)

    def gradient(self, stats: StudentStatistics, params: StudentParams) -> Array:
        """Of the expected log-likelihood; 0 at a limit where it rises beyond."""
        nu, d = params.degrees_of_freedom, params.gaussian.means.shape[1]
        each = nu * slope(stats, nu, d)
        each[at_limit(nu) & ((nu > START) == (each > 0))] = 0.0
        return np.array([each[list(own)].sum() for own in self.groups]) / self.scale


def degrees_chart(nu: Array, weights: Array, *, common: bool, fixed: bool) -> DegreesChart:
    """The chart around nu for components with these shares of the rows (K,)."""
    groups: list[tuple[int, ...]] = []
    if not fixed:
        # Of a component without rows nothing tells the degrees of freedom.
        free = np.flatnonzero(~at_limit(nu) & (common | (weights > 0)))
        groups = [tuple(free)] if common and len(free) else [(int(k),) for k in free]
    told = nu**2 * (0.25 * polygamma(1, nu / 2) - 0.5 / nu) * weights
    scale = np.sqrt([told[list(own)].sum() for own in groups])
    return DegreesChart(nu, tuple(groups), scale)

"""Rows of Gaussians without correlations, of whose cells only intervals may be known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.families.gaussian.records import LOG_2PI, GaussianParams, GaussianStatistics
from mixtura.families.intervals import Cells
from mixtura.families.truncated_normal import normal_within
from mixtura.records import Array


@dataclass(frozen=True)
class BetweenLook:
    """Densities and expected sums, in standard units of each component and column.

    Reference: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, section
    13.10.1, for the moments; a missing cell is the interval without ends.
    """

    cells: Cells
    params: GaussianParams

    @cached_property
    def known(self) -> list[tuple[Array, Array, Array]]:
        """By component: log p of rows (n,), expected y and y^2 of cells (n, d)."""
        g, form = self.params, self.params.form
        dense = form.dense(g.covariances, *g.means.shape)
        return [self._of(g.means[k], np.sqrt(np.diagonal(dense[k]))) for k in range(len(g.means))]

    def _of(self, mean: Array, deviation: Array) -> tuple[Array, Array, Array]:
        cells = self.cells
        y = (cells.exact - mean) / deviation
        log_p, second = -0.5 * (y**2 + LOG_2PI) - np.log(deviation), y**2
        gone, some = np.isnan(cells.x), cells.bounded
        log_p[gone], y[gone], second[gone] = 0.0, 0.0, 1.0
        ends = (cells.lower - mean, cells.upper - mean, cells.upper - cells.lower)
        told = normal_within(*((each / deviation)[some] for each in ends))
        log_p[some], y[some], second[some] = told
        return log_p.sum(axis=1), y, second

    @property
    def log_density(self) -> Array:
        """log p of exact cells and log P of the intervals of others, (n, K)."""
        return np.stack([log_p for log_p, _, _ in self.known], axis=1)

    def statistics(self, resp: Array) -> GaussianStatistics:
        """The expected sums at these responsibilities."""
        form, first, seconds = self.params.form, np.empty_like(self.params.means), []
        for k, (_, y, second) in enumerate(self.known):
            first[k] = resp[:, k] @ y
            # Forms without correlations sum squares.
            seconds.append(form.second(np.sqrt(second), resp[:, k]))
        return GaussianStatistics(resp.sum(axis=0), first, form.gather(seconds))

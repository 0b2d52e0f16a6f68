"""What is known of a table before any model: its moments, and the rows that starts are found on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mixtura.data.column_moments import ColumnMoments, column_moments, robust
from mixtura.data.moments import TableMoments, robust_covariance, source_moments
from mixtura.data.rows import Rows
from mixtura.data.source import Columns, Source


@dataclass(frozen=True)
class Survey:
    """A table, its sample, and the least number of means that will be taken from it.

    Moments are worked out when a family asks for them, and once. What counts as narrow and how far
    apart starts are must not hang on a few far rows, so both kinds of moments are robust.
    """

    source: Source
    sample: Rows
    groups: int = 1

    @cached_property
    def moments(self) -> TableMoments:
        """Mean and covariance; two passes."""
        found = replace(
            source_moments(self.source), distinct=len(self.sample.X), groups=self.groups
        )
        if found.flat or self.sample.sample_weight is None:
            return found
        X, w = self.sample.X.astype(np.float64), self.sample.sample_weight
        covariance = robust_covariance(X, w, found.mean, found.covariance)
        return replace(found, covariance=covariance)

    @cached_property
    def columns(self) -> ColumnMoments:
        """Mean and variance of each column, for families that look at no covariances."""
        return robust(column_moments(self.source), self.sample)

    def restricted(self, columns: tuple[int, ...]) -> Survey:
        """The same of some of the columns."""
        X = np.ascontiguousarray(self.sample.X[:, columns])
        sample = Rows(X, self.sample.sample_weight)
        return Survey(Columns(self.source, columns), sample, self.groups)

    @property
    def rows(self) -> int:
        """Rows with a positive weight."""
        return self.source.positive

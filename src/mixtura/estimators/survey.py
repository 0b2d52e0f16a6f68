"""What is known of a table before any mixture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mixtura.data.column_moments import ColumnMoments, Moments, column_moments, robust
from mixtura.data.moments import TableMoments, robust_covariance, source_moments
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.families.forms import Form
from mixtura.families.prior import CovariancePrior, table_prior
from mixtura.fit.search import sample_rows
from mixtura.records import Array


@dataclass(frozen=True)
class Surveyed:
    """What is known of a table before any mixture: the rows starts are found on; its moments.

    What counts as narrow and how far apart starts are must not hang on a few far rows, so moments
    are robust. They are taken when they are asked for: of many columns nobody may want covariances.
    """

    rows: Source
    sample: Rows
    priors: dict[str, CovariancePrior] = field(default_factory=dict)

    @cached_property
    def columns(self) -> ColumnMoments:
        """Mean and variance of each column."""
        return robust(column_moments(self.rows), self.sample)

    @cached_property
    def table(self) -> TableMoments:
        """Mean and covariance."""
        moments = replace(source_moments(self.rows), distinct=len(self.sample.X))
        return replace(moments, covariance=_robust(self.sample, moments))

    def moments(self, form: Form) -> Moments:
        """As much as a form of storage has a use for."""
        return self.table if form.correlates else self.columns

    def prior(self, form: Form) -> CovariancePrior:
        """The default prior in a form of storage, made once."""
        if form.name not in self.priors:
            self.priors[form.name] = table_prior(form, self.moments(form))
        return self.priors[form.name]


def surveyed(rows: Source, n_components: int, rng: np.random.RandomState) -> Surveyed:
    """`rng` draws the sample."""
    return Surveyed(rows, sample_rows(rows, n_components, rng))


def _robust(sample: Rows, moments: TableMoments) -> Array:
    """The covariance that far rows do not set."""
    if moments.flat or sample.sample_weight is None:
        return moments.covariance
    X = sample.X.astype(np.float64)
    return robust_covariance(X, sample.sample_weight, moments.mean, moments.covariance)

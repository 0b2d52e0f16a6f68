"""What every climb over one table shares; and how it is made for covariances of factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mixtura.data import door
from mixtura.data.column_moments import ColumnMoments, Moments, column_moments, robust
from mixtura.data.source import Source
from mixtura.engines.base import Sweep
from mixtura.engines.choose import open_sweep, resolve
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.prior import noise_prior
from mixtura.families.factor.records import factor_params
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.fit.search import sample_rows
from mixtura.fit.starts import StartMaker
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

# Starts of factor analysers are found on at most so many numbers: their passes are long.
SAMPLE_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Ground:
    """What every climb over one table shares: it depends on the table and on no solver.

    engine is the one that runs, moments are the whole table's, maker makes the starts.
    """

    model: Mixture
    engine: str
    moments: Moments
    maker: StartMaker

    def open_sweep(self, model: Mixture, rows: Source) -> Sweep:
        """A sweep of the engine."""
        return open_sweep(self.engine, model, rows)


def factor_ground(
    rows: Source,
    kind: FactorAnalytic,
    n_components: int,
    rng: np.random.RandomState,
    *,
    reg_covar: float | None,
    engine: str,
    given: Mapping[str, Array],
) -> Ground:
    """Model, engine and starts of factor analysers; ValueError where they do not fit the table.

    Nothing here grows with the square of the number of columns.
    """
    kind.check_columns(rows.d)
    moments = column_moments(rows)
    sample = sample_rows(rows, n_components, rng, numbers=SAMPLE_NUMBERS)
    if reg_covar is None:
        door.refuse_few_distinct(rows, n_components)
    # What counts as narrow and how far apart starts are must not hang on a few far rows.
    prior = noise_prior(robust(moments, sample), kind.isotropic, reg_covar)
    model = Mixture(FactorAnalysers(kind), prior)
    unit = np.broadcast_to(prior.scale, (rows.d,)) + prior.absolute
    unit = np.where(unit > 0, unit, 1.0)
    frame = 1.0 / np.sqrt(unit)
    base = _base(kind, n_components, moments, unit)
    maker = StartMaker(model, sample, base, (frame,), moments.mean, given)
    return Ground(model, resolve(engine, model), moments, maker)


def _base(kind: FactorAnalytic, K: int, moments: ColumnMoments, variance: Array) -> MixtureParams:
    """K components as wide as the table, all at its mean, without factors."""
    d = len(moments.mean)
    noise = variance.mean(keepdims=True) if kind.isotropic else variance
    parts = factor_params(
        np.tile(moments.mean, (K, 1)),
        np.zeros(kind.loadings_shape(K, d)),
        np.broadcast_to(noise, kind.noise_shape(K, d)).copy(),
    )
    return MixtureParams(np.full(K, 1.0 / K), parts)

"""What keeps the noise of factor analysers away from zero, relative to the table's columns.

The likelihood has no bound where all of a component's noise vanishes (it holds no more rows than
q + 1), nor where a column does not vary within a component. And where a column is one of the
factors but for rounding, a Heywood case, the likelihood rises to the very edge at which its noise
is 0. The penalty is that of `families.prior` on the noise: a sum_kj {s_j / psi_kj + log psi_kj} is
subtracted, s_j the column's variance in the table and a = 1/n, as Martin & McDonald (1975),
Psychometrika 40, and Hirose, Kawano, Konishi & Ichikawa (2011), J. Data Science 9, do against
Heywood cases. Each column is compared with its own variance, so units do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.data.column_moments import ColumnMoments
from mixtura.families.prior import HELD_SHARE, rows_per_weight
from mixtura.records import Array


@dataclass(frozen=True)
class NoisePrior:
    """All arrays are (d,), or (1,) for isotropic noise.

    strength   a, the weight of the penalty; 0 is maximum likelihood
    target     s, the variances of the table; for isotropic noise their median
    held       variance added to columns that have none
    absolute   reg_covar, added to every noise variance; 0 by default
    judged     whether narrow components are refused at maximum likelihood
    count_scale  rows per unit of weight, 1 where weights may be counts
    held_columns  columns without a variance of their own
    """

    strength: float
    target: Array
    held: Array
    absolute: float = 0.0
    judged: bool = True
    count_scale: float = 1.0
    held_columns: tuple[int, ...] = ()

    @property
    def monotone(self) -> bool:
        """Whether the M-step maximises what `log_prior` penalises: not with an absolute floor."""
        return self.absolute == 0

    @property
    def scale(self) -> Array:
        """The variances with those of the held columns: what is narrow is judged by them."""
        return self.target + self.held

    def without_penalty(self) -> NoisePrior:
        """The same, at maximum likelihood."""
        return replace(self, strength=0.0)


def no_noise_prior(columns: int) -> NoisePrior:
    """Maximum likelihood, come what may."""
    return NoisePrior(0.0, np.ones(columns), np.zeros(columns), judged=False)


def noise_prior(
    moments: ColumnMoments, isotropic: bool, reg_covar: float | None = None
) -> NoisePrior:
    """The default; with `reg_covar`, scikit-learn's constant floor instead of the penalty."""
    constant = moments.variance <= 0
    held, target = np.where(constant, HELD_SHARE, 0.0), moments.variance
    columns = tuple(int(j) for j in np.flatnonzero(constant))
    if isotropic:
        # One variance for all columns needs no help while any of them varies. Noise is less than
        # the variance of every column, so one in large units does not say how much there may be.
        held = np.array([HELD_SHARE if constant.all() else 0.0])
        target = np.array([0.0 if constant.all() else np.median(target[~constant])])
        columns = columns if constant.all() else ()
    if reg_covar is not None:
        return NoisePrior(0.0, target, np.zeros_like(held), float(reg_covar), judged=False)
    scale = rows_per_weight(moments.rows, moments.weight)
    strength = 1.0 / (moments.weight * scale) / scale
    return NoisePrior(strength, target, held, count_scale=scale, held_columns=columns)

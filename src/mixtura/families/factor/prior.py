"""What keeps the noise of factor analysers away from zero, relative to the table's columns.

The likelihood has no bound where all of a component's noise vanishes (it holds no more rows than
q + 1), nor where a column does not vary within a component. And where a column is one of the
factors but for rounding, a Heywood case, the likelihood rises to the very edge at which its noise
is 0. The penalty is that of `families.gaussian.prior` on the noise: subtracted is a sum_kj {s_j /
psi_kj + log psi_kj}, s_j the column's variance in the table and a = 1/n, as Martin & McDonald
(1975), Psychometrika 40, and Hirose, Kawano, Konishi & Ichikawa (2011), J. Data Science 9, do
against Heywood cases. Each column is compared with its own variance, so units do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.column_moments import ColumnMoments
from mixtura.errors import Collapse, Heywood, IllDefined
from mixtura.families.collapse import (
    MOST,
    NUMERIC_SPREAD,
    ONE_ROW,
    PENALTY_SHARE,
    SPURIOUS_SPREAD,
    THIN_SPREAD,
    rows_per_weight,
    spikes,
)
from mixtura.families.equations import HELD_SHARE, constants
from mixtura.families.factor.records import FactorParams, factor_params
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.priors import Prior
from mixtura.records import Array, Equation, Spike

# A column whose noise is less than this share of what the other columns leave open of it is itself
# one of the factors: a Heywood case, on the way to no noise at all. Columns that tell each other
# precisely have little noise too, but then the others leave no more open.
HEYWOOD = 0.02
# Under maximum likelihood the way there may be slow: where a climb that has not converged leaves a
# column less than this, it is taken to be on it.
SLOWLY = 0.2
# The noise that all components get, as a share of the table's variances, when all are narrow.
ORDINARY_SHARE = 0.01


@dataclass(frozen=True)
class NoisePrior(Prior):
    """All arrays are (d,), or (1,) for isotropic noise.

    kind       the factors
    strength   a, the weight of the penalty; 0 is maximum likelihood
    target     s, the variances of the table; for isotropic noise their median
    held       variance added to columns that have none
    absolute   reg_covar, added to every noise variance; 0 by default
    judged     whether narrow components are refused at maximum likelihood
    count_scale  rows per unit of weight, 1 where weights may be counts
    equations  the constant columns of the table
    """

    kind: FactorAnalytic
    strength: float
    target: Array
    held: Array
    absolute: float = 0.0
    judged: bool = True
    count_scale: float = 1.0
    equations: tuple[Equation, ...] = ()

    @property
    def held_columns(self) -> tuple[int, ...]:  # type: ignore[override]
        """Columns without a variance of their own."""
        return tuple(each.columns[0] for each in self.equations)

    @property
    def monotone(self) -> bool:
        """Whether the M-step maximises what `log_prior` penalises: not with an absolute floor."""
        return self.absolute == 0

    @property
    def penalised(self) -> bool:
        return self.strength > 0

    @property
    def scale(self) -> Array:
        """The variances with those of the held columns: what is narrow is judged by them."""
        return self.target + self.held

    def without_penalty(self) -> NoisePrior:
        return replace(self, strength=0.0)

    def obstacle(self) -> str:
        if self.absolute:
            return "with a reg_covar above 0 EM does not maximise the likelihood"
        if np.any(self.held):
            return "a column has no variance of its own, which only EM's steps can hold"
        return ""

    def log_prior(self, params: FactorParams) -> float:
        if self.strength == 0:
            return 0.0
        penalty = self.target / params.noise + np.log(params.noise)
        return float(-self.strength * self._times(params) * penalty.sum())

    def score(self, params: FactorParams) -> dict[str, Array]:
        if self.strength == 0:
            return {}
        slope = (self.target / params.noise - 1.0) / params.noise
        return {"noise": self._times(params) * self.strength * slope}

    def _times(self, params: FactorParams) -> int:
        """Columns that one number of the noise stands for."""
        return int(params.means.shape[1]) if self.kind.isotropic else 1

    def refuse_collapse(self, params: FactorParams, counts: Array) -> None:
        """At maximum likelihood, stop before the noise of a component vanishes."""
        if self.strength > 0 or self.absolute > 0:
            return
        spread = self.spread(params)
        if not self.judged:
            if spread.min() < NUMERIC_SPREAD:
                raise IllDefined(int(spread.argmin()))
            return
        rows = self._rows(counts)
        bad = self._too_narrow(params, spread, rows * self.count_scale)
        if bad.any():
            k = int(np.argmax(bad))
            point = self._spiky(spread, rows * self.count_scale)[k]
            raise (Collapse if point else Heywood)(k, float(rows[k]), float(spread[k]))

    def spread(self, params: FactorParams) -> Array:
        """The smallest noise variance of each component, as a share of the table's; (K,)."""
        # Only with a constant floor may a column be without any variance to compare with.
        some = self.scale > 0
        scale = self.scale if some.all() else np.where(some, self.scale, 1.0)
        shares = np.where(some | (not some.any()), params.noise / scale, np.inf)
        smallest = shares.min(axis=1)
        return np.broadcast_to(smallest, (len(params.means),)).copy()

    def upheld(self, params: FactorParams, counts: Array) -> NDArray[np.bool_]:
        more, rows = 2 * self.strength, self._rows(counts)[:, None]
        added = self.absolute + more / np.maximum(rows + more, 1e-300) * self.target
        mostly = (added > MOST * params.noise) & self._varies
        return np.asarray(mostly.any(axis=1))

    def fallen(self, params: FactorParams, counts: Array) -> NDArray[np.bool_]:
        """Those with nothing but the floor in more columns than factors reach: there a direction
        has no width else. In fewer it is a Heywood case, whose likelihood has a bound."""
        own = params.noise - self.absolute
        low = (own < THIN_SPREAD * self.target) & (own < self.absolute) & self._varies
        columns = params.means.shape[1] if self.kind.isotropic else 1
        none = columns * low.sum(axis=1) > self.kind.n_factors
        return np.asarray(none & (counts >= 0.5))

    @property
    def _varies(self) -> NDArray[np.bool_]:
        """The columns in which the table does; elsewhere all components have the floor alone."""
        return np.asarray(self.target > 0)

    def narrow(self, params: FactorParams, counts: Array, stats: Any = None) -> list[Spike]:
        a, rows = self.strength, self._rows(counts)
        spread = self.spread(params)
        if self.absolute > 0:
            smallest = np.broadcast_to(params.noise.min(axis=1), counts.shape)
            bad = (self.absolute > PENALTY_SHARE * smallest) & (counts >= ONE_ROW)
            return spikes(bad, counts, spread)
        bad = self._too_narrow(params, spread, rows * self.count_scale)
        if a > 0:
            share = 2 * a / ((rows + 2 * a) * spread)
            bad = bad | (share > PENALTY_SHARE) & (rows * self.count_scale >= ONE_ROW)
        return spikes(bad, counts, spread)

    def _rows(self, counts: Array) -> Array:
        """The rows behind the noise of each component."""
        return np.full(len(counts), counts.sum()) if self.kind.common_noise else counts

    @property
    def _few(self) -> int:
        """Rows that factors can follow one by one."""
        return max(2 * (self.kind.n_factors + 2), 5)

    def _too_narrow(self, params: FactorParams, spread: Array, rows: Array) -> NDArray[np.bool_]:
        bad = self._spiky(spread, rows)
        if not self.kind.isotropic:
            bad = bad | (params.uniqueness < HEYWOOD).any(axis=1)
        return np.asarray(bad)

    def _spiky(self, spread: Array, rows: Array) -> NDArray[np.bool_]:
        few = rows < self._few
        return np.asarray((spread < NUMERIC_SPREAD) | ((spread < SPURIOUS_SPREAD) & few))

    def vanishing(
        self, params: FactorParams, counts: Array, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        if self.kind.isotropic:
            return {}
        small = params.uniqueness < (SLOWLY if slowly else HEYWOOD)
        small &= (self._rows(counts) >= self._few)[:, None]
        return {
            int(k): tuple(np.flatnonzero(small[k]).tolist())
            for k in np.flatnonzero(small.any(axis=1))
        }

    def sobered(self, params: FactorParams, counts: Array, narrow: list[int]) -> FactorParams:
        if self.kind.common_noise:
            return params
        lenders = np.setdiff1d(np.flatnonzero(counts > 0), narrow)
        noise = params.noise.copy()
        if len(lenders):
            noise[narrow] = np.average(noise[lenders], axis=0, weights=counts[lenders])
        else:
            noise = noise + ORDINARY_SHARE * self.scale
        return factor_params(params.means, params.loadings, noise)


def no_noise_prior(kind: FactorAnalytic, columns: int) -> NoisePrior:
    """Maximum likelihood, come what may; `columns` of noise are 1 where it is isotropic."""
    return NoisePrior(kind, 0.0, np.ones(columns), np.zeros(columns), judged=False)


def noise_prior(
    kind: FactorAnalytic, moments: ColumnMoments, reg_covar: float | None = None
) -> NoisePrior:
    """The default; with `reg_covar`, scikit-learn's constant floor instead of the penalty."""
    constant = moments.variance <= 0
    held, target = np.where(constant, HELD_SHARE, 0.0), moments.variance
    if kind.isotropic:
        # One variance for all columns needs no help while any of them varies. Noise is less than
        # the variance of every column, so one in large units does not say how much there may be.
        held = np.array([HELD_SHARE if constant.all() else 0.0])
        target = np.array([0.0 if constant.all() else np.median(target[~constant])])
        constant = np.full_like(constant, constant.all())
    equations = constants(constant, moments.mean)
    if reg_covar is not None:
        held = np.zeros_like(held)
        return NoisePrior(
            kind, 0.0, target, held, float(reg_covar), judged=False, equations=equations
        )
    scale = rows_per_weight(moments.rows, moments.weight)
    strength = 1.0 / (moments.weight * scale) / scale
    return NoisePrior(kind, strength, target, held, count_scale=scale, equations=equations)

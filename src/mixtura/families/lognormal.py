"""The log-normal family: columns of positive numbers, independent within a component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from mixtura.families.by_column import by_column
from mixtura.families.frames import standardised
from mixtura.families.gaps import observed
from mixtura.families.normal import Normal, NormalPrior
from mixtura.families.portrait import Portrait, separation
from mixtura.families.truncated_gamma import log_width
from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import Positive, Real


@dataclass(frozen=True)
class LogNormalParams(Params):
    log_means: Annotated[Array, Real()]
    log_variances: Annotated[Array, Positive()]


@dataclass(frozen=True)
class LogNormalPrior(NormalPrior):
    """The same of logarithms."""

    # Moments are about the means: only the rounding of the logarithms themselves is left, squared.
    rounding: ClassVar[float] = 1e-26


@dataclass(frozen=True)
class LogNormal(Normal):
    """log p(x | k) = sum_j -log x_j - 1/2 [log 2 pi v_kj + (log x_j - m_kj)^2 / v_kj]

    log_means      (K, d)  m_kj, real; exp(m) is the median
    log_variances  (K, d)  v_kj, positive
    statistics     counts, moments of log x about m, rows in which a cell is there
    M-step         m = sum r log x / sum r;  v = sum r (log x - m)^2 / sum r
    A Gaussian of the logarithms with a diagonal covariance. Where all rows of a component are
    equal in a column the likelihood has no bound: see LogNormalPrior.
    Reference: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, ch. 14.
    """

    record = LogNormalParams
    prior = LogNormalPrior
    least = 0.0

    def numbers(self, X: AnyArray) -> tuple[Array, Array]:
        return observed(np.log(np.asarray(X, dtype=np.float64)))

    def log_density(self, X: AnyArray, params: LogNormalParams) -> Array:
        logs, _ = self.numbers(X)
        return np.asarray(super().log_density(X, params) - logs.sum(axis=1, keepdims=True))

    def within(
        self, lower: Array, upper: Array, means: Array, variances: Array
    ) -> tuple[Array, dict[str, Array]]:
        with np.errstate(divide="ignore"):
            ends = np.log(lower), np.log(upper), log_width(lower, upper)
            return self._between(*ends, means, variances)

    def means(self, params: LogNormalParams) -> Array:
        return np.exp(params.log_means + params.log_variances / 2)

    def variances(self, params: LogNormalParams) -> Array:
        return np.expm1(params.log_variances) * self.means(params) ** 2

    def portrait(self, params: LogNormalParams, weights: Array, names: Sequence[str]) -> Portrait:
        # Of the logarithms, which tell as much: a long tail does not pass for a difference.
        tells = separation(weights, params.log_means, params.log_variances)
        return replace(by_column(self, params, weights, names), tells=tells)

    def log_sides(self, X: AnyArray, params: LogNormalParams) -> tuple[Array, Array]:
        return super().log_sides(np.log(X), params)

    def sample(self, labels: AnyArray, params: LogNormalParams, rng: RandomNumbers) -> Array:
        return np.asarray(np.exp(super().sample(labels, params, rng)))

    def frame(self, X: AnyArray) -> Array:
        """Logarithms, standardised."""
        return standardised(np.log(X))

"""The normal family: columns of numbers, independent within a component; cells may be missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from scipy.special import log_ndtr

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.dispersion import DispersionPrior, pooled
from mixtura.families.gaps import cells, observed, shares, totals
from mixtura.families.limits import Limits
from mixtura.families.priors import Prior
from mixtura.families.truncated_normal import normal_within
from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics
from mixtura.supports import TINY, Positive, Real

# Deviations below this share of the mean are rounding.
FLAT = 4.0 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class NormalParams(Params):
    means: Annotated[Array, Real()]
    variances: Annotated[Array, Positive()]


@dataclass(frozen=True)
class NormalStatistics(Statistics):
    """Moments of x about the components' current means (about 0 where there are none).

    counts (K,); first and second moment and rows in which a cell is there, each (K, d).
    """

    counts: Array
    first: Array
    second: Array
    cells: Array


@dataclass(frozen=True)
class NormalPrior(DispersionPrior):
    """Rows added with the table's variances: that of `families.gaussian.prior`."""

    # Moments are about the means: there is no number near 1 whose rounding is left.
    rounding: ClassVar[float] = 0.0

    def dispersion(self, params: Params) -> Array:
        return _parts(params)[1]

    def dispersed(self, params: Params, dispersion: Array) -> Params:
        return type(params)(_parts(params)[0], dispersion)  # type: ignore[call-arg]

    def row(self, params: Params) -> Array:
        v = _parts(params)[1]
        return np.asarray(-0.5 * (np.log(v) + self.target / v))

    def row_score(self, params: Params) -> dict[str, Array]:
        v, (_, name) = _parts(params)[1], params.arrays()
        return {name: 0.5 * (self.target / v - 1.0) / v}


@dataclass(frozen=True)
class Normal(Family):
    """log p(x | k) = sum_j -1/2 [log 2 pi v_kj + (x_j - m_kj)^2 / v_kj]

    means       (K, d)  m_kj, real
    variances   (K, d)  v_kj, positive
    statistics  counts, moments of x about m, rows in which a cell is there
    M-step      m = sum r x / sum r;  v = sum r (x - m)^2 / sum r
    The Gaussian with a diagonal covariance, but for the cells that may be missing. Where all rows
    of a component are equal in a column the likelihood has no bound: see `families.dispersion`.
    Reference: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1, ch. 13.
    """

    record: ClassVar[Any] = NormalParams
    prior: ClassVar[type[NormalPrior]] = NormalPrior
    allows_gaps = True

    def numbers(self, X: AnyArray) -> tuple[Array, Array]:
        """The normal numbers of which cells are made, and which are there, as `gaps.observed`."""
        return observed(X)

    def settled(self, survey: Survey, K: int) -> Settled:
        found = Family.settled(self, survey, K)
        # Once more about the means found, where no digits are lost.
        sample = survey.sample
        weights = np.ones(sample.n) if sample.sample_weight is None else sample.sample_weight
        resp = np.repeat(weights[:, None] / K, K, axis=1)
        stats = self.statistics(sample.X, resp, found.base)
        base = self.maximize(stats, found.base, found.prior)
        means, variances = (part[0] for part in _parts(base))
        # Of a column with one value there is but the rounding of its mean.
        flat = variances <= (FLAT * np.abs(means)) ** 2 + TINY
        prior = self.prior.of(survey, np.where(flat, 0.0, variances), self.name)
        return replace(found, base=base, prior=prior)

    def log_density(self, X: AnyArray, params: Any) -> Array:
        x, seen = self.numbers(X)
        x = np.asfortranarray(x)  # Few columns are quicker one after another.
        means, variances = _parts(params)
        out = np.empty((len(X), len(means)))
        for k, (m, v) in enumerate(zip(means, variances, strict=True)):
            y = x - m
            y /= np.sqrt(v)
            if len(seen) == len(x):
                y *= seen
            out[:, k] = np.einsum("ij,ij->i", y, y)
        return -0.5 * (out + seen @ np.log(2 * np.pi * variances).T)

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> NormalStatistics:
        x, seen = self.numbers(X)
        x = np.asfortranarray(x)
        first, second = np.empty((2, resp.shape[1], x.shape[1]))
        for k in range(resp.shape[1]):
            y = x if params is None else x - _parts(params)[0][k]
            if len(seen) == len(x):
                y = y * seen
            first[k], second[k] = resp[:, k] @ y, resp[:, k] @ (y * y)
        return NormalStatistics(totals(resp), first, second, cells(resp, seen))

    def maximize(self, stats: NormalStatistics, params: Any, prior: Prior) -> Any:
        zero = np.zeros_like(stats.first)
        means, variances = (zero, zero + 1.0) if params is None else _parts(params)
        shift = shares(stats.first, stats.cells, zero)
        squares = np.maximum(stats.second - stats.first * shift, 0.0)
        found = np.maximum(pooled(prior, squares, stats.cells, variances), TINY)
        new = self.record(means + shift, found)
        prior.refuse_collapse(new, stats.counts)
        return new

    def within_limits(
        self, stats: NormalStatistics, params: Any, prior: Prior, limits: Limits
    ) -> Any:
        """The M-step within bounds and ties.

        Whatever the variances are a mean has one peak, and about given means a variance has one.
        Means that are tied have theirs at the variances of before (a conditional step: Meng & Rubin
        1993, Biometrika 80), which is exact where these are tied too.
        """
        centre, spread = self.supports()
        zero = np.zeros_like(stats.first)
        means, variances = (zero, zero + 1.0) if params is None else _parts(params)
        # Means that are tied are one already, so that sums about them add.
        parts = stats.first / variances, stats.cells / variances
        pulled, told = (limits.summed(centre, part) for part in parts)
        new = limits.cut(centre, means + shares(pulled, told, zero))
        shift = new - means
        squares = stats.second - 2.0 * shift * stats.first + shift**2 * stats.cells
        size = limits.summed(spread, np.ones_like(squares))
        sums = np.maximum(squares, 0.0), stats.cells
        squares, rows = (limits.summed(spread, part) / size for part in sums)
        found = limits.cut(spread, np.maximum(pooled(prior, squares, rows, variances), TINY))
        inside = self.record(new, found)
        prior.refuse_collapse(inside, stats.counts)
        return inside

    def within(
        self, lower: Array, upper: Array, means: Array, variances: Array
    ) -> tuple[Array, dict[str, Array]]:
        return self._between(lower, upper, upper - lower, means, variances)

    def _between(
        self, lower: Array, upper: Array, width: Array, means: Array, variances: Array
    ) -> tuple[Array, dict[str, Array]]:
        deviations = np.sqrt(variances)
        ends = lower - means, upper - means, width
        log_p, one, two = normal_within(*(each / deviations for each in ends))
        return log_p, {"first": deviations * one, "second": variances * two}

    def score(self, stats: NormalStatistics, params: Any) -> dict[str, Array]:
        v = _parts(params)[1]
        slope = 0.5 * (stats.second / v - stats.cells) / v
        return dict(zip(self.supports(), (stats.first / v, slope), strict=True))

    def information(self, params: Any, shares: Array) -> dict[str, Array]:
        v, part = _parts(params)[1], shares[:, None]
        told = part / v, part * np.full_like(v, 0.5)
        return dict(zip(self.supports(), told, strict=True))

    def transported(self, stats: NormalStatistics, before: Any, after: Any) -> NormalStatistics:
        shift = _parts(before)[0] - _parts(after)[0]
        first = stats.first + shift * stats.cells
        second = stats.second + shift * (stats.first + first)
        return replace(stats, first=first, second=second)

    def means(self, params: Any) -> Array:
        return _parts(params)[0]

    def variances(self, params: Any) -> Array:
        return _parts(params)[1]

    def log_sides(self, X: AnyArray, params: Any) -> tuple[Array, Array]:
        means, variances = _parts(params)
        z = (X - means[:, 0]) / np.sqrt(variances[:, 0])
        return log_ndtr(z), log_ndtr(-z)

    def sample(self, labels: AnyArray, params: Any, rng: RandomNumbers) -> Array:
        means, variances = _parts(params)
        deviations = np.sqrt(variances)[labels]
        return means[labels] + deviations * rng.standard_normal(deviations.shape)


def _parts(params: Params) -> tuple[Array, Array]:
    """Means and variances, whatever they are called."""
    means, variances = params.arrays().values()
    return means, variances

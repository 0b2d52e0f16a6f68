"""Laws of how long a state is stayed in, told by how likely a stay ends that has lasted so long.

From the longest length on, D, a stay ends with the same probability at each step: a geometric tail,
so that longer stays are possible, and no sequence is too long. Told by such hazards, laws of stays
that were cut off at the end of a sequence need no other sums than those that were seen to end.

Langrock & Zucchini (2011), Computational Statistics & Data Analysis 55, for the tail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize
from scipy.special import betainc, gammainc, gammaln, logit, xlog1py, xlogy

from mixtura.records import AnyArray, Array
from mixtura.supports import Positive, Support, UnitInterval

# Survival below which the ratio to it has no digits.
_FAINT = 1e-280
# Where numbers of the laws may be: a mean beyond the first step, a size.
_LEAST, _MOST = 1e-8, 1e8
# Of their climb: how many steps, how far each logarithm may go, and what stands for 1.
_STEPS, _REACH, _SURE = 5, 3.0, 1.0 - 1e-15
# A mean over a size below this is none.
_POISSON = 0.01
# Of differences of logarithms; what a stay tells of each at least, where it is a unit.
_STEP, _LITTLE = 1e-5, 1e-3


class StayLaw(ABC):
    """K laws on 1, 2, ... steps; parameters are (K, p)."""

    support: ClassVar[Support] = Positive()

    @abstractmethod
    def width(self, D: int) -> int:
        """p, the numbers of each state."""

    @abstractmethod
    def leave(self, stays: Array, D: int) -> Array:
        """P(a stay ends | it has lasted u steps), u = 1..D, (K, D)."""

    @abstractmethod
    def begun(self, means: Array, D: int) -> Array:
        """Parameters of these mean lengths (K,), where a climb begins."""

    @abstractmethod
    def maximised(self, ended: Array, stayed: Array, before: Array) -> Array:
        """Those that maximise sum ended log leave + stayed log(1 - leave), (K, D) each.

        A state that expects none keeps those of `before`; no state ends lower than there.
        """

    @abstractmethod
    def slope(self, ended: Array, stayed: Array, stays: Array) -> Array:
        """The gradient of what `maximised` climbs, in the numbers (K, p)."""

    def still(self, stays: Array) -> AnyArray:
        """Which numbers are where the law ends, and have no free one, (K, p)."""
        return np.zeros(stays.shape, dtype=bool)

    def information(self, stays: Array, D: int) -> Array:
        """What one stay tells of each free number, (K, p); of a probability in draws."""
        reached = lengths_of(self.leave(stays, D))
        return np.asarray(np.cumsum(reached[:, ::-1], axis=1)[:, ::-1])


class Geometric(StayLaw):
    """A stay ends with one probability: what a plain hidden Markov model has."""

    support = UnitInterval()

    def width(self, D: int) -> int:
        return 1

    def leave(self, stays: Array, D: int) -> Array:
        return np.repeat(stays, D, axis=1)

    def begun(self, means: Array, D: int) -> Array:
        return np.asarray(1.0 / means[:, None])

    def maximised(self, ended: Array, stayed: Array, before: Array) -> Array:
        out, on = (each.sum(axis=1, keepdims=True) for each in (ended, stayed))
        found: Array = np.divide(out, out + on, out=before.copy(), where=out + on > 0)
        return found

    def slope(self, ended: Array, stayed: Array, stays: Array) -> Array:
        whole = _odds_slope(ended, stayed, self.leave(stays, ended.shape[1]))
        return np.asarray(whole.sum(axis=1, keepdims=True))

    def information(self, stays: Array, D: int) -> Array:
        return np.asarray(1.0 / np.maximum(stays, 1.0 / _MOST))


class Free(StayLaw):
    """One probability for each length: hazards, (K, D)."""

    support = UnitInterval()

    def width(self, D: int) -> int:
        return D

    def leave(self, stays: Array, D: int) -> Array:
        return stays

    def begun(self, means: Array, D: int) -> Array:
        return np.repeat(1.0 / means[:, None], D, axis=1)

    def maximised(self, ended: Array, stayed: Array, before: Array) -> Array:
        # Kaplan & Meier (1958), J. American Statistical Association 53.
        return np.divide(ended, ended + stayed, out=before.copy(), where=ended + stayed > 0)

    def slope(self, ended: Array, stayed: Array, stays: Array) -> Array:
        return _odds_slope(ended, stayed, stays)


class _Numeric(StayLaw):
    """Laws whose numbers are climbed to, on their logarithms."""

    def _beside(self, stays: Array, D: int) -> list[tuple[Array, Array]]:
        """(P(end), slopes of its log-odds in the logarithm) for each number, by differences."""
        found = []
        for i in range(stays.shape[1]):
            ends = []
            for sign in (1.0, -1.0):
                moved = stays.copy()
                moved[:, i] *= np.exp(sign * _STEP)
                ends.append(logit(np.clip(self.leave(moved, D), _FAINT, _SURE)))
            found.append((self.leave(stays, D), (ends[0] - ends[1]) / (2.0 * _STEP)))
        return found

    def slope(self, ended: Array, stayed: Array, stays: Array) -> Array:
        each = self._beside(stays, ended.shape[1])
        along = [((1.0 - h) * ended - h * stayed) * odds for h, odds in each]
        return np.stack([part.sum(axis=1) for part in along], axis=1) / stays

    def information(self, stays: Array, D: int) -> Array:
        reached = super().information(stays, D)
        each = self._beside(stays, D)
        told = [(reached * h * (1.0 - h) * odds**2).sum(axis=1) for h, odds in each]
        # Where a size is so large that it tells nothing, rounding must not look like curvature.
        return np.asarray(np.maximum(np.stack(told, axis=1), _LITTLE))

    def maximised(self, ended: Array, stayed: Array, before: Array) -> Array:
        found = before.copy()
        for k, (out, on) in enumerate(zip(ended, stayed, strict=True)):
            if not out.sum() + on.sum() > 0:
                continue

            def below(logs: Array, out: Array = out, on: Array = on) -> float:
                leave = np.clip(self.leave(np.exp(logs)[None], len(out))[0], _FAINT, _SURE)
                return -float(xlogy(out, leave).sum() + xlog1py(on, -leave).sum())

            start = np.log(np.clip(before[k], _LEAST, _MOST))
            low, high = np.log(_LEAST), np.log(_MOST)
            ends = [(max(x - _REACH, low), min(x + _REACH, high)) for x in start]
            # Each step of EM takes it further.
            how = {"maxiter": _STEPS}
            climbed = minimize(below, start, method="L-BFGS-B", bounds=ends, options=how)
            if climbed.fun < below(np.log(before[k])):
                found[k] = np.exp(climbed.x)
        return found


class Poisson(_Numeric):
    """Steps after the first are Poisson; (K, 1) their rates."""

    def width(self, D: int) -> int:
        return 1

    def leave(self, stays: Array, D: int) -> Array:
        n = np.arange(D, dtype=np.float64)
        log_pmf = xlogy(n, stays) - stays - gammaln(n + 1.0)
        return _hazard(log_pmf, gammainc(D, stays), stays / (n + 1.0))

    def begun(self, means: Array, D: int) -> Array:
        return np.asarray(np.maximum(means[:, None] - 1.0, 0.1))


class NegativeBinomial(_Numeric):
    """Steps after the first are negative binomial; (K, 2) their means and sizes.

    The variance of a mean m and size r is m + m^2 / r; size 1 is geometric.
    """

    def width(self, D: int) -> int:
        return 2

    def leave(self, stays: Array, D: int) -> Array:
        n = np.arange(D, dtype=np.float64)
        mean, size = stays[:, :1], np.minimum(stays[:, 1:], _MOST)
        on = mean / (mean + size)
        # Sums of what neighbours are worth to each other keep their digits at any size.
        with np.errstate(divide="ignore"):
            each = np.log((size + n[:-1]) / (n[:-1] + 1.0) * on)
        first = -size * np.log1p(mean / size)
        log_pmf = first + np.concatenate([np.zeros_like(first), np.cumsum(each, axis=1)], axis=1)
        return _hazard(log_pmf, betainc(D, size, on), (n + size) / (n + 1.0) * on)

    def still(self, stays: Array) -> AnyArray:
        # A variance so near the mean is a Poisson law's, whose size is infinite.
        large = stays[:, :1] < _POISSON * stays[:, 1:]
        return np.hstack([np.zeros_like(large), large])

    def begun(self, means: Array, D: int) -> Array:
        return np.stack([np.maximum(means - 1.0, 0.1), np.full(len(means), 1.0)], axis=1)


LAWS: dict[str, StayLaw] = {
    "geometric": Geometric(),
    "poisson": Poisson(),
    "negativebinomial": NegativeBinomial(),
    "free": Free(),
}


def _odds_slope(ended: Array, stayed: Array, leave: Array) -> Array:
    """The gradient of sum ended log leave + stayed log(1 - leave), 0 where leave is 0 or 1."""
    inside = (leave > 0) & (leave < 1)
    safe = np.where(inside, leave, 0.5)
    return np.asarray(np.where(inside, ended / safe - stayed / (1.0 - safe), 0.0))


def _hazard(log_pmf: Array, beyond: Array, ratio: Array) -> Array:
    """P(n) / P(n or more) for n < D, of P(D or more); where that is 0 / 0, 1 - P(n + 1) / P(n)."""
    pmf = np.exp(log_pmf)
    survival = np.cumsum(pmf[:, ::-1], axis=1)[:, ::-1] + beyond
    faint = survival < _FAINT
    near = pmf / np.where(faint, 1.0, survival)
    return np.clip(np.where(faint, 1.0 - ratio, near), 0.0, 1.0)


def lengths_of(leave: Array) -> Array:
    """P(a stay lasts u steps) for u < D, and in the last column D or more, (K, D)."""
    on = np.cumprod(1.0 - leave[:, :-1], axis=1)
    reached = np.concatenate([np.ones((len(leave), 1)), on], axis=1)
    found = reached * leave
    found[:, -1] = reached[:, -1]
    return found


def mean_lengths(leave: Array) -> Array:
    """Expected steps of a stay, (K,); infinite where one that lasted D steps never ends."""
    lengths = lengths_of(leave)
    steps = np.arange(1, lengths.shape[1] + 1)
    # 0 times infinity, where no stay is so long, is left out below.
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = lengths[:, -1] * (1.0 / leave[:, -1] - 1.0)
    return np.asarray(lengths @ steps + np.where(lengths[:, -1] > 0, tail, 0.0))

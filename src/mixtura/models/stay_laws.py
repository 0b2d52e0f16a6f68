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
from scipy.special import betainc, gammainc, gammaln, xlog1py, xlogy

from mixtura.records import Array
from mixtura.supports import Positive, Support, UnitInterval

# Survival below which the ratio to it has no digits.
_FAINT = 1e-280
# Where numbers of the laws may be: a mean beyond the first step, a size.
_LEAST, _MOST = 1e-8, 1e8
# Of their climb: how many steps, how far each logarithm may go, and what stands for 1.
_STEPS, _REACH, _SURE = 5, 3.0, 1.0 - 1e-15


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


class _Numeric(StayLaw):
    """Laws whose numbers are climbed to, on their logarithms."""

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
        mean, size = stays[:, :1], stays[:, 1:]
        on = mean / (mean + size)
        choose = gammaln(n + size) - gammaln(size) - gammaln(n + 1.0)
        log_pmf = choose - size * np.log1p(mean / size) + xlogy(n, on)
        return _hazard(log_pmf, betainc(D, size, on), (n + size) / (n + 1.0) * on)

    def begun(self, means: Array, D: int) -> Array:
        return np.stack([np.maximum(means - 1.0, 0.1), np.full(len(means), 1.0)], axis=1)


LAWS: dict[str, StayLaw] = {
    "geometric": Geometric(),
    "poisson": Poisson(),
    "negativebinomial": NegativeBinomial(),
    "free": Free(),
}


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
    with np.errstate(divide="ignore"):
        tail = lengths[:, -1] * (1.0 / leave[:, -1] - 1.0)
    return np.asarray(lengths @ steps + np.where(lengths[:, -1] > 0, tail, 0.0))

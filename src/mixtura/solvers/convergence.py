"""When has a climb reached its top? Judged by what is left to gain, not by the last step.

A slow climb takes small steps far from the top, so a small step means nothing. Near an optimum
the gains of EM shrink geometrically; Aitken's extrapolation of the last ratio estimates all the
gain that is still to come (Boehning et al. 1994, The distribution of the likelihood ratio for
mixtures of densities from the one-parameter exponential family, Ann. Inst. Statist. Math. 46).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from mixtura.errors import FitError, LikelihoodFell

# Rounding of a mean log-likelihood, relative: sums of many terms with errors of a few units.
ROUNDING = 1e-13
# A gap judged by the gradient, whose square it is, is known far below a log-likelihood's rounding.
FINER = 0.01
# Steps as large as the last one that the ratio of the gains may still take.
STILL = 3.0
# A fall by more than this, relative, is no rounding.
FALL = 1e-7
# From so many values on NumPy is quicker at looking through them.
_MANY = 24


def _none() -> float:
    return 0.0


class Ascent:
    """The objective after each EM step, and what it says about the top.

    Values are totals over `weight` rows; gaps are per row, as `tol` is. `cure` says what to do
    where one is no number.
    """

    def __init__(
        self, weight: float, monotone: bool, history: Iterable[float] = (), cure: str = ""
    ) -> None:
        self.weight, self.monotone, self.cure = weight, monotone, cure
        self.values: list[float] = list(history)

    def add(self, value: float, rounding: Callable[[], float] = _none) -> None:
        """Record the next value; raises LikelihoodFell on a fall beyond rounding.

        `rounding` is asked only then: what more than a sum's, in all, the step's arithmetic has.
        """
        if not math.isfinite(value):
            raise FitError(f"the log-likelihood became {value}{self.cure and f': {self.cure}'}")
        if self.values and self.monotone:
            before = self.values[-1]
            fell = before - value - FALL * (self.weight + abs(before))
            if fell > 0 and fell > rounding():
                raise LikelihoodFell(before, value)
        self.values.append(value)

    def extend(self, values: list[float], rounding: Callable[[], float] = _none) -> None:
        """Record several: all at once where they are many and nothing is wrong with them."""
        if len(values) < _MANY:
            for value in values:
                self.add(value, rounding)
            return
        path = np.array([*self.values[-1:], *values])
        drop = path[:-1] - path[1:]
        if np.isfinite(path).all() and (drop <= FALL * (self.weight + np.abs(path[:-1]))).all():
            self.values += values
            return
        for value in values:
            self.add(value, rounding)

    @property
    def rounding(self) -> float:
        """The size of a mean log-likelihood's rounding error."""
        return ROUNDING * (1.0 + abs(self.values[-1]) / self.weight)

    def within(self, gap: float, tol: float) -> bool:
        """Whether a gap judged by the gradient is at most `tol`; never for `tol=0`."""
        return tol > 0 and gap <= max(tol, FINER * self.rounding)

    @property
    def gain(self) -> float:
        """The last step's gain per row; infinite before the first step."""
        if len(self.values) < 2:
            return math.inf
        return (self.values[-1] - self.values[-2]) / self.weight

    @property
    def gap(self) -> float:
        """Estimated gain per row still to come, at least rounding; infinite while it is unknown.

        The ratio still grows while slower directions take over, by steps that shrink: to the
        larger of the last two is added what they differ by, STILL times.
        """
        if abs(self.gain) <= self.rounding:
            return self.rounding
        tail = self.values[-4:]
        gains = [after - before for before, after in pairwise(tail)]
        if len(gains) < 3:
            return math.inf
        if min(gains) <= 0:
            return math.inf if self.monotone else abs(self.gain)
        ratios = [after / before for before, after in pairwise(gains)]
        ratio = max(ratios) + STILL * (max(ratios) - min(ratios))
        return math.inf if ratio >= 1 else self.gain * ratio / (1 - ratio)

"""How many resamples a Monte Carlo test needs: until its decision is hardly ever another one.

Gandy (2009), Sequential implementation of Monte Carlo tests with uniformly bounded resampling risk,
J. American Statistical Association 104: count how often a resample reaches what was observed, and
stop when the count leaves a corridor around level x resamples. The corridor is as narrow as can be
while a walk whose true p-value is exactly the level leaves it, on either side and by n resamples,
with probability at most risk x n / (n + 1000). So with any p-value the decision is the one that
endless resampling would give but for a probability of at most `risk`: the resampling risk.

The confidence interval is Clopper & Pearson's (1934) with the tails that belong to the rule: the
possible ends of the walk are ordered by what they say of the p-value (Armitage 1958, J. Royal
Statistical Society B 20), and their probabilities are exact. Where the number of resamples is
fixed, the count is binomial and the interval the usual one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from mixtura.records import AnyArray, Array

# Half of the risk may be spent by so many resamples: Gandy's choice.
HALFWAY = 1000


@dataclass(frozen=True)
class Ends:
    """Ways in which a walk can end: after n resamples with count s; their probability where the
    p-value is the level."""

    n: Array
    s: Array
    probability: Array

    def at(self, p: float, level: float) -> float:
        """How probable they are together where the p-value is p."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.probability)
        logs = logs + _times(self.s, p, level) + _times(self.n - self.s, 1 - p, 1 - level)
        return float(np.exp(logs).sum())

    def where(self, keep: AnyArray) -> Ends:
        """Some of them."""
        return Ends(self.n[keep], self.s[keep], self.probability[keep])


def _times(count: Array, new: float, old: float) -> Array:
    """count x log(new / old), 0 where the count is."""
    if new <= 0:
        return np.where(count > 0, -np.inf, 0.0)
    return np.asarray(count * np.log(new / old))


@dataclass(frozen=True)
class Corridor:
    """The corridor up to n resamples: a walk goes on while low[i] < count < high[i] at step i + 1.

    below, above   ends by leaving it on either side; inside: the counts of walks still in it
    """

    level: float
    low: Array
    high: Array
    below: Ends
    above: Ends
    inside: Ends

    def side(self, resamples: int, count: int) -> int:
        """-1 or 1 where the walk has left the corridor below or above, 0 where it goes on."""
        if count <= self.low[resamples - 1]:
            return -1
        return int(count >= self.high[resamples - 1])


@lru_cache(maxsize=16)
def corridor(level: float, risk: float, most: int) -> Corridor:
    """Gandy's corridor for up to `most` resamples; for risk 0 one that is never left."""
    alive = np.ones(1)
    low, high = np.full(most, -1), np.full(most, most + 1)
    left: dict[bool, list[tuple[int, int, float]]] = {False: [], True: []}
    spent = {False: 0.0, True: 0.0}
    for n in range(1, most + 1):
        alive = np.append(alive * (1 - level), 0.0) + np.append(0.0, alive * level)
        allowed = risk * n / (n + HALFWAY) if risk else -1.0
        upto = spent[False] + np.cumsum(alive)
        onward = spent[True] + np.cumsum(alive[::-1])[::-1]
        low[n - 1] = int(np.searchsorted(upto, allowed, side="right")) - 1
        high[n - 1] = n + 1 - int(np.searchsorted(onward[::-1], allowed, side="right"))
        for above, counts in ((False, range(low[n - 1] + 1)), (True, range(high[n - 1], n + 1))):
            for s in counts:
                if alive[s] > 0:
                    left[above].append((n, s, float(alive[s])))
                    spent[above] += float(alive[s])
                    alive[s] = 0.0
    inside = Ends(np.full(most + 1, float(most)), np.arange(most + 1.0), alive)
    return Corridor(level, low, high, _ends(left[False]), _ends(left[True]), inside)


def _ends(found: list[tuple[int, int, float]]) -> Ends:
    table = np.array(found, dtype=np.float64).reshape(-1, 3)
    return Ends(table[:, 0], table[:, 1], table[:, 2])


def interval(
    level: float, risk: float, resamples: int, count: int, coverage: float = 0.95
) -> tuple[float, float]:
    """The exact confidence interval of the p-value, for a walk that ended with this count."""
    if resamples == 0:
        return 0.0, 1.0
    bounds = corridor(level, risk, resamples)
    side = bounds.side(resamples, count)
    smaller, larger = _tails(bounds, side, resamples, count)
    half = (1 - coverage) / 2
    return _root(lambda p: larger(p) - half), _root(lambda p: half - smaller(p))


Tail = Callable[[float], float]


def _tails(bounds: Corridor, side: int, resamples: int, count: int) -> tuple[Tail, Tail]:
    """Probabilities, given p, of ends that speak for a p-value as small as this one's, as large.

    From small to large: left below, the sooner the smaller; inside, by count; left above, the later
    the smaller.
    """
    level = bounds.level
    if side:
        same = bounds.below if side < 0 else bounds.above
        own, sooner = same.where(same.n <= resamples), same.where(same.n < resamples)

        def this(p: float) -> float:
            return own.at(p, level)

        def rest(p: float) -> float:
            return 1 - sooner.at(p, level)

        return (this, rest) if side < 0 else (rest, this)
    few, many = bounds.inside.where(bounds.inside.s <= count), bounds.inside
    many = many.where(many.s >= count)
    return (
        lambda p: bounds.below.at(p, level) + few.at(p, level),
        lambda p: bounds.above.at(p, level) + many.at(p, level),
    )


def _root(rising: Callable[[float], float]) -> float:
    """Where a function that rises on [0, 1] is 0; the end nearest to it where it nowhere is."""
    if rising(0.0) >= 0:
        return 0.0
    return 1.0 if rising(1.0) <= 0 else float(brentq(rising, 0.0, 1.0, xtol=1e-12))

"""The density of one column, added up: on a scale on which the ends of its support are far away.

Between ends a < x < b it is integrated over log(x - a), over log((x - a) / (b - x)), or over x
where both are infinite: a density such as x^(-1/2) near 0 is then smooth, and has no unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.special import expit

from mixtura.records import Array

# An end of the support is looked for so many ranges of the rows away.
FAR = 100.0
PIECES = 8
# Points reach so many ranges of the rows (on the scale) to either side.
POINTS, WIDE = 4001, 3.0
# Beyond these exponents exp is 0 or infinite.
EXPONENT = 700.0


@dataclass(frozen=True)
class OneColumn:
    """A log-density of one number, its support an interval, its mass about the rows x (n,)."""

    log_density: Callable[[float], float]
    cuts: Array
    ends: tuple[float, float]

    @classmethod
    def of(cls, log_density: Callable[[float], float], x: Array) -> OneColumn:
        """The ends are where the density becomes 0, by bisection."""
        low, high = float(x.min()), float(x.max())
        far = FAR * ((high - low) or abs(low) or 1.0)
        ends = _end(log_density, low, low - far), _end(log_density, high, high + far)
        return cls(log_density, np.quantile(x, np.linspace(0.0, 1.0, PIECES + 1)), ends)

    def mass(self, most: float = math.inf) -> float:
        """The probability of x <= most."""
        cuts = np.unique(self._scaled(self.cuts))
        unit = float(cuts[-1] - cuts[0]) or 1.0
        top = float(self._scaled(np.array(most))) if most < self.ends[1] else math.inf
        marks = [-math.inf, *(cut / unit for cut in cuts if cut < top), top / unit]
        pieces = (quad(self._share, a, b, (unit,), limit=200)[0] for a, b in pairwise(marks))
        return float(sum(pieces))

    def _scaled(self, x: Array) -> Array:
        a, b = self.ends
        # Rows at an end itself, where the scale ends, cut nothing.
        with np.errstate(divide="ignore"):
            up = np.log(x - a) if a > -math.inf else 0.0
            down = np.log(b - x) if b < math.inf else 0.0
        found = np.asarray(up - down if math.isfinite(a) or math.isfinite(b) else x)
        return found[np.isfinite(found)] if found.ndim else found

    def points(self) -> tuple[Array, Array]:
        """Many points and the probability about each, of the mass not too far from the rows."""
        cuts = self._scaled(self.cuts)
        low, high = float(cuts.min()), float(cuts.max())
        t, gap = np.linspace(
            low - WIDE * (high - low), high + WIDE * (high - low), POINTS, retstep=True
        )
        x = np.array([self._at(each)[0] for each in t])
        return x, np.array([self._share(each, 1.0) for each in t]) * gap

    def _at(self, t: float) -> tuple[float, float]:
        """(x, dx / dt) at a place on the scale."""
        a, b = self.ends
        if a == -math.inf and b == math.inf:
            return t, 1.0
        t = min(max(t, -EXPONENT), EXPONENT)
        if b == math.inf:
            return a + math.exp(t), math.exp(t)
        if a == -math.inf:
            return b - math.exp(-t), math.exp(-t)
        return a + (b - a) * float(expit(t)), (b - a) * float(expit(t) * expit(-t))

    def _share(self, t: float, unit: float) -> float:
        """density(x) dx / dt at t units."""
        a, b = self.ends
        t *= unit
        if abs(t) > EXPONENT and (math.isfinite(a) or math.isfinite(b)):
            return 0.0
        x, slope = self._at(t)
        found = self.log_density(x) if a < x < b else -math.inf
        # At an end itself, which rounding may reach, it may be infinite.
        return math.exp(found) * slope * unit if found < math.inf else 0.0


def _end(log_density: Callable[[float], float], inside: float, outside: float) -> float:
    """Where the density becomes 0 on the way out; infinite where it has not become 0 there."""
    if log_density(outside) > -math.inf:
        return math.copysign(math.inf, outside - inside)
    while (middle := 0.5 * (inside + outside)) not in (inside, outside):
        if log_density(middle) > -math.inf:
            inside = middle
        else:
            outside = middle
    return outside

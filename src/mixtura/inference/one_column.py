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

    def _share(self, t: float, unit: float) -> float:
        """density(x) dx / dt at t units."""
        a, b = self.ends
        t *= unit
        if abs(t) > 700.0 and (math.isfinite(a) or math.isfinite(b)):
            return 0.0
        if a == -math.inf and b == math.inf:
            x, slope = t, 1.0
        elif b == math.inf:
            slope = math.exp(t)
            x = a + slope
        elif a == -math.inf:
            slope = math.exp(-t)
            x = b - slope
        else:
            x, slope = a + (b - a) * float(expit(t)), (b - a) * float(expit(t) * expit(-t))
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

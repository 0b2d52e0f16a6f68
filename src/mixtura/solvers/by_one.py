"""L-BFGS where a step of one is already Newton's: in axes along which the information is one.

SciPy's begins each chart with a step of length one and then takes the last change of the gradient
for the scale of all directions. Where the axes were made so that the information is the identity
both are worse than the identity itself.

Reference: Nocedal & Wright (2006), Numerical Optimization, algorithms 7.4 (two loops) and 3.5 with
the weak Wolfe conditions, by bisection: Lewis & Overton (2013), Mathematical Programming 141.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from mixtura.records import Array
from mixtura.solvers.charted import Charted, Point
from mixtura.solvers.convergence import ROUNDING
from mixtura.solvers.descent import Descent

# Changes of the gradient remembered, and points tried along a direction.
MEMORY, TRIES = 10, 20
# A step must bring this share of what the slope promises, and leave less of the slope than this.
ENOUGH, LEFT = 1e-4, 0.9
# A rejected step is shortened to between these shares of itself.
SHORTEST, LONGEST = 0.1, 0.5
# A change of the gradient less than this along the step tells nothing of the curvature.
NOTHING = 1e-10

Changes = deque[tuple[Array, Array, float]]


def climb_by_one(descent: Descent, here: Charted, steps: int) -> Point:
    """Climb from a chart's centre: to the top, or the last step allowed."""
    changes: Changes = deque(maxlen=MEMORY)
    for _ in range(steps):
        last = descent.last
        found = _along(here, last, _direction(last.gradient, changes))
        if found is None and changes:
            changes.clear()
            found = _along(here, last, last.gradient)
        if found is None:
            break
        step, change = found.free - last.free, last.gradient - found.gradient
        curved = float(step @ change)
        if curved > NOTHING * float(change @ change):
            changes.append((step, change, curved))
        here.met.clear()
        if not descent.accept(found):
            break
    return descent.last


def _direction(gradient: Array, changes: Changes) -> Array:
    """The inverse of the information that the changes tell of, times the gradient."""
    way, shares = gradient.copy(), []
    for step, change, curved in reversed(changes):
        shares.append(float(step @ way) / curved)
        way -= shares[-1] * change
    for (step, change, curved), share in zip(changes, reversed(shares), strict=True):
        way += (share - float(change @ way) / curved) * step
    return way


def _along(here: Charted, last: Point, way: Array) -> Point | None:
    """A point that rises enough along a direction, the first from a step of one; None without."""
    weight, slope = here.centre.summary.weight, float(last.gradient @ way)
    if not slope > 0:
        return None
    start = last.value / weight
    rounding = ROUNDING * (1.0 + abs(start))
    low, high, length = 0.0, math.inf, 1.0
    below, rising = start, slope
    found: Point | None = None
    for _ in range(TRIES):
        point = here.at(last.free + length * way)
        value = -math.inf if point is None else point.value / weight
        if point is None or value < start + ENOUGH * length * slope - rounding:
            high = length
            length = low + (high - low) * _shorter(high - low, rising, value - below)
            continue
        found = point
        onward = float(point.gradient @ way)
        if onward <= LEFT * slope:
            break
        low, below, rising = length, value, onward
        length = 2.0 * length if high == math.inf else 0.5 * (low + high)
    return found if found is not None and found.value > last.value else None


def _shorter(length: float, slope: float, gain: float) -> float:
    """The share of a step at whose end the parabola through what is known is highest."""
    fell = 2.0 * (slope * length - gain)
    if not np.isfinite(fell) or fell <= 0:
        return SHORTEST
    return min(max(slope * length / fell, SHORTEST), LONGEST)

"""A gamma number of which an interval is known: its probability, mean and mean logarithm.

The logarithm s of such a number has a log-concave density, exp(a s - e^s) / Gamma(a): all three are
integrals over the part of the interval where it is within e^-40 of its largest value, so that
nothing cancels or underflows in tails. E[log x] has no closed form (the derivative of an incomplete
gamma function by its shape; Abramowitz & Stegun 1964, section 6.5).
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss

from mixtura.records import Array

_DROP = 40.0
# In logarithms; the difference of two of them loses digits in shorter intervals.
_SHORT = 0.01
# Panels widen away from the upper end as the density falls off more and more slowly.
_PANELS, _NODES = 12, leggauss(12)


def gamma_within(
    lower: Array, upper: Array, width: Array, shapes: Array
) -> tuple[Array, Array, Array]:
    """(log P(lower < t <= upper) less log t^a e^-t / Gamma(a) at t = a, E[t], E[log t]), each (m,).

    t has these shapes a and the scale 1; 0 and inf are no bound. `width` is log upper - log lower
    by `log_width`: a caller knows it to more digits.
    """
    with np.errstate(divide="ignore"):
        low, high = np.log(lower), np.log(upper)
    mode = np.log(shapes)
    best = np.clip(mode, low, high)
    at_best = np.exp(best)
    slope = shapes - at_best
    with np.errstate(divide="ignore"):
        falls = _DROP / np.abs(slope)
    # Concave: the density falls no slower than these bounds say.
    cost = _DROP / at_best
    curved = np.minimum(np.log1p(cost + np.sqrt(2 * cost)), np.where(slope < 0, falls, np.inf))
    far = 1.3 * np.sqrt(2 * _DROP / shapes) + _DROP / shapes
    # Of the ends the one that is farther is told by the width, which has more digits.
    near = np.minimum(best - low, high - best)
    short, upward = width < _SHORT, best - low <= high - best
    above = np.where(short, np.where(upward, width - near, near), high - best)
    below = np.where(short, np.where(upward, near, width - near), best - low)
    right = np.minimum(above, curved)
    left = -np.minimum(below, np.minimum(far, np.where(slope > 0, falls, np.inf)))
    y, weights = _panels(left, right)
    rise = np.expm1(y)
    mass = weights * np.exp(slope[:, None] * y - at_best[:, None] * (rise - y))
    total = mass.sum(axis=1)
    logs = best + (mass * y).sum(axis=1) / total
    means = at_best * (1.0 + (mass * rise).sum(axis=1) / total)
    away = best - mode
    return np.log(total) + shapes * (away - np.expm1(away)), means, logs


def log_width(lower: Array, upper: Array) -> Array:
    """log upper - log lower, to as many digits as upper - lower has, in its own units."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.log1p((upper - lower) / lower)


def _panels(left: Array, right: Array) -> tuple[Array, Array]:
    """Nodes and weights (m, nodes) between these ends."""
    nodes, weights = _NODES
    steps = np.log1p(right - left)[:, None] * np.linspace(0.0, 1.0, _PANELS + 1)
    ends = right[:, None] - np.expm1(steps)
    middle, half = (ends[:, 1:] + ends[:, :-1]) / 2, (ends[:, :-1] - ends[:, 1:]) / 2
    y = middle[:, :, None] + half[:, :, None] * nodes
    return y.reshape(len(left), -1), (half[:, :, None] * weights).reshape(len(left), -1)

"""A standard normal number of which an interval is known: its probability and its moments.

No difference of nearly equal numbers is taken: in tails the ratio of density and distribution
function is erfcx's, and over narrow intervals moments are integrals.
Reference: Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions 1,
section 13.10.1.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import erfcx, log_ndtr

from mixtura.records import Array

LOG_ROOT_2PI = 0.5 * float(np.log(2 * np.pi))
# The logarithm of the density varies less than so much over a narrow interval, where so many nodes
# are exact to rounding.
_NARROW, _NODES = 4.0, leggauss(16)


def normal_within(lower: Array, upper: Array, width: Array) -> tuple[Array, Array, Array]:
    """(log P(lower < z <= upper), E[z | there], E[z^2 | there]), each (m,), for z ~ N(0, 1).

    -inf and inf are no bound. `width` is upper - lower, which a caller knows to more digits:
    from the ends in their own units.
    """
    # To the left, where distribution functions are small.
    with np.errstate(invalid="ignore"):
        flip = lower + upper > 0
    a, b = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    with np.errstate(all="ignore"):
        log_p, first, second = _tail(a, b)
        narrow = width * np.maximum(np.abs(a), np.abs(b)) < _NARROW
    if narrow.any():
        log_p[narrow], first[narrow], second[narrow] = _narrow(a[narrow], b[narrow], width[narrow])
    return log_p, np.where(flip, -first, first), second


def _tail(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Those of a < z <= b with a + b <= 0."""
    below = (b - a) * (b + a) / 2  # log of the ratio of densities, a's to b's
    at_a, at_b = erfcx(-a / np.sqrt(2)), erfcx(-b / np.sqrt(2))
    share = np.where(np.isneginf(a), 0.0, np.exp(below) * at_a / at_b)
    # Densities at the ends over the probability.
    end = np.sqrt(2 / np.pi) / at_b / (1.0 - share)
    begin = np.where(np.isneginf(a), 0.0, end * np.exp(below))
    first = begin - end
    second = 1.0 + np.where(np.isneginf(a), 0.0, a * begin) - np.where(end > 0, b * end, 0.0)
    return log_ndtr(b) + np.log1p(-share), first, second


def _narrow(a: Array, b: Array, width: Array) -> tuple[Array, Array, Array]:
    """The same by integrals over a narrow interval."""
    nodes, weights = _NODES
    middle, half = (a + b) / 2, width / 2
    step = half[:, None] * nodes
    mass = weights * np.exp(-step * (middle[:, None] + step / 2))
    total = mass.sum(axis=1)
    one, two = (mass * step).sum(axis=1) / total, (mass * step**2).sum(axis=1) / total
    log_p = np.log(half * total) - middle**2 / 2 - LOG_ROOT_2PI
    return log_p, middle + one, middle**2 + 2 * middle * one + two

"""Logarithms of incomplete gamma and beta functions, also where float64 holds none of the tail.

The tails of gamma, Poisson, binomial and negative binomial laws are such functions. SciPy's lose
their digits below 1e-308, which are some 37 standard deviations; there a sum of positive terms, or
a continued fraction, is taken, in logarithms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln

from mixtura.families.beyond import LEAST_TAIL
from mixtura.records import AnyArray, Array

# Terms at most: so far out a series of ratios below 1 needs some thousands at worst.
_TERMS = 100_000
_NEAR = 1e-16


def log_gammainc(a: AnyArray, x: AnyArray) -> Array:
    """log P(a, x), the lower tail of a gamma law of shape a; Abramowitz & Stegun (1964), 6.5.29."""

    def far(a: Array, x: Array) -> Array:
        front = a * np.log(x) - x - gammaln(a + 1)
        return np.asarray(front + np.log(_sum(lambda n: x / (a + 1 + n), x)))

    return _either(gammainc, far, a, x)


def log_gammaincc(a: AnyArray, x: AnyArray) -> Array:
    """log Q(a, x), the upper tail; far out by its continued fraction, Abramowitz & Stegun 6.5.31,
    from its head on (Lentz 1976, Applied Optics 15)."""

    def far(a: Array, x: Array) -> Array:
        b = x + 1 - a
        d = 1 / b
        c, found = np.full_like(x, np.inf), d.copy()
        for n in range(1, _TERMS):
            own, b = -n * (n - a), b + 2
            d, c = 1 / (own * d + b), b + own / c
            found *= c * d
            if np.all(np.abs(c * d - 1) < 4 * _NEAR):
                break
        return np.asarray(a * np.log(x) - x - gammaln(a) + np.log(found))

    return _either(gammaincc, far, a, x)


def log_betainc(a: AnyArray, b: AnyArray, x: AnyArray) -> Array:
    """log I_x(a, b), the lower tail of a beta law; Abramowitz & Stegun (1964), 26.5.4."""

    def far(a: Array, b: Array, x: Array) -> Array:
        front = a * np.log(x) + b * np.log1p(-x) - np.log(a) - betaln(a, b)
        return np.asarray(front + np.log(_sum(lambda n: x * (a + b + n) / (a + 1 + n), x)))

    return _either(betainc, far, a, b, x)


def _sum(ratio: Callable[[int], Array], like: Array) -> Array:
    """1 + r_0 + r_0 r_1 + ..., of positive ratios that end below 1."""
    term, total = np.ones_like(like), np.ones_like(like)
    for n in range(_TERMS):
        term = term * ratio(n)
        total += term
        if np.all(term <= _NEAR * total):
            break
    return total


def _either(near: Callable[..., Array], far: Callable[..., Array], *at: AnyArray) -> Array:
    """log near(*at); far(*at) where that has left float64, and -inf where nothing is there."""
    at = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in at))
    tail = near(*at)
    with np.errstate(divide="ignore"):
        found = np.asarray(np.log(tail))
    lost = (tail < LEAST_TAIL) & (at[-1] > 0) & np.isfinite(at[-1])
    if lost.any():
        found[lost] = far(*(each[lost] for each in at))
    return found

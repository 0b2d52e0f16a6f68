"""Logarithms of incomplete gamma and beta functions, also where float64 holds none of the tail.

The tails of gamma, Poisson, binomial and negative binomial laws are such functions. SciPy's lose
their digits below 1e-308, which are some 37 standard deviations; there a sum of positive terms, or
a continued fraction, is taken, in logarithms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import betainc, betaln, erfcx, gammainc, gammaincc, gammaln

from mixtura.families.beyond import LEAST_TAIL
from mixtura.records import AnyArray, Array

# Terms at most: so far out a series of ratios below 1 needs some thousands at worst.
_TERMS = 100_000
_NEAR = 1e-16
# From this shape on an expansion is exact to 1e-9, where a sum may take as many terms as its root.
_LARGE = 1e5
# Standard deviations from the mean on that the tail of a large shape is the expansion's.
_TAIL = 3.0


def log_gammainc(a: AnyArray, x: AnyArray) -> Array:
    """log P(a, x), the lower tail of a gamma law of shape a; Abramowitz & Stegun (1964), 6.5.29,
    and `_uniform` of large shapes."""

    def far(a: Array, x: Array) -> Array:
        front = a * np.log(x) - x - gammaln(a + 1)
        return np.asarray(front + np.log(_sum(lambda n: x / (a + 1 + n), x)))

    return _gamma(far, -1.0, a, x)


def log_gammaincc(a: AnyArray, x: AnyArray) -> Array:
    """log Q(a, x), the upper tail; far out by its continued fraction, Abramowitz & Stegun 6.5.31,
    from its head on (Lentz 1976, Applied Optics 15), and `_uniform` of large shapes."""

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

    return _gamma(far, 1.0, a, x)


def gamma_tail(a: AnyArray, x: AnyArray, side: float) -> Array:
    """Q(a, x), the upper tail of a gamma law (side 1), or P(a, x), the lower one (-1)."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    large = _large(a, x, side)
    tail = np.asarray(_scipys(side)(a, x))
    tail[large] = np.exp(_uniform(a[large], x[large], side))
    return tail


def _gamma(far: Callable[..., Array], side: float, a: AnyArray, x: AnyArray) -> Array:
    """`_either`; `_uniform` in the tail of large shapes, of which SciPy's series ends too soon."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    large = _large(a, x, side)
    found = np.empty(a.shape)
    found[large] = _uniform(a[large], x[large], side)
    found[~large] = _either(_scipys(side), far, a[~large], x[~large])
    return found


def _scipys(side: float) -> Callable[..., Array]:
    """SciPy's upper tail (side 1), or lower one (-1)."""
    return gammaincc if side > 0 else gammainc  # type: ignore[no-any-return]


def _large(a: Array, x: Array, side: float) -> AnyArray:
    """Where `_uniform` is to be taken."""
    beyond = side * (x - a) > _TAIL * np.sqrt(np.maximum(a, 0.0))
    return np.asarray((a >= _LARGE) & beyond & (x > 0) & np.isfinite(x))


def _uniform(a: Array, x: Array, side: float) -> Array:
    """The logarithm of the upper (side 1) or lower (-1) tail for large shapes, in a few operations.

    Q = erfc(z) / 2 + exp(-z^2) c_0 / sqrt(2 pi a) (1 + O(1/a)), and P likewise with -z, where z^2 =
    a (m - log(1 + m)), m = x / a - 1, z = eta sqrt(a / 2) of m's sign, c_0 = 1/m - 1/eta. Temme
    (1979), SIAM J. Math. Anal. 10; DLMF 8.12.3 to 8.12.10.
    """
    m = (x - a) / a
    s = m / (2.0 + m)
    # m - log(1 + m) by the series of the area tangent, which cancels nothing near 0.
    odd = sum(s ** (n - 1) / n for n in range(3, 15, 2))
    with np.errstate(divide="ignore", over="ignore"):
        log_ratio = np.where(m > -0.5, np.log1p(m), np.log(x) - np.log(a))
        half = np.where(np.abs(m) < 0.1, s * m - 2.0 * s * odd, m - log_ratio)
        eta = np.copysign(np.sqrt(2.0 * half), m)
        first = (1.0 / m - 1.0 / eta) / np.sqrt(2.0 * np.pi * a)
        tail = 0.5 * erfcx(side * eta * np.sqrt(a / 2.0)) + side * first
        # Farther out than 1e28 means both cancel, and are nothing beside the other term.
        return np.asarray(np.log(np.maximum(tail, np.finfo(float).tiny)) - a * half)


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

"""Modified Bessel functions of the first kind, as the von Mises-Fisher distributions need them.

In p dimensions, with A(kappa) = I_{p/2}(kappa) / I_{p/2-1}(kappa) the length of the mean vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ive

from mixtura.families.roots import falling_root
from mixtura.records import Array

# Beyond this multiple of order^2 + 1 the first three terms for large arguments have all digits.
LARGE = 1e4
# Terms of the power series for arguments that are small beside the order.
TERMS = 24
# Where SciPy's function runs out of numbers.
LEAST = 1e-290
# Concentrations are no smaller and no larger: beyond, directions are even, or one to rounding.
EVEN, ONE = 1e-300, 1e15


def log_bessel(order: float, x: Array) -> Array:
    """log I_order(x) - x, also where I itself is too small or x too large for SciPy."""
    scaled = np.asarray(ive(order, x))
    far = x > LARGE * (order * order + 1.0)
    plain = (scaled > LEAST) & ~far
    if plain.all():
        return np.asarray(np.log(scaled))
    out = np.log(np.where(plain, scaled, 1.0))
    small = ~plain & (x * x < order + 1.0)
    for where, way in ((far, _far), (small, _series), (~(plain | far | small), _uniform)):
        if where.any():
            out[where] = way(order, x[where])
    return out


def _series(order: float, x: Array) -> Array:
    """By powers of x."""
    term = total = np.ones_like(x)
    for j in range(1, TERMS):
        term = term * (x * x / 4) / (j * (order + j))
        total = total + term
    return np.asarray(order * np.log(x / 2) - gammaln(order + 1.0) + np.log(total) - x)


def _far(order: float, x: Array) -> Array:
    """By powers of 1 / x (Abramowitz & Stegun 9.7.1)."""
    m, y = 4.0 * order * order, 8.0 * x
    terms = -(m - 1) / y * (1 - (m - 9) / (2 * y) * (1 - (m - 25) / (3 * y)))
    return np.asarray(-0.5 * np.log(2 * np.pi * x) + np.log1p(terms))


def _uniform(order: float, x: Array) -> Array:
    """For large orders (Abramowitz & Stegun 9.7.7)."""
    z = x / order
    root = np.sqrt(1 + z * z)
    t = 1 / root
    s = t * t
    one = t * (3 - 5 * s) / 24
    two = s * (81 - 462 * s + 385 * s**2) / 1152
    three = t * s * (30375 - 369603 * s + 765765 * s**2 - 425425 * s**3) / 414720
    exponent = order * (1 / (root + z) + np.log(z / (1 + root)))
    correction = np.log1p(one / order + two / order**2 + three / order**3)
    return np.asarray(exponent - 0.5 * np.log(2 * np.pi * order * root) + correction)


def scatter(kappa: Array, p: int) -> Array:
    """1 - A(kappa): 1 where directions are even, 0 where all are one."""
    far = _is_far(kappa, p)
    out = -np.expm1(log_bessel(p / 2, kappa) - log_bessel(p / 2 - 1, kappa))
    if far.any():
        y, many = 1.0 / kappa[far], (p - 1.0) * (p - 3.0)
        out[far] = y * ((p - 1) / 2 - many * (y / 8) * (1 + y))
    return np.asarray(out)


def _is_far(kappa: Array, p: int) -> NDArray[np.bool_]:
    return np.asarray(kappa > LARGE * ((p / 2 - 1) ** 2 + 1.0))


def told(kappa: Array, p: int) -> Array:
    """kappa^2 A'(kappa): what one direction tells of log kappa."""
    return _told(kappa, p, scatter(kappa, p))


def _told(kappa: Array, p: int, rest: Array) -> Array:
    out = kappa * (kappa * rest * (2.0 - rest) - (p - 1) * (1.0 - rest))
    # Where directions are nearly even A is kappa / p, and the difference has no digits.
    square = kappa * kappa
    out = np.where(kappa < 1e-3, square / p * (1 - 3 * square / (p * (p + 2))), out)
    far = _is_far(kappa, p)
    if far.any():
        out[far] = (p - 1) / 2 - (p - 1) * (p - 3) / (4 * kappa[far])
    return np.asarray(out)


def concentration(resting: Array, p: int) -> Array:
    """The kappa with 1 - A(kappa) = `resting`.

    From the start of Banerjee, Dhillon, Ghosh & Sra (2005), J. Machine Learning Research 6.
    """
    mean = np.clip(1.0 - resting, 0.0, 1.0)
    rest = np.clip(resting, 1.0 / ONE, 1.0)
    start = mean * (p - mean * mean) / (rest * (2.0 - rest))

    def excess(kappa: Array) -> tuple[Array, Array]:
        rest = scatter(kappa, p)
        return rest - resting, -_told(kappa, p, rest) / kappa

    start = np.clip(start, EVEN, ONE)
    return falling_root(excess, start, np.full(start.shape, EVEN), np.full(start.shape, ONE))

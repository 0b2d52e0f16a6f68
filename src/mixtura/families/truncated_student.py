"""A t number of which an interval is known: its probability and the moments of its weight.

With y of z's sign and y^2 = nu log(1 + z^2/nu), the density of z is, but for a constant,
exp(-y^2/2) (v / (1 - exp(-v)))^(1/2) in y, v = y^2/nu (the transformation is Wallace's (1959),
Bounds on normal approximations to Student's and the chi-square distributions, Annals of
Mathematical Statistics 30). So near to a normal density all is an integral over few nodes, taken
beside the density at the end nearest to 0: nothing underflows, and no nearly equal numbers are
subtracted. In closed form E[u] and E[u z] are differences of distribution functions with nu + 2
degrees of freedom and of densities (Ho, Lin, Chen & Wang 2012, Some results on the truncated
multivariate t distribution, Journal of Statistical Planning and Inference 142), which E[log u], as
the derivative of an incomplete beta function by its parameter, is not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import betaln

from mixtura.records import Array

_NODES = leggauss(64)
# Beyond it exp(-y^2/2) is less than rounding beside what it is at the nearer end.
_FAR = 80.0


class StudentWithin(NamedTuple):
    """log P(lower < z <= upper) of a standard t number, and of u = (nu + 1) / (nu + z^2) the
    expectations of u, u z, u z^2 and log u - u there; each (m,)."""

    log_p: Array
    weight: Array
    first: Array
    second: Array
    logs: Array


def student_within(lower: Array, upper: Array, width: Array, nu: float) -> StudentWithin:
    """Those of intervals (m,); -inf and inf are no bound.

    `width` is upper - lower, which a caller knows to more digits: from the ends in their own units.
    """
    # Pieces of one sign, of which an interval about 0 has two.
    about = (lower < 0) & (upper > 0)
    left, right = lower < 0, upper > 0
    near = np.where(about, 0.0, np.minimum(np.abs(lower), np.abs(upper)))
    found = []
    for side, end in ((left, -lower), (right, upper)):
        piece = np.where(about, end, width)
        found.append(_one_sided(near[side], piece[side], nu))
    log_p = np.full((2, len(lower)), -np.inf)
    log_p[0, left], log_p[1, right] = found[0].log_p, found[1].log_p
    total = np.logaddexp(*log_p)
    with np.errstate(invalid="ignore"):
        shares = np.exp(log_p - total)
    moments = []
    for minus, plus, sign in zip(*found, (1.0, 1.0, -1.0, 1.0, 1.0), strict=True):
        both = np.zeros((2, len(lower)))
        both[0, left], both[1, right] = sign * minus, plus
        moments.append((shares * both).sum(axis=0))
    return StudentWithin(total, *moments[1:])


def _one_sided(near: Array, width: Array, nu: float) -> StudentWithin:
    """Those of near < z <= near + width, near >= 0."""
    ratio = near**2 / nu
    start = np.sqrt(nu * np.log1p(ratio))
    with np.errstate(invalid="ignore", over="ignore"):
        # Of the squares of both ends, whose difference keeps its digits.
        grown = nu * np.log1p(width * (2.0 * near + width) / nu / (1.0 + ratio))
        length = grown / (start + np.sqrt(start**2 + grown))
    length = np.fmin(length, _FAR / (start + np.sqrt(start**2 + _FAR)))
    nodes, weights = _NODES
    step = length[:, None] * (0.5 + 0.5 * nodes)
    v = np.maximum((start[:, None] + step) ** 2 / nu, np.finfo(np.float64).tiny)
    left = -np.expm1(-v)  # z^2 / (nu + z^2)
    mass = weights * np.exp(-step * (start[:, None] + 0.5 * step)) * np.sqrt(v / left)
    total = mass.sum(axis=1)
    log_p = np.log(0.5 * length * total) - 0.5 * start**2 - 0.5 * np.log(nu) - betaln(nu / 2, 0.5)

    def mean(of: Array) -> Array:
        return np.asarray((mass * of).sum(axis=1) / total)

    weight = (nu + 1.0) / nu * mean(np.exp(-v))
    first = (nu + 1.0) / np.sqrt(nu) * mean(np.sqrt(left * np.exp(-v)))
    logs = np.log((nu + 1.0) / nu) - mean(v) - weight
    return StudentWithin(log_p, weight, first, (nu + 1.0) * mean(left), logs)

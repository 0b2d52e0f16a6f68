"""Two normal components in one column from its moments of order one to six.

Pearson (1894), Contributions to the mathematical theory of evolution, Phil. Trans. R. Soc. A 185:
the product of the two means, measured from the column's mean, is a root of a polynomial of the
ninth degree. In the notation of Cohen (1967), Estimation in mixtures of two normal distributions,
Technometrics 9.
"""

from __future__ import annotations

import numpy as np

from mixtura.errors import FitError
from mixtura.families.spheres import Spheres
from mixtura.records import Array

# A root whose imaginary part is no larger, in the column's variance, is real.
_REAL = 1e-7


def pearson(x: Array, w: Array, *, one_variance: bool = False) -> Spheres:
    """The two components whose first five moments are those of x (n,), weighed by w (n,).

    Of several such pairs the one whose sixth moment is nearest. With one variance for both, the
    first four moments are enough. Error n^-1/2. FitError where no pair has these moments: no real
    root, or a variance below zero.
    """
    p = w / w.sum()
    mean = float(p @ x)
    c = x - mean
    unit = float(np.sqrt(p @ c**2))
    if unit == 0.0:
        raise FitError("the column is constant: no two groups have its moments")
    c = c / unit
    m = [float(p @ c**power) for power in range(7)]
    pairs = _alike(m) if one_variance else _apart(m)
    if not pairs:
        raise FitError(
            "no two normal groups have the moments of this column: use one component, or 'auto'"
        )
    weights, means, variances = min(pairs, key=lambda pair: abs(_sixth(*pair) - m[6]))
    common = float(weights @ variances)
    return Spheres(weights, (mean + unit * means)[:, None], unit**2 * variances, unit**2 * common)


Pair = tuple[Array, Array, Array]


def _apart(m: list[float]) -> list[Pair]:
    """All pairs with moments m of a standardised column, variances free.

    v, the product of the means, solves Pearson's nonic; r, their sum, follows (Cohen's w):
    r v (2 v^3 + 3 k4 v + 4 k3^2) = -8 k3 v^3 + 3 k5 v^2 + 6 k3 k4 v + 2 k3^3, k the cumulants.
    """
    k3, k4, k5 = m[3], m[4] - 3.0, m[5] - 10.0 * m[3]
    nonic = [
        24.0,
        0.0,
        84.0 * k4,
        36.0 * k3**2,
        90.0 * k4**2 + 72.0 * k5 * k3,
        444.0 * k4 * k3**2 - 18.0 * k5**2,
        288.0 * k3**4 - 108.0 * k3 * k4 * k5 + 27.0 * k4**3,
        -(63.0 * k4**2 + 72.0 * k3 * k5) * k3**2,
        -96.0 * k3**4 * k4,
        -24.0 * k3**6,
    ]
    found = []
    for v in _negative(nonic):
        below = v * (2.0 * v**3 + 3.0 * k4 * v + 4.0 * k3**2)
        if below != 0.0:
            r = (-8.0 * k3 * v**3 + 3.0 * k5 * v**2 + 6.0 * k3 * k4 * v + 2.0 * k3**3) / below
            found.append(_pair(v, r, -(k3 + v * r) / (3.0 * v)))
    return [pair for pair in found if pair[2].min() > 0]


def _alike(m: list[float]) -> list[Pair]:
    """The pair with one variance: 2 v^3 + k4 v + k3^2 = 0 and v r = -k3."""
    found = [_pair(v, -m[3] / v, 0.0) for v in _negative([2.0, 0.0, m[4] - 3.0, m[3] ** 2])]
    return [pair for pair in found if pair[2].min() > 0]


def _negative(polynomial: list[float]) -> list[float]:
    roots = np.roots(polynomial)
    return [float(v.real) for v in roots if v.real < -_REAL and abs(v.imag) <= _REAL]


def _pair(v: float, r: float, slope: float) -> Pair:
    """Means with product v < 0 and sum r, variances that differ by `slope` per unit of mean."""
    means = 0.5 * (r + np.sqrt(r * r - 4.0 * v) * np.array([-1.0, 1.0]))
    weights = means[::-1] * [1.0, -1.0] / (means[1] - means[0])
    return weights, means, 1.0 + v + slope * means


def _sixth(weights: Array, means: Array, variances: Array) -> float:
    """The sixth moment of the pair."""
    a, s = means**2, variances
    return float(weights @ (a**3 + 15.0 * a**2 * s + 45.0 * a * s**2 + 15.0 * s**3))

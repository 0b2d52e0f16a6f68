"""How likely a row of a component lies as far out: tails of squared distances, in logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betainc, betaincc, betaln, chdtrc, gammaln

from mixtura.records import AnyArray, Array

# Tails below are worked out in logarithms, by so many terms of a series.
LEAST_TAIL, TERMS = 1e-290, 12


def log_tail(squares: Array, d: int) -> Array:
    """log P(chi2_d >= squares)."""
    half, a = squares / 2, d / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (a - 1) * np.log(half) - half - gammaln(a) + np.log(_series(half, 0.0, a))
    return _either(chdtrc(d, squares), far)


def log_t_tail(squares: Array, d: int, nu: Array) -> Array:
    """log P(d F >= squares), F Fisher's of d and nu degrees of freedom: of t in d columns.

    Reference: Kotz & Nadarajah (2004), Multivariate t distributions and their applications, 1.10;
    Abramowitz & Stegun (1964), 26.6.2.
    """
    a, b = nu / 2, d / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        less = np.log1p(squares / nu)
        # I_z(a, b) by 15.3.4 of its hypergeometric series, z = nu / (nu + squares).
        first = -a * less + (b - 1) * (np.log(squares / nu) - less) - np.log(a) - betaln(a, b)
        far = first + np.log(_series(squares / 2, squares / nu, b))
    # Of z and 1 - z the smaller one has all its digits.
    z, rest = nu / (nu + squares), squares / (nu + squares)
    return _either(np.where(z < rest, betainc(a, b, z), betaincc(b, a, rest)), far)


def log_normal_tails(family: Any, X: AnyArray, params: Any) -> Array:
    """log P(chi2 >= delta_k(x_i)), (n, K), of a family that is normal; rows have the same cells."""
    seen = ~np.isnan(X[0])
    told = len(family.equations)
    if told and not seen.all():
        raise ValueError(
            "outlier_scores: some cells are missing, and columns of this model are "
            "constant or sums of others: fill the cells in, or fit without such columns"
        )
    highest = params.log_norm
    if not seen.all():
        at = np.where(seen, family.means(params), np.nan)
        highest = family.log_density(at, params).diagonal()
    squares = np.maximum(2 * (highest - family.log_density(X, params)), 0.0)
    return log_tail(squares, max(seen.sum() - told, 1))


def _series(half: Array, rise: Array | float, b: float) -> Array:
    """1 + (b-1)/(h + r) + (b-1)(b-2)/((h + r)(h + 2r)) + ...: of far tails, h half a squared
    distance; r = 0 for chi-squared (Abramowitz & Stegun 1964, 6.5.32)."""
    term, total = np.ones_like(half), np.ones_like(half)
    for k in range(1, TERMS):
        term = term * (b - k) / (half + k * rise)
        total = total + term
    return total


def _either(tail: Array, far: Array) -> Array:
    with np.errstate(divide="ignore"):
        # Nothing lies beyond a distance without end.
        far = np.where(np.isnan(far), -np.inf, far)
        return np.asarray(np.where(tail > LEAST_TAIL, np.log(tail), far))

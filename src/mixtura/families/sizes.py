"""The size of a negative binomial distribution: its likelihood, maximum and information.

Nothing here is a difference of large numbers, so that large sizes, where the distribution is nearly
Poisson, cost no digits.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from mixtura.families.roots import falling_root
from mixtura.records import Array

# Beyond this size, for a mean up to 1, the distribution is Poisson to rounding; and the least size.
POISSON, LEAST = 1e12, 1e-12
# From here on Stirling's series has all digits.
STIRLING = 20.0
# Counts below this stand one by one in a histogram, so that what is left out between is far out.
FAR = 64
# Terms of the information at most, in pieces; where there would be more the rest is nearly nothing.
TERMS, PIECE = 4096, 128


def rising(x: Array, size: Array) -> Array:
    """log Gamma(x + size) - log Gamma(size) - x log size; the arrays broadcast."""
    large = np.maximum(size, STIRLING)
    log = np.log1p(x / large)
    # (x + s) log(1 + x / s) - x would lose digits only beyond sizes of 1e15.
    series = (x + large - 0.5) * log - x + _stirling(x + large) - _stirling(large)
    small = np.minimum(size, STIRLING)
    plain = gammaln(x + small) - gammaln(small) - x * np.log(small)
    return np.where(size < STIRLING, plain, series)


def _stirling(z: Array) -> Array:
    """log Gamma(z) without (z - 1/2) log z - z + log(2 pi) / 2."""
    w = 1.0 / (z * z)
    return np.asarray((1 / 12 - w * (1 / 360 - w * (1 / 1260 - w / 1680))) / z)


def slope(histogram: Array, counts: Array, means: Array, size: Array) -> tuple[Array, Array]:
    """(slope, curvature) in log size of a histogram's log-likelihood at its own means, (K,).

    histogram (K, T) of the counts (T,), which rise; with S_j the rows above j the slope in s is
    sum_j S_j / (s + j) - n log(1 + m / s), here without what is equal in both.
    """
    n = histogram.sum(axis=1)
    starts = np.concatenate([[0.0], counts])[: len(counts)]
    held = np.concatenate([np.zeros((len(n), 1)), np.cumsum(histogram, axis=1)[:, :-1]], axis=1)
    above = np.maximum(n[:, None] - held, 0.0)
    some = counts > starts
    parts, falls = _stretches(starts[some], counts[some], size[:, None])
    u = means / size
    value = n * means * _short(u) - (above[:, some] * parts).sum(axis=1)
    fall = n * size * (u / (1 + u) - np.log1p(u))
    return value, fall + (above[:, some] * falls).sum(axis=1)


def _stretches(first: Array, end: Array, s: Array) -> tuple[Array, Array]:
    """The sums of j / (s + j) and of j s / (s + j)^2 over j = first, ..., end - 1; (K, stretches).

    One term is itself; more, which begin at `FAR` or later, are an integral and the ends' terms of
    Euler and Maclaurin (Abramowitz & Stegun 1964, 23.1.30), whose next one is below 1e-12.
    """
    at = first / (s + first)
    one, two = at, at * (s / (s + first))
    long = end - first > 1
    if not long.any():
        return one, two
    a, b = first[long], end[long]
    u = (b - a) / (s + a)
    log = np.log1p(u)
    whole = (s + a) * u * _short(u) + a * log
    slopes = s / (s + b) ** 2 - s / (s + a) ** 2
    thirds = 6 * s / (s + b) ** 4 - 6 * s / (s + a) ** 4
    one, two = one.copy(), two.copy()
    one[:, long] = whole - (b / (s + b) - a / (s + a)) / 2 + slopes / 12 - thirds / 720
    bend = s * (u * (b / (s + b)) - u * _short(u))
    ends = b * s / (s + b) ** 2 - a * s / (s + a) ** 2
    slopes = s * (s - b) / (s + b) ** 3 - s * (s - a) / (s + a) ** 3
    two[:, long] = bend - ends / 2 + slopes / 12
    return one, two


def _short(u: Array) -> Array:
    """1 - log(1 + u) / u."""
    small = u < 1e-3
    v = np.where(small, u, 0.0)
    w = np.where(small, 1.0, u)
    series = v * (1 / 2 - v * (1 / 3 - v * (1 / 4 - v * (1 / 5 - v / 6))))
    return np.where(small, series, 1 - np.log1p(w) / w)


def sizes(histogram: Array, counts: Array, means: Array, before: Array) -> Array:
    """The sizes (K,) that maximise the likelihood of histograms (K, T) of counts with these means.

    Where all counts are 0 every size is as good, and it stays. There is a finite maximum where the
    variance is above the mean (Levin & Reeds 1977, Annals of Statistics 5), and only one.
    """
    high = POISSON * np.maximum(1.0, means)
    n, t = histogram.sum(axis=1), counts
    known = (n > 0) & (means > 0)
    found = np.where(known, high, before)
    some = np.flatnonzero(known & (n * means**2 < histogram @ (t * (t - 1))))
    if len(some):
        h, m, top = histogram[some], means[some], high[some]
        start = np.clip(before[some], 2 * LEAST, top / 2)
        low = np.full_like(top, LEAST)
        found[some] = falling_root(lambda s: slope(h, counts, m, s), start, low, top)
    return found


def information(means: Array, size: Array) -> Array:
    """What one count tells of log size, in the shape of the arrays (Anscombe 1950, Biometrika 37).

    s^2 sum_{j >= 1} j! q^(j + 1) / ((j + 1) s (s + 1) ... (s + j)), q = m / (m + s).
    """
    q = (means / (means + size))[..., None]
    s = size[..., None]
    j = np.arange(PIECE)
    # j! q^(j + 1) s^2 / (s ... (s + j)) of the term before the piece.
    last, total = q * s, np.zeros(size.shape)
    for first in range(1, TERMS, PIECE):
        terms = last * np.cumprod((first + j) * q / (s + first + j), axis=-1)
        total += (terms / (first + 1 + j)).sum(axis=-1)
        last = terms[..., -1:]
        if np.all(last[..., 0] <= 1e-12 * total):
            break
    return total

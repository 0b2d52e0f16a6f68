"""Poisson counts of which an interval is known: its probability and the mean there."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import xlogy

from mixtura.families.factorials import log_factorials
from mixtura.families.log_tails import gamma_tail
from mixtura.records import Array

# So many counts are added up one by one, and of a tail that float64 does not hold the terms until
# they no longer matter.
_FEW = 64
_HELD, _SMALL = 1e-280, 1e-17


def within(family: Any, lower: Array, upper: Array, rates: Array) -> tuple[Array, dict[str, Array]]:
    """As the `within` of Poisson: x p(x) = rate p(x - 1), so the mean is a ratio of probabilities
    (Johnson, Kemp & Kotz 2005, Univariate Discrete Distributions, section 4.10)."""
    first, last = np.floor(lower) + 1, np.floor(upper)
    log_p = log_between(first, last, rates)
    before = log_between(np.maximum(first - 1, 0.0), last - 1, rates)
    return log_p, {"sums": rates * np.exp(before - log_p)}


def log_between(first: Array, last: Array, rates: Array) -> Array:
    """log P(first <= x <= last), (m,), of counts: by incomplete gamma functions on the side of the
    rate where they are small (Abramowitz & Stegun 1964, 26.4.21), term by term where few."""
    few = last - first < _FEW
    right = first > rates
    left = last < rates
    with np.errstate(all="ignore"):
        above = [np.where(at > 0, gamma_tail(at, rates, -1.0), 1.0) for at in (first, last + 1)]
        below = [np.where(at > 0, gamma_tail(at, rates, 1.0), 0.0) for at in (first, last + 1)]
        above[1] = np.where(last < np.inf, above[1], 0.0)
        below[1] = np.where(last < np.inf, below[1], 1.0)
        p = np.where(right, above[0] - above[1], 1.0 - below[0] - above[1])
        p = np.where(left, below[1] - below[0], p)
        out = np.log(p)
    by_terms = few | (p < _HELD) & (right | left)
    if by_terms.any():
        out[by_terms] = _log_sum(first[by_terms], last[by_terms], rates[by_terms])
    return out


def _log_sum(first: Array, last: Array, rates: Array) -> Array:
    """The same by the terms both ways from the largest, so that none exceeds it."""
    top = np.clip(np.floor(rates), first, last)
    scale = xlogy(top, rates) - rates - log_factorials(np.maximum(top, 0.0))
    total = np.where(first <= last, 1.0, 0.0)
    # An empty interval is -1, where no ratio is.
    with np.errstate(all="ignore"):
        for step in (1, -1):
            x, term, live = top.copy(), np.ones(len(top)), first <= last
            while live.any():
                term = np.where(live, term * (rates / (x + 1) if step > 0 else x / rates), 0.0)
                x += step
                live &= (first <= x) & (x <= last) & (term > _SMALL * total)
                total[live] += term[live]
        return np.asarray(scale + np.log(total))

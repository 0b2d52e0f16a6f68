"""Negative binomial counts of which an interval is known: its probability, and what is met there.

The M-step of a size needs a histogram, so that is what an interval adds: its expected one. Of a
count with no upper bound the histogram has no end; how much of it lies above each bound is told
instead, and written out when parameters are at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import betainc, betaincc

from mixtura.families.factorials import log_factorials
from mixtura.families.intervals import Cells
from mixtura.families.sizes import rising
from mixtura.records import AnyArray, Array, Statistics

# So many counts are added up one by one, and of a tail that float64 does not hold the terms until
# they no longer matter.
_FEW = 64
_HELD, _SMALL = 1e-280, 1e-17
# Histograms are written out so far at most.
_MOST = 1 << 20


def log_density(x: Array, means: Array, size: Array) -> Array:
    """log p(x) by column; the arrays broadcast."""
    rest = x * np.log(means) - log_factorials(x) - (x + size) * np.log1p(means / size)
    return np.asarray(rising(x, size) + rest)


def log_between(first: Array, last: Array, means: Array, size: Array) -> Array:
    """log P(first <= x <= last), (m,), of counts: by incomplete beta functions on the side of the
    mean where they are small (Abramowitz & Stegun 1964, 26.5.26), term by term where few."""
    q = means / (size + means)
    right, left = first > means, last < means
    with np.errstate(all="ignore"):
        above = [_side(betainc, at, size, q, 1.0) for at in (first, last + 1)]
        below = [_side(betaincc, at, size, q, 0.0) for at in (first, last + 1)]
        above[1] = np.where(last < np.inf, above[1], 0.0)
        below[1] = np.where(last < np.inf, below[1], 1.0)
        p = np.where(right, above[0] - above[1], 1.0 - below[0] - above[1])
        p = np.where(left, below[1] - below[0], p)
        out = np.log(p)
    by_terms = (last - first < _FEW) | (p < _HELD) & (right | left)
    if by_terms.any():
        out[by_terms] = _log_sum(*(each[by_terms] for each in (first, last, means, size)))
    return out


def _side(function: Any, at: Array, size: Array, q: Array, none: float) -> Array:
    """P(x >= at), or P(x < at) by the other function; `none` from 0 on."""
    return np.where(at > 0, function(np.fmax(at, 1.0), size, q), none)


def _log_sum(first: Array, last: Array, means: Array, size: Array) -> Array:
    """The same by the terms both ways from the largest, so that none exceeds it."""
    q, one = means / (size + means), np.ones(len(first))
    top = np.clip(np.floor(np.maximum((size - 1.0) * (means / size), 0.0)), first, last)
    total = one.copy()
    for step in (1, -1):
        x, term, live = top.copy(), one, np.ones(len(top), dtype=bool)
        while live.any():
            up = (x + size) / np.maximum(x + 1.0, 1.0) * q
            # Below 0 nothing is left, and nothing is added.
            down = x / np.where(x > 0, (x - 1.0 + size) * q, 1.0)
            term = np.where(live, term * (up if step > 0 else down), 0.0)
            x += step
            live &= (first <= x) & (x <= last) & (term > _SMALL * total)
            total[live] += term[live]
    return np.asarray(log_density(top, means, size) + np.log(total))


def tail(first: int, means: float, size: float) -> Array:
    """P(x | x >= first) of first, first + 1, ..., until nothing of it is left to rounding."""
    x, count = first + np.arange(1 << 10), 1 << 10
    while True:
        log_p = log_density(x.astype(np.float64), np.array(means), np.array(size))
        ratio = (x[-1] + size) / (x[-1] + 1.0) * (means / (size + means))
        # Terms fall at least by this ratio from there on, so what follows is a geometric sum.
        if ratio < 1 and log_p[-1] - np.log1p(-ratio) < log_p.max() + np.log(_SMALL):
            break
        if count >= _MOST:
            break
        count *= 2
        x = first + np.arange(count)
    p = np.exp(log_p - log_p.max())
    return np.asarray(p / p.sum())


@dataclass(frozen=True)
class CountsBetween:
    """Densities and expected histograms of rows, of whose cells only intervals may be known."""

    family: Any
    cells: Cells
    params: Any

    @cached_property
    def kinds(self) -> list[tuple[int, AnyArray, AnyArray, Array, Array]]:
        """By column with bounds: (column, rows, which interval each has, first and last counts)."""
        found = []
        for j in np.flatnonzero(self.cells.bounded.any(axis=0)):
            rows = np.flatnonzero(self.cells.bounded[:, j])
            ends = np.stack([self.cells.lower[rows, j], self.cells.upper[rows, j]], axis=1)
            each, which = np.unique(np.floor(ends), axis=0, return_inverse=True)
            found.append((int(j), rows, which.ravel(), each[:, 0] + 1.0, each[:, 1]))
        return found

    def _log_p(self, j: int, first: Array, last: Array) -> Array:
        """log P of the intervals of column j, (K, intervals)."""
        arrays = self.params.means[:, [j]], self.params.sizes[:, [j]]
        shape = len(arrays[0]), len(first)
        each = (np.broadcast_to(array, shape).ravel() for array in (first, last, *arrays))
        return log_between(*each).reshape(shape)

    @cached_property
    def log_density(self) -> Array:
        """log p of exact cells and log P of the intervals of others, (n, K)."""
        out: Array = self.family.log_density(self.cells.exact, self.params)
        for j, rows, which, first, last in self.kinds:
            out[rows] += self._log_p(j, first, last).T[which]
        return out

    def statistics(self, resp: Array) -> Statistics:
        """The expected sums at these responsibilities."""
        found = self.family.statistics(self.cells.exact, resp, self.params)
        hits, starts = found.hits, np.cumsum((0, *self.family.levels))
        beyond = np.zeros_like(hits)
        for j, rows, which, first, last in self.kinds:
            each = [np.bincount(which, weights=r[rows], minlength=len(first)) for r in resp.T]
            mass = np.stack(each, axis=1)
            log_p = self._log_p(j, first, last)
            for u, (a, b) in enumerate(zip(first, last, strict=True)):
                if b == np.inf:
                    beyond[:, starts[j] + int(a) - 1] += mass[u]
                    continue
                x = np.arange(a, b + 1)
                log_x = log_density(x, self.params.means[:, [j]], self.params.sizes[:, [j]])
                shares = mass[u][:, None] * np.exp(log_x - log_p[:, [u]])
                hits[:, starts[j] + int(a) : starts[j] + int(b) + 1] += shares
        bounded: Statistics = self.family.with_beyond(found, hits, beyond)
        return bounded


def written_out(histogram: Array, beyond: Array, means: Array, sizes: Array) -> Array:
    """A column's expected histogram (K, counts), where so many rows (K, levels) are above each."""
    where = np.flatnonzero(beyond.any(axis=0))
    parts = [
        (k, a + 1, beyond[k, a] * tail(int(a) + 1, float(means[k]), float(sizes[k])))
        for k in range(len(beyond))
        for a in where
        if beyond[k, a] > 0
    ]
    longest = max([histogram.shape[1], *(a + len(each) for _, a, each in parts)])
    out = np.zeros((len(histogram), longest))
    out[:, : histogram.shape[1]] = histogram
    for k, a, each in parts:
        out[k, a : a + len(each)] += each
    return out

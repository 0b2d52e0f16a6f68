"""Where one more component of the same shape would raise a mixture's likelihood the most.

For components of one shape (Gaussians of one covariance, Poisson's law) the log-likelihood is
concave in the mixing distribution, and its slope from a mixture f towards a component phi_t is W D,
with

    D(t) = sum_i w_i phi_t(x_i) / f(x_i) / W - 1,    W = sum_i w_i

(Lindsay 1983, The geometry of mixture likelihoods, Annals of Statistics 11). So for every mixing
distribution H, of however many components, Jensen's inequality gives

    loglik(H) - loglik(f) <= W log(1 + sup D) <= W sup D.

Rows for Gaussians are whitened here, so that phi_t is the standard normal density about t.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from scipy.special import expit, gammaln, logit, logsumexp, xlogy

from mixtura.records import Array

# Numbers that are looked at together.
_BATCH = 1 << 22
# The first intervals, in standard deviations or counts, how many at most, and halvings.
_WIDE, _PIECES, _HALVINGS = 0.5, 4096, 80
# Relative: how near bounds are brought, in nats over all rows, and what rounding may have cost.
_NEAR, _ROUNDING = 1e-6, 1e-12
# In more columns: rows that are tried, ascents from the best of them and their steps.
_TRIED, _ASCENTS, _STEPS, _STILL = 1000, 32, 200, 1e-6
# The least weight with which a component joins.
_LEAST = 1e-12


class Highest(NamedTuple):
    """The highest point found: (d,), log(1 + D) there, and what that is nowhere above.

    `most` is NaN where nothing bounds it.
    """

    place: Array
    height: float
    most: float


# Middles (m,) and half-width r of intervals -> of the sum g of all rows' terms, each (m,): value
# and slope at the middles; within r the largest second derivatives and values, term by term.
Kernel = Callable[[Array, float], tuple[Array, Array, Array, Array]]


def highest(Z: Array, log_c: Array, weight: float, begin: Array) -> Highest:
    """The highest point of log sum_i exp(log_c_i - |Z_i - t|^2 / 2).

    Z (n, d) whitened rows, log_c (n,); weight is W; begin (m, d) are places to look at first. In
    one column by an interval bound, so that nothing is missed, to rounding.
    """
    if Z.shape[1] == 1:
        lift = float(log_c.max())
        kernel = _normal(Z[:, 0], np.exp(log_c - lift))
        return _bracketed(kernel, Z[:, 0], lift, weight)
    chosen = np.argsort(log_c)[-_TRIED // 2 :]
    drawn = np.random.RandomState(0).permutation(len(Z))[: _TRIED // 2]
    places = np.vstack([begin, Z[chosen], Z[drawn]])
    places = places[np.argsort(_heights(Z, log_c, places))[-_ASCENTS:]]
    for _ in range(_STEPS):
        moved = _shifted(Z, log_c, places)
        still = np.abs(moved - places).max() < _STILL
        places = moved
        if still:
            break
    heights = _heights(Z, log_c, places)
    best = int(heights.argmax())
    return Highest(places[best], float(heights[best]), np.nan)


def highest_rate(x: Array, log_c: Array, weight: float) -> Highest:
    """The same of log sum_i exp(log_c_i) P(x_i; t), P Poisson's law with rate t, by intervals.

    x (n,) counts.
    """
    counts, which = np.unique(x, return_inverse=True)
    lift = float(log_c.max())
    c = np.zeros(len(counts))
    np.add.at(c, which, np.exp(log_c - lift))
    return _bracketed(_poisson(counts, c), counts, lift, weight)


def _bracketed(kernel: Kernel, x: Array, lift: float, weight: float) -> Highest:
    """The highest point of the sum g, by branch and bound; `lift` is the logarithm of its unit.

    Each term is highest at its own x, so beyond all x the sum falls. Within r of m it is at most
    g(m) + |g'(m)| r + max(b, 0) r^2 / 2, b the sum of the largest second derivatives that its terms
    have there; where b < 0 it is concave, and no higher than g(m) + g'(m)^2 / (2 |b|).
    """
    slack = max(_NEAR / weight, _ROUNDING)
    low, high = float(x.min()), float(x.max())
    pieces = min(_PIECES, max(1, int(np.ceil((high - low) / _WIDE))))
    edges = np.linspace(low, high, pieces + 1)
    middle, r = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (high - low) / pieces
    place, best, most = low, 0.0, float(np.inf)
    for _ in range(_HALVINGS):
        g, upper = _bounded(kernel, len(x), middle, r)
        if g.max() > best:
            place, best = float(middle[g.argmax()]), float(g.max())
        enough = best * (1.0 + slack)
        most = max(enough, float(upper.max()))
        middle = middle[upper > enough]
        if not len(middle):
            break
        r = 0.5 * r
        middle = np.concatenate([middle - r, middle + r])
    return Highest(
        np.array([place]), float(lift + np.log(best)), float(lift + np.log(most) + _ROUNDING)
    )


def _bounded(kernel: Kernel, n: int, middle: Array, r: float) -> tuple[Array, Array]:
    """(g at the middles, upper bounds of g within r of them)."""
    values, uppers = [], []
    step = max(1, _BATCH // n)
    for start in range(0, len(middle), step):
        g, slope, bend, most = kernel(middle[start : start + step], r)
        plain = g + np.abs(slope) * r + 0.5 * np.maximum(bend, 0.0) * r**2
        with np.errstate(divide="ignore", invalid="ignore"):
            concave = np.where(bend < 0, g - 0.5 * slope**2 / bend, np.inf)
        values.append(g)
        uppers.append(np.minimum(np.minimum(plain, concave), most))
    return np.concatenate(values), np.concatenate(uppers)


def _normal(z: Array, c: Array) -> Kernel:
    """Terms c exp(-(z - t)^2 / 2)."""

    def at(middle: Array, r: float) -> tuple[Array, Array, Array, Array]:
        t = z[:, None] - middle
        terms = c[:, None] * np.exp(-0.5 * t**2)
        nearest = np.maximum(np.abs(t) - r, 0.0)
        # (t^2 - 1) exp(-t^2 / 2), a term's second derivative, is largest at sqrt(3).
        worst = np.clip(np.sqrt(3.0), nearest, np.abs(t) + r)
        bend = c @ ((worst**2 - 1.0) * np.exp(-0.5 * worst**2))
        return terms.sum(axis=0), (t * terms).sum(axis=0), bend, c @ np.exp(-0.5 * nearest**2)

    return at


def _poisson(x: Array, c: Array) -> Kernel:
    """Terms c P(x; t). As P(x)' = P(x - 1) - P(x), slopes are differences of such, and all of them
    have one peak, at their count."""
    below, lower = np.maximum(x - 1, 0)[:, None], np.maximum(x - 2, 0)[:, None]
    once, twice = np.where(x >= 1, c, 0.0), np.where(x >= 2, c, 0.0)
    counts = x[:, None]

    def at(middle: Array, r: float) -> tuple[Array, Array, Array, Array]:
        # Middles are within the counts, but a half-width may round to below zero.
        low, high = np.maximum(middle - r, 0.0), middle + r

        def top(of: Array) -> Array:
            return _law(of, np.clip(of, low, high))

        g, most = c @ _law(counts, middle), c @ top(counts)
        least = np.minimum(_law(below, low), _law(below, high))
        bend = twice @ top(lower) - 2.0 * (once @ least) + most
        return g, once @ _law(below, middle) - g, bend, most

    return at


def _law(x: Array, rate: Array) -> Array:
    """Poisson's probabilities of x at these rates."""
    return np.asarray(np.exp(xlogy(x, rate) - rate - gammaln(x + 1.0)))


def _batches(Z: Array, log_c: Array, places: Array) -> list[Array]:
    """The terms' logarithms, (n, some of the places), batch by batch."""
    step = max(1, _BATCH // len(Z))
    return [
        log_c[:, None] - 0.5 * cdist(Z, places[start : start + step], "sqeuclidean")
        for start in range(0, len(places), step)
    ]


def _heights(Z: Array, log_c: Array, places: Array) -> Array:
    return np.concatenate([logsumexp(part, axis=0) for part in _batches(Z, log_c, places)])


def _shifted(Z: Array, log_c: Array, places: Array) -> Array:
    """One step of mean shift, which never leads down: the terms' average place."""
    moved = []
    for part in _batches(Z, log_c, places):
        share = np.exp(part - part.max(axis=0))
        moved.append((share.T @ Z) / share.sum(axis=0)[:, None])
    return np.vstack(moved)


def joined(log_ratio: Array, w: Array) -> tuple[float, float]:
    """(the best weight of a component that joins, nats that it gains with the others scaled down).

    log_ratio (n,) is that of its density and the mixture's, w (n,) the row weights.
    """
    total = float(w.sum())

    def above(share: float) -> float:
        """Of the sign of the slope: the rows that it would hold, beyond its share of them."""
        return float(w @ expit(logit(share) + log_ratio)) / total - share

    if above(_LEAST) <= 0:
        return 0.0, 0.0
    share = 1.0 - _LEAST
    if above(share) < 0:
        share = float(brentq(above, _LEAST, share))
    return share, float(w @ np.logaddexp(np.log1p(-share), np.log(share) + log_ratio))

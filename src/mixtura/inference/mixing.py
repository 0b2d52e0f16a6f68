"""Where one more component of the same shape would raise a mixture's likelihood the most.

For a kernel of one shape the log-likelihood is concave in the mixing distribution, and its slope
from a mixture f towards a component at t is the sum of w_i D, with

    D(t) = sum_i w_i phi(x_i - t) / f(x_i) / W - 1,    W = sum_i w_i

(Lindsay 1983, The geometry of mixture likelihoods, Annals of Statistics 11). So for every mixing
distribution H, of however many components, Jensen's inequality gives

    loglik(H) - loglik(f) <= W log(1 + sup D) <= W sup D.

Rows are whitened here, so that phi is the standard normal density.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from scipy.special import expit, logit, logsumexp

from mixtura.records import Array

# Numbers that are looked at together.
_BATCH = 1 << 22
# The first intervals, in standard deviations, and halvings at most.
_WIDE, _HALVINGS = 0.5, 60
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


def highest(Z: Array, log_c: Array, weight: float, begin: Array) -> Highest:
    """The highest point of log sum_i exp(log_c_i - |Z_i - t|^2 / 2).

    Z (n, d) whitened rows, log_c (n,); weight is W; begin (m, d) are places to look at first. In
    one column by an interval bound, so that nothing is missed, to rounding.
    """
    if Z.shape[1] == 1:
        return _bracketed(Z[:, 0], log_c, weight)
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


def _bracketed(z: Array, log_c: Array, weight: float) -> Highest:
    """The same on a line, by branch and bound.

    Within r of m the sum g is at most g(m) + |g'(m)| r + max(b, 0) r^2 / 2, b the sum of the
    largest second derivatives that its terms have there; where b < 0 it is concave, and no higher
    than g(m) + g'(m)^2 / (2 |b|). Outside the rows it falls.
    """
    lift = float(log_c.max())
    c = np.exp(log_c - lift)
    slack = max(_NEAR / weight, _ROUNDING)
    pieces = max(1, int(np.ceil((z.max() - z.min()) / _WIDE)))
    edges = np.linspace(z.min(), z.max(), pieces + 1)
    middle, r = 0.5 * (edges[1:] + edges[:-1]), 0.5 * (z.max() - z.min()) / pieces
    place, best, most = float(z[0]), 0.0, float(np.inf)
    for _ in range(_HALVINGS):
        g, upper = _bounded(z, c, middle, r)
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


def _bounded(z: Array, c: Array, middle: Array, r: float) -> tuple[Array, Array]:
    """(g at the middles, upper bounds of g within r of them)."""
    g, upper = np.empty(len(middle)), np.empty(len(middle))
    step = max(1, _BATCH // len(z))
    for start in range(0, len(middle), step):
        part = slice(start, start + step)
        t = z[:, None] - middle[part]
        terms = c[:, None] * np.exp(-0.5 * t**2)
        g[part] = terms.sum(axis=0)
        slope = np.abs((t * terms).sum(axis=0))
        # (t^2 - 1) exp(-t^2 / 2), a term's second derivative, is largest at sqrt(3).
        worst = np.clip(np.sqrt(3.0), np.maximum(np.abs(t) - r, 0.0), np.abs(t) + r)
        bend = c @ ((worst**2 - 1.0) * np.exp(-0.5 * worst**2))
        plain = slope * r + 0.5 * np.maximum(bend, 0.0) * r**2
        with np.errstate(divide="ignore", invalid="ignore"):
            concave = np.where(bend < 0, -0.5 * slope**2 / bend, np.inf)
        upper[part] = g[part] + np.minimum(plain, concave)
    return g, upper


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

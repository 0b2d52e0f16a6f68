"""A mixture of Gaussians on a line: distribution function, quantiles, turning points.

Everything is computed by logarithms from the nearer tail, so that a probability of 1e-300 keeps
its digits. A quantile is bracketed by the components' own quantiles of that level, between which
the mixture's must lie, and found by Newton's method on the logarithm of the distribution function,
with a bisection whenever a step leaves the bracket and in every third step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri

from mixtura.inference.gaussians import LOG_2PI, Gaussians
from mixtura.records import AnyArray, Array

EPS = float(np.finfo(float).eps)
STEPS = 400
# Turning points are looked for on a grid this fine and this wide about each component, in its own
# standard deviations. Beyond, its density is below 1e-17 of its peak's.
FINE, WIDE = 0.05, 9.0


@dataclass(frozen=True)
class Line:
    """Components on a line with weight above 0: log_weights, means, sds, each (K,)."""

    log_weights: Array
    means: Array
    sds: Array

    @property
    def mirrored(self) -> Line:
        """The mixture of -x."""
        return Line(self.log_weights, -self.means, self.sds)

    def log_density(self, x: Array) -> Array:
        """log P(x)."""
        return np.asarray(logsumexp(self._log_joint(x), axis=-1))

    def _log_joint(self, x: Array) -> Array:
        z = (x[..., None] - self.means) / self.sds
        return np.asarray(self.log_weights - np.log(self.sds) - 0.5 * (z**2 + LOG_2PI))

    def slope(self, x: Array) -> Array:
        """d log P(x) / dx."""
        joint = self._log_joint(x)
        resp = np.exp(joint - logsumexp(joint, axis=-1, keepdims=True))
        return np.asarray((resp * (self.means - x[..., None]) / self.sds**2).sum(axis=-1))

    def cdf(self, x: Array) -> Array:
        """P(X <= x)."""
        z = (x[..., None] - self.means) / self.sds
        return np.asarray(np.minimum(ndtr(z) @ np.exp(self.log_weights), 1.0))

    def log_cdf(self, x: Array) -> Array:
        """log P(X <= x)."""
        z = (x[..., None] - self.means) / self.sds
        return np.asarray(logsumexp(self.log_weights + log_ndtr(z), axis=-1))

    def lower_quantile(self, p: Array) -> Array:
        """x with P(X <= x) = p, for 0 <= p <= 1/2; (m,)."""
        own = self.means + self.sds * ndtri(p)[:, None]
        low, high = own.min(axis=1), own.max(axis=1)
        out: Array = np.array(low)
        todo = np.flatnonzero(low < high)
        low, high = low[todo], high[todo]
        x, level = 0.5 * (low + high), np.log(p[todo])
        for step in range(STEPS):
            over = self.log_cdf(x) - level
            low, high = np.where(over < 0, x, low), np.where(over < 0, high, x)
            # In a gap between groups the density may be 0: no step, and so a bisection.
            with np.errstate(over="ignore", invalid="ignore"):
                newton = x - over * np.exp(over + level - self.log_density(x))
            inside = (low < newton) & (newton < high) & (step % 3 != 2)
            new = np.where(inside, newton, 0.5 * (low + high))
            near = 2 * EPS * (np.abs(x) + self.sds.min())
            done = (over == 0) | (np.abs(new - x) <= near) & (inside | (high - low <= near))
            out[todo] = np.where(over == 0, x, new)
            if done.all():
                break
            keep = ~done
            todo, low, high, x, level = (a[keep] for a in (todo, low, high, new, level))
        return out

    def turning_points(self) -> Array:
        """Where the density turns from rising to falling or back, in order.

        All lie between the outermost means, and next to a component: a wiggle narrower than 1/20
        of the standard deviation of the component that makes it would be missed.
        """
        offsets = np.arange(-WIDE, WIDE + FINE / 2, FINE)
        grid = np.unique(self.means[:, None] + self.sds[:, None] * offsets)
        return self._crossings(grid, self.slope)

    def crossings(self, edges: Array, level: float) -> Array:
        """Where log P(x) is `level`, between edges among which it only rises or only falls."""
        return self._crossings(edges, lambda x: self.log_density(x) - level)

    def _crossings(self, grid: Array, function: Callable[[Array], Array]) -> Array:
        up = function(grid) > 0
        at = np.flatnonzero(up[1:] != up[:-1])
        low, high, rising = grid[at], grid[at + 1], up[at + 1]
        while True:
            middle = 0.5 * (low + high)
            if bool(np.all((middle <= low) | (middle >= high))):
                return np.asarray(middle)
            above = (function(middle) > 0) == rising
            low, high = np.where(above, low, middle), np.where(above, middle, high)


def line(mixture: Gaussians) -> Line:
    """A mixture over one column as a `Line`."""
    some = mixture.weights > 0
    return Line(mixture.log_weights[some], mixture.means[some, 0], mixture.roots[some, 0, 0])


def cdf(mixture: Gaussians, x: AnyArray, upper: bool) -> Array:
    """P(X <= x), or P(X > x) if upper, in the shape of x."""
    on = line(mixture)
    x = np.asarray(x, dtype=np.float64)
    return on.mirrored.cdf(-x) if upper else on.cdf(x)


def quantile(mixture: Gaussians, p: AnyArray, upper: bool) -> Array:
    """x with P(X <= x) = p, or P(X > x) = p if upper, in the shape of p."""
    on, p = line(mixture), np.asarray(p, dtype=np.float64)
    if upper:
        on = on.mirrored
    flat = p.ravel()
    small = flat <= 0.5
    out = np.empty(len(flat))
    out[small] = on.lower_quantile(flat[small])
    out[~small] = -on.mirrored.lower_quantile(1 - flat[~small])
    return np.asarray((-out if upper else out).reshape(p.shape))

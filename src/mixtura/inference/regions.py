"""Highest-density regions: the smallest set that holds a given share of a mixture.

It is where the density is above a level, and may be in several pieces (Hyndman 1996, Computing and
graphing highest density regions, The American Statistician 50). The level is the quantile of
log P(X), X drawn from the mixture: found by drawing, with the standard error that order statistics
give; exact for one component, whose log-density is a chi-squared variable, and on a line, where
the pieces are intervals between roots.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from mixtura.inference.gaussians import LOG_2PI, Estimate, Gaussians
from mixtura.inference.line import Line, line
from mixtura.records import Array


def level(mixture: Gaussians, coverage: float, n: int, rng: np.random.RandomState) -> Estimate:
    """The log-density above which the mixture has the share `coverage` of its mass."""
    d = mixture.means.shape[1]
    if len(mixture.weights) == 1:
        half_log_det = np.log(np.diagonal(mixture.roots[0])).sum()
        peak = -half_log_det - 0.5 * d * LOG_2PI
        return Estimate(float(peak - 0.5 * chi2.ppf(coverage, d)), 0.0)
    if d == 1:
        return Estimate(_line_level(line(mixture), coverage), 0.0)
    heights = np.sort(mixture.log_density(mixture.sample(n, rng)))
    rank, off = (1 - coverage) * n, math.sqrt(coverage * (1 - coverage) * n)
    low, high = np.clip([rank - off, rank + off], 0, n - 1).astype(np.int64)
    value = np.quantile(heights, 1 - coverage)
    return Estimate(float(value), float(heights[high] - heights[low]) / 2)


def intervals(mixture: Gaussians, log_level: float) -> Array:
    """Where the density of a mixture on a line is above a level: (m, 2), in order."""
    on = line(mixture)
    return _pieces(on, on.turning_points(), log_level)


def _line_level(on: Line, coverage: float) -> float:
    turns = on.turning_points()
    top = float(on.log_density(turns).max())

    def missing(log_level: float) -> float:
        """Mass outside the region, minus what may be."""
        low, high = _pieces(on, turns, log_level).T
        ends = np.append(-np.inf, high), np.append(low, np.inf)
        return _mass(on, *ends) - (1 - coverage)

    below = 1.0
    while missing(top - below) > 0:
        below *= 2
    # At the top the region has no mass: roots do not go there.
    depth = brentq(lambda depth: missing(top - depth), 0.0, below, xtol=1e-14, rtol=1e-14)
    return top - float(depth)


def _mass(on: Line, low: Array, high: Array) -> float:
    """The mass of intervals, each from the tail in which it has more digits."""
    left = on.cdf(high) - on.cdf(low)
    right = on.mirrored.cdf(-low) - on.mirrored.cdf(-high)
    return float(np.where(on.cdf(low) > 0.5, right, left).sum())


def _pieces(on: Line, turns: Array, log_level: float) -> Array:
    # So far out that every component alone is below the level.
    peaks = -np.log(on.sds) - 0.5 * LOG_2PI
    reach = on.sds * np.sqrt(2 * np.maximum(peaks - log_level, 0.0) + 1.0)
    edges = np.concatenate([[(on.means - reach).min()], turns, [(on.means + reach).max()]])
    # Below the level at both ends, so that crossings come in pairs.
    return on.crossings(edges, log_level).reshape(-1, 2)

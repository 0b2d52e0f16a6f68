"""Poisson densities, of counts so large that their terms cancel about their modes."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from mixtura.families.factorials import log_factorials
from mixtura.records import Array

# Up to this count x log x has an error of 1e-8; counts above it are told about their modes.
LARGE = 1e6
# From here on three terms of Stirling's series are exact.
_STIRLING = 1e3


def log_masses(x: Array, seen: Array, rates: Array) -> Array:
    """log p(x | rate), summed over the columns that are seen, (n, K).

    Of large counts -rate D(x / rate) + c(x), D(u) = u log u - u + 1: Loader (2000), Fast and
    accurate computation of binomial probabilities. x (n, d) is 0 where nothing is seen, seen
    (n, d) or (1, d).
    """
    if not x.size or x.max() <= LARGE:
        small = log_factorials(x).sum(axis=1, keepdims=True)
        return np.asarray(x @ np.log(rates).T - seen @ rates.T - small)
    constant = (_at_mode(x) * seen).sum(axis=1)
    return np.stack([constant - (_deviance(x, rate) * seen).sum(axis=1) for rate in rates], axis=1)


def _deviance(x: Array, rate: Array) -> Array:
    """x log(x / rate) - x + rate, by how far x is from the rate."""
    # Of what is far away only the other form is used.
    with np.errstate(over="ignore", invalid="ignore"):
        away = (x - rate) / rate
        near = rate * ((1.0 + away) * np.log1p(np.maximum(away, -0.5)) - away)
        far = xlogy(x, x) - x * np.log(rate) - x + rate
    return np.where(np.abs(away) < 0.5, near, far)


def _at_mode(x: Array) -> Array:
    """x log x - x - log x!: the density where the rate is the count."""
    large = np.maximum(x, _STIRLING)
    series = 1.0 / (12.0 * large) - 1.0 / (360.0 * large**3)
    few = np.minimum(x, _STIRLING)
    direct = xlogy(few, few) - few - log_factorials(few)
    return np.where(x > _STIRLING, -0.5 * np.log(2 * np.pi * large) - series, direct)

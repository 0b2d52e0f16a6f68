"""Roots of falling functions of positive numbers: Newton's method, kept between two bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.records import Array

# Bisection alone needs so many halvings of the logarithms that numbers have, to their last digit.
STEPS = 100
# A step of so many of the last digits ends it; one shorter than this is Newton's at its fastest.
LAST, SHORT = 4 * float(np.finfo(np.float64).eps), 1e-6


def falling_root(
    function: Callable[[Array], tuple[Array, Array]], start: Array, low: Array, high: Array
) -> Array:
    """Where each of several functions of a positive number is 0, or the bound nearest to it.

    `function(x)` returns their values and their derivatives in log x, each in the shape of x, and
    falls from `low` to `high`. Newton's steps are taken in log x; one that leaves the bounds, which
    close in, or does not shorten them fast enough is replaced by halving.
    """
    low, high = np.log(low) + np.zeros(start.shape), np.log(high) + np.zeros(start.shape)
    at = np.clip(np.log(start), low, high)
    before, done = high - low, np.zeros(start.shape, dtype=bool)
    for _ in range(STEPS):
        value, slope = function(np.exp(at))
        low, high = np.where(value > 0, at, low), np.where(value > 0, high, at)
        step = -np.divide(value, slope, out=np.full_like(at, np.inf), where=slope < 0)
        size, inside = np.abs(step), (at + step >= low) & (at + step <= high)
        # Steps this short that grow shorter no more are rounding.
        last = (size <= LAST * np.maximum(1.0, np.abs(at))) | (size < SHORT) & (2 * size > before)
        sound = inside & ((2 * size <= before) | last)
        new = np.where(sound, at + step, 0.5 * (low + high))
        at, before = np.where(done, at, new), np.where(done, before, np.abs(new - at))
        done |= sound & last | (high - low <= LAST * np.maximum(1.0, np.abs(at)))
        if done.all():
            break
    return np.asarray(np.exp(at))

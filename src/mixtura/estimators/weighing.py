"""What row weights mean: how often a row was seen, or how much it is to count.

Counts are taken as they are: a weight of 2 is the row twice, and the n of every criterion is their
sum. Weights of importance have no scale of their own; they are given the one in which their sum is
the number of equally weighted rows that would tell as much, (sum w)^2 / sum w^2.
Source: Kish (1965), Survey Sampling, section 11.7.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from mixtura.data.streamed import Streamed
from mixtura.records import Array

COUNTS, IMPORTANCE = MEANINGS = ("counts", "importance")


class LightWeightsWarning(UserWarning):
    """The weights sum to less than the number of rows, and n with them."""


def scaled(w: Array, weights: str) -> Array:
    """Weights (n,) as they count."""
    if weights == COUNTS or not w.any():
        return w
    # By their largest first: their squares may leave float64.
    w = w / w.max()
    return np.asarray(w * (w.sum() / (w @ w)))


def weighed(source: Streamed, weights: str) -> Streamed:
    """The same table with weights as they count."""
    squares = source.survey.squares
    return source if weights == COUNTS or not squares else source.scaled(source.weight / squares)


def light(weight: float, rows: int) -> bool:
    """Whether weights of so many rows sum to fewer, beyond rounding."""
    return weight < rows and not math.isclose(weight, rows, rel_tol=1e-9)


def doubt(weight: float, rows: int) -> str:
    """What a criterion means where weights are light, and what to do."""
    n = f"{weight:.4g}"
    return (
        f"the weights of {rows:,} rows sum to {n}, and a weight of 2 is the row twice: BIC, and "
        f"the number of components it prefers, are those of a table of {n} row{'s' * (n != '1')}. "
        "If the weights say how much a row is to count, not how often it was seen, use "
        "weights='importance' (--importance), which makes n = (sum w)^2 / sum w^2"
    )


def doubt_light(weight: float, rows: int) -> None:
    """Warn the caller's caller where weights are light."""
    if light(weight, rows):
        warnings.warn(doubt(weight, rows), LightWeightsWarning, stacklevel=3)

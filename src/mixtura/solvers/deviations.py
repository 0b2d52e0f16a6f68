"""Variances of estimates, from the curvature of the log-likelihood at its top."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.records import Array
from mixtura.solvers.certificate import FLAT
from mixtura.solvers.charted import Charted
from mixtura.solvers.curvature import information

# Steps along the chart by which parameters are differentiated, in its units.
_STEP = 1e-5


def inverse_roots(here: Charted) -> Array | None:
    """Columns whose outer products add up to the inverse observed information in the chart.

    A pass for each of its numbers. None where the log-likelihood is flat or rises in a direction.
    Louis (1982), J. Royal Statistical Society B 44.
    """
    weight = here.centre.summary.weight
    values, directions = np.linalg.eigh(information(here) * weight)
    if not values.min(initial=np.inf) >= FLAT * weight:
        return None
    return np.asarray(directions / np.sqrt(values))


def variances(chart: Any, roots: Array, name: str) -> Array:
    """Those of a parameter's numbers, in its shape, by its slopes (the delta method)."""
    variance: Any = 0.0
    for root in roots.T:
        step = root * (_STEP / np.linalg.norm(root))
        high, low = (chart.params(sign * step).arrays()[name] for sign in (1, -1))
        variance = variance + (np.linalg.norm(root) * (high - low) / (2 * _STEP)) ** 2
    return np.asarray(variance)

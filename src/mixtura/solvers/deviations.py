"""Variances of estimates, from the curvature of the log-likelihood at its top."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.records import Array
from mixtura.solvers.certificate import FLAT
from mixtura.solvers.charted import Charted
from mixtura.solvers.curvature import information

# Steps along the chart by which parameters are differentiated, in its units.
_STEP = 1e-5
# A number whose slope is less than this share of the largest one along a coordinate stays there.
_STAYS = 1e-8


def observed(here: Charted, slopes: dict[str, Array]) -> tuple[Array, NDArray[np.bool_]] | None:
    """(the observed information in the chart, which of its numbers rows tell of).

    A pass for each number. One of which rows tell nothing, and which moves one parameter's number
    alone or none, stands at an edge of what is possible: it is held, and the others are judged as
    if it were known. None where the log-likelihood is flat or rises in another direction.
    Louis (1982), J. Royal Statistical Society B 44.
    """
    weight = here.centre.summary.weight
    found = information(here)
    moved = sum(
        (np.abs(each) > _STAYS * _largest(slopes)).reshape(-1, here.chart.size).sum(axis=0)
        for each in slopes.values()
    )
    told = np.abs(found).max(axis=1, initial=0.0) >= FLAT
    kept = np.asarray((moved > 1) | (told & (moved > 0)))
    if not np.linalg.eigvalsh(found[np.ix_(kept, kept)]).min(initial=np.inf) >= FLAT:
        return None
    return found * weight, kept


def _largest(slopes: dict[str, Array]) -> Array:
    each = [np.abs(one).reshape(-1, one.shape[-1]).max(axis=0) for one in slopes.values()]
    return np.asarray(np.max(each, axis=0))


def inverse_roots(information: Array, kept: NDArray[np.bool_]) -> Array:
    """Columns whose outer products add up to the inverse of what is `kept` of it, 0 elsewhere."""
    values, directions = np.linalg.eigh(information[np.ix_(kept, kept)])
    roots = np.zeros((len(kept), len(values)))
    roots[kept] = directions / np.sqrt(values)
    return roots


def slopes(chart: Any) -> dict[str, Array]:
    """The derivatives of the parameters' numbers by the chart's at its centre, (..., size)."""
    found = []
    for unit in np.eye(chart.size):
        high, low = (chart.params(sign * _STEP * unit).arrays() for sign in (1, -1))
        found.append({name: (high[name] - low[name]) / (2 * _STEP) for name in high})
    return {name: np.stack([one[name] for one in found], axis=-1) for name in found[0]}


def variances(slopes: Array, roots: Array) -> Array:
    """Those of a parameter's numbers, in its shape, by its slopes (the delta method)."""
    return np.asarray(((slopes @ roots) ** 2).sum(axis=-1))

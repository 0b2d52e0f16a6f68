"""Whether the objective rises from the edge of the parameters inwards, and from where to go on.

At a maximum a number on an edge has no slope inwards (Karush-Kuhn-Tucker; Nocedal & Wright 2006,
Numerical Optimization, section 12.3). EM's own step tells: it multiplies a probability by the slope
in it over that of its simplex, so one just inside grows exactly where the objective rises. It grows
by that factor only, so from 1e-12 the climb stands as still as at a maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.errors import FAILURES
from mixtura.models.base import Model
from mixtura.records import Array
from mixtura.solvers.climb import Climb, objective_at
from mixtura.solvers.problem import SweepLike
from mixtura.supports import Support

Cells = Mapping[str, NDArray[np.bool_]]

# How far inside the edge EM's step is looked at: its factor is the edge's own to about 8 digits.
INSIDE = 1e-8
# Growth by less is rounding, or a gain too small to matter.
MARGIN = 1e-6
# How far those that rise are lifted; the objective along that way has one peak, or nearly.
LIFTS = tuple(0.3 * 0.3**power for power in range(14))


def uphill(model: Model, sweep: SweepLike, climb: Climb, least: float) -> Any | None:
    """Parameters off the edge, higher than the climb's end by more than `least`; None for none.

    Where numbers lie on an edge that costs a pass, and up to 14 more where some rise.
    """
    supports, arrays = model.edges(climb.params), climb.params.arrays()
    found = {name: each.at_edge(arrays[name]) for name, each in supports.items()}
    at = {name: cells for name, cells in found.items() if cells.any()}
    if not at:
        return None
    try:
        inside = _lifted(model, climb.params, at, INSIDE)
        after = model.m_step(sweep(inside), inside).arrays()
        rising = {
            name: cells & _grown(supports[name], inside.arrays()[name], after[name])
            for name, cells in at.items()
        }
        return _highest(model, sweep, climb, rising, least) if _any(rising) else None
    except FAILURES:
        return None


def _any(cells: Cells) -> bool:
    return any(each.any() for each in cells.values())


def _grown(support: Support, before: Array, after: Array) -> NDArray[np.bool_]:
    return np.asarray(support.inside(after) > (1.0 + MARGIN) * support.inside(before))


def _lifted(model: Model, params: Any, cells: Cells, by: float) -> Any:
    """The same with these numbers so far off their edges."""
    supports, arrays = model.edges(params), params.arrays()
    found = {name: supports[name].lifted(arrays[name], cells[name], by) for name in cells}
    return model.with_arrays(params, found)


def _highest(
    model: Model, sweep: SweepLike, climb: Climb, rising: Cells, least: float
) -> Any | None:
    """The highest point of the way on which these numbers are lifted together."""
    top, best = -np.inf, None
    for by in LIFTS:
        params = _lifted(model, climb.params, rising, by)
        value = objective_at(model, sweep(params), params)
        if value <= top:
            break
        if np.isfinite(value):
            top, best = value, params
    return best if top > climb.objective + least else None

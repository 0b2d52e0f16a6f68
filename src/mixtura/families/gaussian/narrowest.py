"""How narrow a component may be before its width is taken for rounding.

What is constant, or a sum of other columns, is often so but for the rounding of whoever computed
it (differences of times, residuals of an exact fit, principal components), which says nothing of
groups: hence a share of the table's variance. A group narrower than that is believed where its
numbers hardly ever repeat, as rounded ones do, and where it is far wider than float64's steps at
the largest number of the column, in which what was computed is rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.families.collapse import NUMERIC_SPREAD, few_rows
from mixtura.records import AnyArray, Array

# Values of a column that are looked at.
_LOOKED = 2048
# Of the rows of a group so many have numbers of their own.
_DIFFERENT = 0.5
# Steps at the largest number of a column that what was computed may be off: 1e-12 of it in float64.
_STEPS = 2.0**12


def numeric_steps(X: AnyArray, w: Array, variances: Array) -> Array | None:
    """How wide a component is in each column (d,), if that is no rounding; None: as in any table.

    X (n, d) are distinct rows, each there w (n,) times; `variances` (d,) are the table's.
    """
    some = slice(None, None, -(-len(X) // _LOOKED))
    ordinary = np.sqrt(NUMERIC_SPREAD * variances)
    steps = ordinary.copy()
    # Most tables have hardly a pair of numbers so near each other.
    apart = np.diff(np.sort(X[some], axis=0).astype(np.float64), axis=0)
    near = np.count_nonzero((apart > 0) & (apart <= ordinary), axis=0) >= few_rows(1) - 1
    for j in np.flatnonzero(near & (variances > 0)):
        steps[j] = min(steps[j], _step(X[some, j], w[some], ordinary[j]))
    return steps if (steps < ordinary).any() else None


def only_rounding(prior: Any, params: Any, spread: Array) -> AnyArray:
    """Which components have no width in some direction but by rounding, where `spread` (K,), or
    (1,) where it is shared, are their smallest variances as shares of the table's."""
    below = spread < NUMERIC_SPREAD
    if prior.steps is None or not below.any():
        return np.asarray(below)
    # A column that is constant in the whole table says nothing of widths.
    some = prior.steps > 0
    steps = prior.steps[some]
    if prior.form.correlates:
        widths = np.linalg.svd(params.root[:, some] / steps[:, None], compute_uv=False)
    else:
        variances = prior.form.variances(params.covariances, *params.means.shape)
        widths = np.sqrt(variances)[:, some] / steps
    return np.asarray(below & (widths.min(axis=-1) < 1.0))


def _step(column: AnyArray, w: Array, ordinary: float) -> float:
    """What is no rounding in a column with a group that is narrower than is ordinarily believed;
    infinity where there is none."""
    known = np.isfinite(column)
    values, place = np.unique(column[known], return_inverse=True)
    if len(values) < few_rows(1):
        return np.inf
    step = _STEPS * float(np.spacing(np.abs(values[[0, -1]]).max()))
    rows = np.bincount(place, weights=w[known])
    values = values.astype(np.float64)
    ends = np.flatnonzero(np.diff(values) > ordinary) + 1
    ends = np.concatenate([[0], ends, [len(values)]])
    for i in np.flatnonzero(np.diff(ends) >= few_rows(1)):
        group = slice(ends[i], ends[i + 1])
        different = ends[i + 1] - ends[i]
        if different >= _DIFFERENT * rows[group].sum() and values[group].std() > step:
            return step
    return np.inf

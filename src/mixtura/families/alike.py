"""Components that all are the whole table: the first parameters there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.families.priors import Flat
from mixtura.returned import is_own

# M-steps that a blend of old parameters and new may take to the table, and when it is there.
STEPS, THERE = 50, 1e-3


def all_alike(family: Any, sample: Rows, K: int) -> Any:
    """K components of these rows, each of which is given an even part of every row.

    A user's own M-step, or sums, that use `params` are given some: zeros of all free numbers at
    first, then what each step led to, until it stays there.
    """
    weights = np.ones(sample.n) if sample.sample_weight is None else sample.sample_weight
    resp = np.repeat(weights[:, None] / K, K, axis=1)
    X = np.asarray(sample.X, dtype=np.float64)
    try:
        return family.maximize(family.statistics(X, resp, None), None, Flat())
    except (AttributeError, TypeError):
        if not is_own(type(family)):
            raise
    shapes = family.shapes(K, X.shape[1])
    params = family.params(
        {
            name: support.unpack(np.zeros(support.size(shapes[name])), shapes[name])
            for name, support in family.supports().items()
        }
    )
    for _ in range(STEPS):
        before = params.arrays()
        params = family.maximize(family.statistics(X, resp, params), params, Flat())
        if all(np.allclose(a, before[name], THERE, 0.0) for name, a in params.arrays().items()):
            break
    return params

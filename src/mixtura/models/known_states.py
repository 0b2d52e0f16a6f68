"""Rows whose state or component somebody knows: no other emits them; or who says how likely."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray, Array


def as_known(log_density: Array, known: AnyArray | None) -> Array:
    """log p(x_t, what is known of z_t | z_t), (n, K): -inf where another state is known.

    known (n,) are states, -1 where nobody knows; or (n, K) the logarithms of what is known of each
    state: evidence, whose columns may be fewer where no later state is thought of. None leaves all
    as they are.
    """
    if known is None:
        return log_density
    if known.ndim == 2:
        found = np.full_like(log_density, -np.inf)
        found[:, : known.shape[1]] = log_density[:, : known.shape[1]] + known
        # Where nothing is said of a row, nothing is said of what is beside the components either.
        silent = ~known.any(axis=1)
        found[silent] = log_density[silent]
        return found
    rows = np.flatnonzero(known >= 0)
    found = np.array(log_density)
    found[rows] = -np.inf
    found[rows, known[rows]] = log_density[rows, known[rows]]
    return found

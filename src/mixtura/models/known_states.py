"""Steps whose state somebody knows: no other state emits them."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray, Array


def as_known(log_density: Array, known: AnyArray | None) -> Array:
    """log p(x_t, what is known of z_t | z_t), (n, K): -inf where another state is known.

    known (n,) are states, -1 where nobody knows; None leaves all as they are.
    """
    if known is None:
        return log_density
    rows = np.flatnonzero(known >= 0)
    found = np.array(log_density)
    found[rows] = -np.inf
    found[rows, known[rows]] = log_density[rows, known[rows]]
    return found

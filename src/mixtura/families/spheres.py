"""Normal components with one variance each, as methods of moments find them."""

from __future__ import annotations

from typing import NamedTuple

from mixtura.records import Array


class Spheres(NamedTuple):
    """K normal components with one variance each.

    weights (K,) on the simplex, means (K, d), variances (K,), which sampling error may turn
    negative, and `common`, their average by weight.
    """

    weights: Array
    means: Array
    variances: Array
    common: float

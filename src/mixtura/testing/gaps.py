"""Missing cells: left out of the density of a family that says `allows_gaps`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families.base import Family
from mixtura.records import Array
from mixtura.testing.requiring import require

# Rows that are looked at, how far from 0 a log-density may be by rounding, and one cell in so many
# that is taken away.
ROWS, ROUNDING, EVERY = 50, 1e-9, 8


def check_gaps(family: Family, X: Array, params: object) -> list[int]:
    """The columns whose cells may be missing: density leaves them out, and so do sums.

    Not those of a product's blocks that take no gaps.
    """
    rows, columns = X[:ROWS], []
    for j in range(X.shape[1]):
        holed = rows.copy()
        holed[:, j] = np.nan
        try:
            found = family.log_density(holed, params)
        except ValueError:
            continue
        columns.append(j)
        require(
            not np.isnan(found).any(),
            f"log_density: with column {j} missing (NaN) it is not a number: `allows_gaps` says "
            "that missing cells are left out of it, and of `statistics`",
        )
    require(bool(columns), "log_density: it takes no missing cell, and `allows_gaps` says so")
    if len(columns) == X.shape[1]:
        nothing = family.log_density(np.full((1, X.shape[1]), np.nan), params)
        require(
            bool((np.abs(nothing) <= ROUNDING).all()),
            f"log_density: of a row whose cells are all missing it is {nothing.flat[0]:.6g}, not "
            "0: `allows_gaps` says that missing cells (NaN) are left out of it",
        )
    return columns


def with_gaps(X: Array, columns: Sequence[int], rng: np.random.Generator) -> Array:
    """The same rows without some cells of these columns."""
    out = X.copy()
    for j in columns:
        out[rng.permutation(len(X))[: len(X) // EVERY], j] = np.nan
    return out

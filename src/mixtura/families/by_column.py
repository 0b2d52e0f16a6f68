"""The portrait of a family that has none of its own: means and deviations, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mixtura.families.portrait import Column, Curve, Kind, Portrait, separation, spread_column
from mixtura.records import AnyArray, Array

PARAMETERS = "Parameters of each group."


class Shown(Protocol):
    """What is asked of a family for it."""

    @property
    def column_kind(self) -> Kind:
        """How cells are drawn."""
        ...

    @property
    def least(self) -> float:
        """Above what they lie."""
        ...

    @property
    def allows_gaps(self) -> bool:
        """Whether columns are independent."""
        ...

    def means(self, params: Any) -> Array:
        """(K, d)."""
        ...

    def variances(self, params: Any) -> Array:
        """(K, d)."""
        ...

    def log_density(self, X: AnyArray, params: Any) -> Array:
        """(n, K)."""
        ...


def by_column(family: Shown, params: Any, weights: Array, names: Sequence[str]) -> Portrait:
    """Means and deviations where the family tells them, else parameters; densities of columns."""
    name, words = type(family).__name__, "each group has its own density"
    if family.allows_gaps:
        numbers = "positive numbers" if family.least == 0 else "numbers"
        words = (
            f"{'counts' if family.column_kind == 'counts' else numbers}, independent within a group"
        )
    try:
        means, variances = family.means(params), family.variances(params)
    except NotImplementedError:
        column = _parameters(family, params, names)
        return Portrait(name, words, np.zeros(len(names)), column)

    def spread(j: int) -> Column:
        curve, ends = curve_of(family, params, j, len(names)), (family.least, np.inf)
        return spread_column(
            names[j], family.column_kind, means[:, j], np.sqrt(variances[:, j]), curve, ends
        )

    tells = separation(weights, means, variances)
    return Portrait(name, words, tells, spread, means=means, variances=variances)


def _parameters(family: Shown, params: Any, names: Sequence[str]) -> Callable[[int], Column]:
    """Columns whose cells are their parameters."""
    arrays = params.arrays()
    own = {name: a for name, a in arrays.items() if a.shape[1:] == (len(names),)}
    K = max(len(array) for array in arrays.values())

    def column(j: int) -> Column:
        cells = tuple(", ".join(f"{a[k, j]:.3g}" for a in own.values()) for k in range(K))
        curve = curve_of(family, params, j, len(names))
        kind, header, ends = family.column_kind, ", ".join(own), (family.least, np.inf)
        return Column(names[j], kind, cells, PARAMETERS, header, curve, ends=ends)

    return column


def curve_of(family: Shown, params: Any, j: int, d: int) -> Curve | None:
    """Column j of d alone, all others missing; None if the family does not know that."""
    if not family.allows_gaps and d > 1:
        return None

    def curve(x: Array) -> Array:
        rows = np.full((len(x), d), np.nan)
        rows[:, j] = x
        return np.asarray(np.exp(family.log_density(rows, params)))

    return curve

"""How much work a search puts into each cell: the rule behind effort="auto"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from mixtura.data.known_rows import KnownRows
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.gaussian.structured import MOST_COLUMNS
from mixtura.families.gaussian.covariance import STRUCTURES

EFFORTS = ("auto", "quick", "thorough")
# The passes of a quick search run in one thread each.
MOST_NUMBERS = 1 << 22


class Asked(Protocol):
    """The settings of a search that decide."""

    effort: str
    criterion: str
    init_params: str
    solver: Any
    engine: str
    noise: Any
    trim: float
    constraint: Any
    prior: Any


def effort_of(search: Asked, rows: Source, names: Iterable[str]) -> str:
    """Quick or thorough; `names` are the covariance types of the grid.

    ValueError for an unknown effort, and where quick cannot be.
    """
    if search.effort not in EFFORTS:
        raise ValueError(f"effort={search.effort!r}: choose from {', '.join(EFFORTS)}")
    reason = not_quick(search, rows, names)
    if search.effort == "quick" and reason:
        raise ValueError(f"effort='quick' {reason}: use effort='auto' or 'thorough'")
    return "quick" if search.effort != "thorough" and not reason else "thorough"


def not_quick(search: Asked, rows: Source, names: Iterable[str]) -> str:
    """Why cells cannot be fitted side by side; empty where they can."""
    if rows.apart:
        return "needs the rows in memory, and these lie in Dask partitions"
    if search.criterion == "heldout":
        return "fits no folds, which criterion='heldout' needs"
    assert isinstance(rows, Rows)
    if rows.measured:
        return f"knows no {' and '.join(rows.measured)}"
    if isinstance(rows, KnownRows):
        return "knows no labels"
    # A sum is NaN if one of its terms is, and takes no array of its own.
    if np.isnan(rows.X.sum()):
        return "is for whole rows, and X has missing cells"
    for name in ("noise", "trim", "constraint", "prior"):
        value = getattr(search, name)
        if value is not None and value is not False and value != 0:
            return f"knows no {name}, found {name}={value!r}"
    for name in ("init_params", "solver", "engine"):
        if getattr(search, name) != "auto":
            return f"goes its own way, found {name}={getattr(search, name)!r}"
    for name in names:
        if name not in STRUCTURES:
            return f"knows mclust's structures and their aliases, found covariance_type={name!r}"
    if rows.d > MOST_COLUMNS or rows.n * rows.d > MOST_NUMBERS:
        return (
            f"is for tables of at most {MOST_COLUMNS} columns and {MOST_NUMBERS:,} numbers, found "
            f"{rows.n} rows of {rows.d}"
        )
    return ""

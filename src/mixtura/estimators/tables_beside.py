"""Tables of numbers that go beside X, cell by cell: bounds and errors, as users hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data import door
from mixtura.data.exact import refuse_inexact
from mixtura.data.framed import framed
from mixtura.data.lazy import collected
from mixtura.data.nulls import as_nan
from mixtura.records import AnyArray, Array, Weights


def table_beside(name: str, given: Any, columns: Any, *, gaps: bool) -> Array:
    """The numbers as float64; where cells may be missing (`gaps`) a mask or a null is NaN.

    ValueError for dates, text and ragged rows, for a mask without `gaps`, and for a frame whose
    columns are not those of X (`columns`, None where X has no names).
    """
    given = as_nan(collected(door.host(given)), gaps)
    door.refuse_dask(given, name)
    door.refuse_masked(given, name)
    frame = framed(given)
    if frame is not None and columns is not None:
        found, wanted = list(map(str, frame.columns)), list(map(str, columns))
        if found != wanted:
            raise ValueError(
                f"{name} has the columns {', '.join(found)}, and X {', '.join(wanted)}: give those "
                "of X, in this order"
            )
    refuse_inexact(given, name)
    if frame is not None:
        # Nullable columns are objects to NumPy.
        given = np.column_stack([column.to_numpy() for column in frame.iter_columns()])
    return np.array(door.as_numbers(given, name))


def beside_rows(
    name: str, given: Any, columns: Any, there: AnyArray | None, absent: float
) -> Array:
    """The table `given` beside X, in which rows that are not there (None: all are) hold `absent`.

    Where that is NaN its own cells may be missing.
    """
    found = table_beside(name, given, columns, gaps=bool(np.isnan(absent)))
    if there is not None and len(found) == len(there):
        found[~there] = absent
    return found


def present(sample_weight: Weights) -> AnyArray | None:
    """Which rows count, by weights as they were given; None where all do."""
    if sample_weight is None:
        return None
    weights = door.weights_of(sample_weight)
    return None if weights.ndim != 1 else np.asarray(weights > 0)

"""What float64 cannot hold as the number it is: dates, and integers it cannot tell apart.

NumPy turns both into floats without a word, so columns are looked at before they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np

from mixtura.records import AnyArray

# Beyond this float64 cannot tell neighbouring integers apart.
EXACT_INTEGER = 2**53
DATES = "holds dates or times"
_COUNTED = (int, np.integer, Decimal)


def refuse_inexact(X: Any, name: str = "X") -> None:
    """ValueError, naming the column, for dates and for integers beyond 2**53.

    `X` is an array, a data frame, a list or whatever else NumPy takes for rows.
    """
    for column, found in _columns(X):
        if found is not None:
            remedy = "subtract an offset from them first"
            if found == DATES:
                remedy = "turn them into numbers first, such as days since the first one"
            raise ValueError(f"{name}: column {column} {found}: {remedy}")


def beyond(values: list[Any]) -> str | None:
    """What a column with these ends (None: missing) holds that float64 cannot tell apart."""
    largest = max((abs(value) for value in values if value is not None), default=0)
    if not largest > EXACT_INTEGER:
        return None
    return f"holds integers beyond 2**53 ({largest}), which float64 cannot tell apart"


def _columns(X: Any) -> Iterator[tuple[str, str | None]]:
    """Each column's name, and what is wrong with it."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        for column in frame.iter_columns():
            yield repr(column.name), _of_series(column)
        return
    for j, values in enumerate(_suspects(X).T):
        yield f"x{j + 1}", _of_values(values)


def _of_series(column: nw.Series[Any]) -> str | None:
    kind = column.dtype
    if kind.is_temporal():
        return DATES
    if kind.is_integer() or kind.is_decimal():
        return beyond([column.min(), column.max()])
    if kind in (nw.Object, nw.Unknown):
        return _of_objects(column.to_list())
    return None


def _suspects(X: Any) -> AnyArray:
    """Rows as an array whose columns may hold what is refused; one without columns if none can."""
    nothing = np.empty((0, 0))
    try:
        array = X if isinstance(X, np.ndarray) else np.asarray(X)
        if isinstance(X, list | tuple) and array.dtype.kind == "f":
            # Next to a fraction NumPy has made floats of the integers already.
            array = np.array(X, dtype=object) if (abs(array) >= EXACT_INTEGER).any() else nothing
    except (TypeError, ValueError, OverflowError):
        return nothing
    return array if array.ndim == 2 and array.dtype.kind in "iumMO" else nothing


def _of_values(values: AnyArray) -> str | None:
    if values.dtype.kind in "mM":
        return DATES
    if values.dtype.kind == "O":
        return _of_objects(values.tolist())
    return beyond([int(values.min()), int(values.max())]) if values.size else None


def _of_objects(values: list[Any]) -> str | None:
    kinds = set(map(type, values))
    spans = (timedelta, np.datetime64, np.timedelta64)
    if any(issubclass(kind, spans) or hasattr(kind, "strftime") for kind in kinds):
        return DATES
    if not any(issubclass(kind, _COUNTED) for kind in kinds):
        return None
    return beyond([v for v in values if isinstance(v, _COUNTED) and v == v])

"""What float64 cannot hold as the number it is: dates, integers it cannot tell apart, text.

NumPy turns the first two into floats without a word, so columns are looked at before they are.
What is no table, or no number at all, is refused here too, before NumPy does in its own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from datetime import timedelta
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np

from mixtura.data.framed import framed
from mixtura.records import AnyArray

# Beyond this float64 cannot tell neighbouring integers apart.
EXACT_INTEGER = 2**53
DATES = "holds dates or times"
_COUNTED = (int, np.integer, Decimal)
# In words that scikit-learn's contract knows.
_CELL = "and a cell of this argument must be a number, or a string that is a number"
_OTHERS = (str, bytes, type(None))
_DAYS = f"{DATES}: turn them into numbers first, such as days since the first one"


def refuse_inexact(X: Any, name: str = "X") -> None:
    """ValueError, naming the column, for dates, integers beyond 2**53 and text that is no number.

    `X` is an array, a data frame, a list or whatever else NumPy takes for rows; ValueError too for
    what is none, TypeError for cells that are neither numbers nor text.
    """
    for column, found in _columns(X, name):
        if found is not None:
            raise (TypeError if found.endswith(_CELL) else ValueError)(
                f"{name}: column {column} {found}"
            )


def is_na(value: Any) -> bool:
    """Whether it is what pandas has for a missing value, which is not even equal or unequal."""
    return type(value).__name__ == "NAType"


def beyond(values: list[Any]) -> str | None:
    """What a column with these ends (None: missing) holds that float64 cannot tell apart."""
    there = [value for value in values if not (value is None or is_na(value))]
    largest = max(map(abs, there), default=0)
    if not largest > EXACT_INTEGER:
        return None
    return f"holds integers beyond 2**53 ({largest}), which float64 cannot tell apart"


def _huge(values: list[Any]) -> str | None:
    found = beyond(values)
    return None if found is None else f"{found}: subtract an offset from them first"


def _text(values: Iterable[Any]) -> str | None:
    """What text there is, none that is blank before another; that of numbers is read as such."""
    odd = (str(v) for v in values if isinstance(v, str | bytes) and not _is_written(v))
    found = next(odd, None)
    if found is None:
        return None
    if not found.strip():
        found = next(filter(str.strip, odd), found)
    return (
        f"holds text ({found!r}): give numbers; categories to a family for them, or leave the "
        "column out"
    )


def _is_written(text: str | bytes) -> bool:
    """Whether it is a number in writing."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(X: Any, name: str) -> Iterator[tuple[str, str | None]]:
    """Each column's name, and what is wrong with it."""
    frame = framed(X)
    if frame is not None:
        for column in frame.iter_columns():
            yield repr(column.name), _of_series(column)
        return
    for j, values in enumerate(_suspects(X, name).T):
        yield f"x{j + 1}", _of_values(values)


def _of_series(column: nw.Series[Any]) -> str | None:
    kind = column.dtype
    if kind.is_temporal():
        return _DAYS
    if kind in (nw.String, nw.Categorical, nw.Enum):
        return _text(column.unique(maintain_order=True).to_list())
    if kind.is_integer() or kind.is_decimal():
        return _huge([column.min(), column.max()])
    if kind in (nw.Object, nw.Unknown):
        return _of_objects(column.to_list())
    return None


def _suspects(X: Any, name: str) -> AnyArray:
    """Rows as an array whose columns may hold what is refused; one without columns if none can."""
    nothing = np.empty((0, 0))
    try:
        array = X if isinstance(X, np.ndarray) else np.asarray(X)
        if isinstance(X, list | tuple) and array.dtype.kind == "f":
            # Next to a fraction NumPy has made floats of the integers already.
            array = np.array(X, dtype=object) if (abs(array) >= EXACT_INTEGER).any() else nothing
    except ValueError as error:
        raise _no_rows(X, name) from error
    except (TypeError, OverflowError):
        return nothing
    if array.dtype.kind == "c":
        # In words that scikit-learn's contract knows.
        raise ValueError(
            f"{name}: Complex data not supported (its type is {array.dtype}): give real and "
            "imaginary parts as columns of their own"
        )
    sparse = hasattr(X, "toarray")
    if not (array.ndim or sparse) or array.dtype.names or _of_mappings(array):
        raise _no_rows(X, name)
    return array if array.ndim == 2 and array.dtype.kind in "iumMOUS" else nothing


def _of_mappings(array: AnyArray) -> bool:
    return array.ndim == 1 and array.dtype == object and any(isinstance(v, Mapping) for v in array)


def _no_rows(X: Any, name: str) -> ValueError:
    """The refusal of what holds no rows of equal length."""
    parts = list(X) if isinstance(X, list | tuple) else [X]
    if len(lengths := {len(part) for part in parts if isinstance(part, Sized)}) > 1:
        found = " and ".join(map(str, sorted(lengths)[:2]))
        return ValueError(f"{name}: its rows have {found} values: give all the same columns")
    named = isinstance(parts[0], Mapping | np.ndarray) and f"make one by pandas.DataFrame({name})"
    return ValueError(
        f"{name} is no table of rows of numbers (its type is {type(X).__name__}): "
        f"{named or 'give an array or a data frame'}"
    )


def _of_values(values: AnyArray) -> str | None:
    if values.dtype.kind in "mM":
        return _DAYS
    if values.dtype.kind in "US":
        return _text(values.tolist())
    if values.dtype.kind == "O":
        return _of_objects(values.tolist())
    return _huge([int(values.min()), int(values.max())]) if values.size else None


def _is_number(kind: type) -> bool:
    return hasattr(kind, "__float__") or hasattr(kind, "__index__")


def _of_objects(values: list[Any]) -> str | None:
    kinds = set(map(type, values))
    spans = (timedelta, np.datetime64, np.timedelta64)
    if any(issubclass(kind, spans) or hasattr(kind, "strftime") for kind in kinds):
        return _DAYS
    strange = [kind for kind in kinds if not (_is_number(kind) or issubclass(kind, _OTHERS))]
    if strange:
        cell = next(value for value in values if type(value) is strange[0])
        return f"holds {cell!r} of type {strange[0].__name__}, {_CELL}"
    if any(issubclass(kind, str | bytes) for kind in kinds):
        return _text(values)
    if not any(issubclass(kind, _COUNTED) for kind in kinds):
        return None
    return _huge([v for v in values if isinstance(v, _COUNTED) and v == v])

"""A table file -> numbers: which columns, which weights, and what is refused with one message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixtura.data.categories import NUMBERS, Wanted
from mixtura.data.columns import (
    AMONG,
    CELLS,
    as_option,
    description,
    floats,
    is_number,
    is_text,
    kind_of,
    listed,
    plain,
)
from mixtura.data.dialect import Dialect
from mixtura.data.exact import beyond
from mixtura.data.files import AS_IT_LOOKS, read_frame, refuse_unwritable, remarks
from mixtura.data.refusal import TableError
from mixtura.records import AnyArray, Array, Categories

__all__ = [
    "Table",
    "TableError",
    "append_columns",
    "numeric_columns",
    "read_frame",
    "read_table",
    "refuse_unwritable",
    "remarks",
    "select",
]

# How many columns one message describes before it only counts.
_DESCRIBED = 4


@dataclass(frozen=True)
class NamedRows:
    """Rows ready for fitting.

    X (n, d) C-contiguous float64, names (d), sample_weight (n,) float64 or None; categories are
    what codes in X stand for.
    """

    X: Array
    names: tuple[str, ...]
    sample_weight: Array | None
    categories: Categories = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Table(NamedRows):
    """Rows ready for fitting, and the file's own columns.

    frame holds all columns as read, in the same row order. remarks say what was understood of the
    file that may have been meant otherwise.
    """

    frame: pa.Table
    remarks: tuple[str, ...] = ()


def read_table(
    path: str | Path,
    *,
    columns: list[str] | None = None,
    weights: str | None = None,
    exclude: list[str] | None = None,
    dialect: Dialect = AS_IT_LOOKS,
    wanted: Wanted = NUMBERS,
) -> Table:
    """Read the columns of a table file as numbers.

    Parameters
    ----------
    path : the file; its suffix (`files.KNOWN`) says how it is read
    columns : the columns to use, in this order; default all
    weights : the column of row weights, which is then not used as data
    exclude : columns to leave out
    dialect : how a text file is written, where that is to be said
    wanted : what columns may hold beside numbers; default nothing

    Raises
    ------
    TableError : anything that keeps the table from being used
    """
    frame = read_frame(path, dialect)
    table = select(frame, path, columns=columns, weights=weights, exclude=exclude, wanted=wanted)
    return replace(table, remarks=(*remarks(path, dialect), *table.remarks))


def select(
    frame: pa.Table,
    path: str | Path,
    *,
    columns: list[str] | None = None,
    weights: str | None = None,
    exclude: list[str] | None = None,
    first: int | None = None,
    wanted: Wanted = NUMBERS,
) -> Table:
    """`read_table` of what `read_frame` has read from `path`.

    first is the number of rows above the frame, where a file is read in parts.
    """
    chosen = _chosen(frame, path, columns, weights, exclude)
    row_numbers = [] if columns is not None else index_columns(frame, chosen)
    chosen = [name for name in chosen if name not in row_numbers] or chosen
    if columns is None:
        _refuse_row_numbers(path, chosen)
    numbers, categories = wanted.numbers(frame.select(chosen), path, first or 0)
    _refuse_not_numbers(numbers, path, chosen, chosen_by_name=columns is not None)
    refuse_inexact(numbers, path, chosen)
    X = np.empty((frame.num_rows, len(chosen)))
    for j, name in enumerate(chosen):
        X[:, j] = floats(numbers, name)
    _refuse_gaps(path, X, chosen, columns is not None, first or 0, wanted.gaps)
    w = None if weights is None else _weights(frame, path, weights, first or 0)
    if w is not None and first is None and not w.any():
        place = f"{path}: the weights column {weights!r}"
        raise TableError(f"{place} is zero in every row: nothing is left to use")
    left_out = tuple(_left_out(path, row_numbers))
    return Table(X, tuple(chosen), w, frame, left_out, categories=categories)


def numeric_columns(frame: pa.Table) -> list[str]:
    """The names of the columns that hold numbers, and not row numbers."""
    numbers = [name for name in frame.column_names if is_number(kind_of(frame, name))]
    rows = index_columns(frame, numbers)
    return [name for name in numbers if name not in rows]


def append_columns(frame: pa.Table, new: Mapping[str, AnyArray], path: str | Path) -> pa.Table:
    """`frame`, read from `path`, with more columns at its end; TableError if a name is taken."""
    taken = [name for name in new if name in frame.column_names]
    if taken:
        raise TableError(
            f"{path}: the table already has {listed(taken)}: put something before the new names "
            "with --prefix"
        )
    for name, values in new.items():
        frame = frame.append_column(name, pa.array(values))
    return frame


def _chosen(
    frame: pa.Table,
    path: str | Path,
    columns: list[str] | None,
    weights: str | None,
    exclude: list[str] | None,
) -> list[str]:
    """The names of the data columns, in order."""
    asked = [*(columns or []), *(exclude or []), *([] if weights is None else [weights])]
    _refuse_unknown(frame, path, asked)
    left_out = set(exclude or [])
    both = [name for name in columns or [] if name in left_out]
    if both:
        raise TableError(f"{path}: {listed(both)} is both chosen and excluded: do one of them")
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise TableError(f"{path}: {listed(twice)} is chosen twice: name each column once")
    wanted = frame.column_names if columns is None else columns
    chosen = [name for name in wanted if name not in left_out and name != weights]
    if not chosen:
        raise TableError(f"{path}: no column is left to use (of {listed(frame.column_names)})")
    return chosen


def _refuse_unknown(frame: pa.Table, path: str | Path, asked: list[str]) -> None:
    known = frame.column_names
    unknown = sorted(set(asked) - set(known), key=asked.index)
    if not unknown:
        return
    close = [get_close_matches(name, known, n=1, cutoff=0.5) for name in unknown]
    meant = [match[0] for match in close if match]
    hint = f" (did you mean {', '.join(map(repr, meant))}?)" if meant else ""
    raise TableError(f"{path}: there is no {listed(unknown)}{hint}; the table has {listed(known)}")


def _is_unnamed(name: str) -> bool:
    return name in ("", "Unnamed: 0") or name.startswith("__index_level_")


def index_columns(frame: pa.Table, names: list[str]) -> list[str]:
    """Which columns are the row numbers or row names that pandas and R write beside the data.

    They have no name of their own, and hold 0, 1, 2, ... or 1, 2, 3, ... or text.
    """
    return [name for name in names if _is_unnamed(name) and _counts_rows(frame, name)]


def _counts_rows(frame: pa.Table, name: str) -> bool:
    kind = kind_of(frame, name)
    if name.startswith("__index_level_") or is_text(kind):
        return True
    if not is_number(kind):
        return False
    values = floats(frame, name)
    return len(values) > 0 and values[0] in (0, 1) and bool((np.diff(values) == 1).all())


def _left_out(path: str | Path, names: list[str]) -> list[str]:
    return [
        f"{f'column {name!r}' if name else 'the column without a name'} in {path} holds row "
        "numbers or names and is left out: name it in --columns to use it"
        for name in names
    ]


def _refuse_row_numbers(path: str | Path, chosen: list[str]) -> None:
    """A column without a name, whose numbers are no row numbers, is asked about."""
    for name in chosen:
        if name == "":
            raise TableError(
                f"{path}: a column without a name: leave it out with --exclude "
                f"{as_option([name])}, or choose columns with --columns"
            )


def _refuse_not_numbers(
    frame: pa.Table, path: str | Path, chosen: list[str], chosen_by_name: bool
) -> None:
    bad = [name for name in chosen if not is_number(kind_of(frame, name))]
    if not bad:
        return
    found = [f"column {name!r} {description(frame, name)}" for name in bad[:_DESCRIBED]]
    if len(bad) > _DESCRIBED:
        found.append(f"{len(bad) - _DESCRIBED} more columns hold no numbers")
    cells = any(each.endswith(AMONG) for each in found)
    remedy = CELLS if cells else "a mixture needs numbers"
    if not chosen_by_name:
        it = "it" if len(bad) == 1 else "them"
        if cells:
            it = "the column" if len(bad) == 1 else "the columns"
        remedy = f"{CELLS}, or " * cells + (
            f"leave {it} out with --exclude {as_option(bad)}, or choose columns with --columns"
        )
    raise TableError(f"{path}: {', '.join(found)}: {remedy}")


def refuse_inexact(frame: pa.Table, path: str | Path, chosen: list[str]) -> None:
    """TableError for integers that are too large to be exact in float64."""
    for name in chosen:
        kind = kind_of(frame, name)
        if not (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            continue
        found = beyond(list(pc.min_max(plain(frame, name)).as_py().values()))
        if found is not None:
            raise TableError(f"{path}: column {name!r} {found}: subtract an offset from them first")


def _refuse_gaps(
    path: str | Path, X: Array, names: list[str], chosen_by_name: bool, first: int, gaps: bool
) -> None:
    """TableError for values that are missing or infinite."""
    # One sum per column finds both without a mask of the whole table.
    with np.errstate(all="ignore"):
        suspects = np.flatnonzero(~np.isfinite(X.sum(axis=0)))
    tests = [(np.isnan, "no value")] * (not gaps) + [(np.isinf, "an infinite value")]
    for test, what in tests:
        masks = {names[j]: test(X[:, j]) for j in suspects}
        found = {name: _rows(mask, first) for name, mask in masks.items() if mask.any()}
        if not found:
            continue
        places = ", ".join(f"column {name!r}, {rows}" for name, rows in found.items())
        remedy = "remove such rows or fill them in"
        if not chosen_by_name:
            remedy += f", or leave the column out with --exclude {as_option(list(found))}"
        raise TableError(f"{path}: {what} in {places}: {remedy}")


def _rows(mask: AnyArray, first: int) -> str:
    """ "row 3 and 2 more", counting from 1 below the header."""
    rows = first + np.flatnonzero(mask) + 1
    return f"row {rows[0]}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")


def _weights(frame: pa.Table, path: str | Path, name: str, first: int) -> Array:
    place = f"{path}: the weights column {name!r}"
    if not is_number(kind_of(frame, name)):
        raise TableError(f"{place} {description(frame, name)}: weights are numbers")
    w = floats(frame, name)
    for bad, what in (
        (np.isnan(w), "no value"),
        (np.isinf(w), "an infinite value"),
        (w < 0, "a negative value"),
    ):
        if bad.any():
            raise TableError(
                f"{place} has {what} in {_rows(bad, first)}: weights are finite and >= 0"
            )
    return w

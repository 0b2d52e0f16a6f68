"""The order of rows: which sequence each is of, and that time goes on within one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np

from mixtura.data.refusal import row_at
from mixtura.records import AnyArray

_KNOWN_TIMES = "iufMm"


class Order(NamedTuple):
    """Columns that say which sequence a row is of, and when it was; each (n,), or None."""

    sequence: AnyArray | None = None
    time: AnyArray | None = None


def refuse_unknown(asked: Mapping[str, str | None], known: Sequence[str]) -> list[str]:
    """The columns that are asked for by some option; ValueError for one that there is not, and for
    one that two options ask for."""
    taken: dict[str, str] = {}
    for option, name in asked.items():
        if name is not None and name not in known:
            raise ValueError(
                f"{option}={name!r}: there is no such column; X has {', '.join(map(str, known))}"
            )
        if name in taken:
            raise ValueError(
                f"{option}={name!r}: {taken[name]} is that column too: give each a column of "
                "its own"
            )
        if name is not None:
            taken[name] = option
    return list(taken)


def column_of(table: Any, name: str) -> AnyArray:
    """The cells of a column of a data frame, None where there is none."""
    return cells(nw.from_native(table, eager_only=True)[name])


def cells(column: nw.Series[Any]) -> AnyArray:
    """The cells of a column, None where there is none."""
    found = np.asarray(column.to_numpy())
    gaps = column.is_null().to_numpy()
    if not gaps.any():
        return found
    found = found.astype(object)
    found[gaps] = None
    return found


def lengths_of(order: Order, n: int, first: int = 0, met: dict[Any, int] | None = None) -> AnyArray:
    """The length of each sequence, (S,) int64; ValueError where rows are not in order.

    `first` is the number of the first row, for messages; `met` where the sequences of parts before
    began, to which those of this part are added.
    """
    starts = np.array([0])
    if order.sequence is not None:
        starts = _starts(np.asarray(order.sequence), first, {} if met is None else met)
    if order.time is not None:
        _refuse_time(np.asarray(order.time), starts, first)
    return np.diff(np.append(starts, n)).astype(np.int64)


def _starts(ids: AnyArray, first: int, met: dict[Any, int]) -> AnyArray:
    gaps = _missing(ids)
    if gaps.any():
        raise ValueError(
            f"the column of sequences has no value in {row_at(np.argmax(gaps), first)}: "
            "fill it in, or leave the row out"
        )
    starts = np.concatenate([[0], np.flatnonzero(ids[1:] != ids[:-1]) + 1])
    for start in starts.tolist():
        name = ids[start].item() if hasattr(ids[start], "item") else ids[start]
        if name in met:
            raise ValueError(
                f"sequence {name!r} begins in row {met[name]} and again in "
                f"{row_at(start, first)}, with others between: sort the table by sequence, "
                "and by time within each"
            )
        met[name] = first + start
    return starts


def _refuse_time(time: AnyArray, starts: AnyArray, first: int) -> None:
    gaps = _missing(time)
    if gaps.any():
        raise ValueError(
            f"the column of times has no value in {row_at(np.argmax(gaps), first)}: fill it in; "
            "for a step that nobody saw leave the other cells empty, not its time"
        )
    back = np.flatnonzero(_not_after(time)) + 1
    back = back[~np.isin(back, starts)]
    if len(back):
        row = int(back[0])
        told = "is that of" if time[row] == time[row - 1] else "lies before that of"
        remedy = (
            "keep one row for each time"
            if time[row] == time[row - 1]
            else "sort the table by sequence, and by time within each"
        )
        raise ValueError(
            f"the time of {row_at(row, first)} ({time[row]}) {told} row {first + row - 1} "
            f"({time[row - 1]}) of the same sequence: {remedy}"
        )


def _not_after(time: AnyArray) -> AnyArray:
    """Whether each time but the first is none after that before it."""
    # Of objects dates, periods and times of day know their order; text has another than is meant.
    known = time.dtype.kind in _KNOWN_TIMES or (
        time.dtype.kind == "O" and not any(isinstance(each, str | bytes) for each in time)
    )
    with contextlib.suppress(TypeError):
        if known:
            return np.asarray(time[1:] <= time[:-1], dtype=bool)
    raise ValueError(
        f"the column of times holds {type(time[0]).__name__} ({time[0]!r}), whose order is not "
        "known: give numbers or dates"
    )


def _missing(values: AnyArray) -> AnyArray:
    if values.dtype.kind in "Mm":
        return np.isnat(values)
    if values.dtype.kind == "O":
        return np.array([each is None or each != each for each in values], dtype=bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)

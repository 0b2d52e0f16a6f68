"""Columns as callers name them: by name, or by position as in NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from mixtura.data.columns import listed


def positions(columns: Any, names: Sequence[str], what: str) -> list[int]:
    """The positions of the named columns, in the order given.

    Raises ValueError, naming the argument `what`, where a column is unknown, given twice or named
    ambiguously, or none is given.
    """
    names = list(names)
    if isinstance(columns, (str, Integral)):
        columns = [columns]
    if not isinstance(columns, Iterable) or isinstance(columns, set | frozenset):
        why = ", which has no order: give a list" * isinstance(columns, Iterable)
        raise ValueError(f"{what} must be column names or positions, got {columns!r}{why}")
    found = [_position(column, names, what) for column in columns]
    if not found:
        raise ValueError(f"{what} names no column: give at least one of {_known(names)}")
    twice = sorted({names[j] for j in found if found.count(j) > 1})
    if twice:
        raise ValueError(f"{what} names {listed(twice)} more than once: give each once")
    return found


def called(j: int, names: Sequence[str]) -> str:
    """Column j in a message: by its name, by its number where no names are known."""
    return repr(names[j]) if names else f"{j} (counted from 0)"


def _position(column: Any, names: list[str], what: str) -> int:
    if isinstance(column, Integral) and not isinstance(column, bool):
        if -len(names) <= int(column) < len(names):
            return int(column) % len(names)
        raise ValueError(
            f"{what} has position {int(column)}, but there are {len(names)} columns, "
            f"0 to {len(names) - 1}"
        )
    if not isinstance(column, str):
        raise ValueError(f"{what} has {column!r}: give column names or integer positions")
    count = names.count(column)
    if count == 1:
        return names.index(column)
    if count:
        raise ValueError(f"{what}: {count} columns are called {column!r}: give positions")
    raise ValueError(f"{what} has {column!r}, which is no column: known are {_known(names)}")


def _known(names: list[str]) -> str:
    return listed(names).split(" ", 1)[1]

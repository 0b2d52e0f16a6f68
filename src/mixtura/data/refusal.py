"""The error of everything that is wrong with a table, and of what is asked of one in vain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, SupportsInt

from mixtura.returned import TRUTH


class TableError(ValueError):
    """A table that cannot be used; the message names the file, the place and the remedy."""


def infinite(column: str, value: float, row: str) -> str:
    """What is said of an infinite cell, wherever its table lies."""
    return (
        f"Input X contains infinity: column {column} has {value} in {row}: leave the row out, or "
        "write NaN there if the number is missing"
    )


def row_at(i: SupportsInt, first: int = 0) -> str:
    """What messages call row i of a table in Python; in files the number of the `first` is 1."""
    return f"row {int(i) + first}" + " (counted from 0)" * (first == 0)


def refuse_given(what: str, settings: Mapping[str, Any], hint: str = "leave it out") -> None:
    """ValueError where a setting is given that `what` does not take."""
    for name, value in settings.items():
        if value is not None:
            raise ValueError(f"{name} cannot be given for {what}: {hint}")


def truth(name: str, value: Any) -> bool:
    """True or False; ValueError for anything else, of which "no" would be true."""
    right, must = TRUTH
    if not right(value):
        raise ValueError(f"{name} must be {must}, got {value!r}")
    return bool(value)


def whole(name: str, value: Any, least: int = 1) -> int:
    """The whole number that `value` is (1e5 is one); ValueError for any other, or below `least`."""
    fine = isinstance(value, Real) and not isinstance(value, bool)
    if not (fine and math.isfinite(value) and int(value) == value >= least):
        raise ValueError(f"{name} must be a whole number from {least} on, got {value!r}")
    return int(value)

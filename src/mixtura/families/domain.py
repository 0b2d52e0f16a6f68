"""Refusals of rows that a family cannot have made: one sentence, naming the column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixtura.data.column_positions import called
from mixtura.data.refusal import row_at
from mixtura.records import AnyArray

# What can be done about a cell of another kind, before a fit and after it.
CHOOSE, LEAVE = ": choose another family for it, or leave it out", ": leave the row out"


class BadColumn(ValueError):
    """A column that a fit cannot use, by its number; who knows its name puts that in its place."""

    def __init__(self, before: str, column: int, after: str) -> None:
        self.before, self.column, self.after = before, column, after
        super().__init__(f"{before} {called(column, ())}{after}")

    def at(self, column: int) -> BadColumn:
        """The same of another number, as in a wider table."""
        return BadColumn(self.before, column, self.after)

    def named(self, names: Sequence[str] | None) -> ValueError:
        """The same with the column's name, where columns have names."""
        if names is None:
            return self
        return ValueError(f"{self.before} {called(self.column, list(names))}{self.after}")

    def __reduce__(self) -> tuple[type[BadColumn], tuple[str, int, str]]:
        return (type(self), (self.before, self.column, self.after))


class BadRow(ValueError):
    """A row that a family cannot have made; `row` counts from the first of those looked at.

    The message is "`before` in row ...`after`"; without a `before` it begins with the row.
    """

    def __init__(self, before: str, row: int, after: str) -> None:
        self.before, self.row, self.after = before, row, after
        super().__init__(f"{before}{' in ' * bool(before)}{row_at(row)}{after}")

    def behind(self, rows: int) -> BadRow:
        """The same of a table in which so many rows stand before those looked at."""
        return self.at(self.row + rows)

    def at(self, row: int) -> BadRow:
        """The same of the row of that number."""
        return BadRow(self.before, row, self.after)

    def asked(self, gaps: bool) -> BadRow:
        """The same where a fitted model is asked of rows: it is too late for another family."""
        if self.after != CHOOSE:
            return self
        before = self.before.replace("family=", "the model's family ", 1)
        return BadRow(
            before, self.row, LEAVE + (", or make the cell a missing value" if gaps else "")
        )

    def __reduce__(self) -> tuple[type[BadRow], tuple[str, int, str]]:
        return (type(self), (self.before, self.row, self.after))


def refuse_asked(family: Any, X: AnyArray, names: Sequence[str], first: int = 0) -> None:
    """ValueError where rows, after `first` others, cannot come from a fitted family."""
    kind = family.filling(X)
    try:
        kind.refuse(X, names)
    except BadRow as bad:
        raise bad.asked(kind.allows_gaps or kind.gaps).behind(first) from None


def refuse_no_counts(X: AnyArray, names: Sequence[str], family: str) -> None:
    """ValueError unless every cell that is there is a count: 0, 1, 2, ..."""
    with np.errstate(invalid="ignore"):
        bad = (X < 0) | (np.floor(X) != X) & ~np.isnan(X)
    refuse_cells(X, bad, names, f"family={family!r} is for counts (0, 1, 2, ...)")


def refuse_not_above(X: AnyArray, names: Sequence[str], family: str, least: float) -> None:
    """ValueError unless every cell that is there is a number above `least`."""
    with np.errstate(invalid="ignore"):
        inside = np.isfinite(X) & (least < X)
    refuse_outside(X, names, inside, family, f"numbers above {least:g}")


def refuse_outside(
    X: AnyArray, names: Sequence[str], inside: AnyArray, family: str, wants: str
) -> None:
    """ValueError unless every cell that is there is `inside`; `wants` says what that is."""
    refuse_cells(X, ~inside & ~np.isnan(X), names, f"family={family!r} is for {wants}")


def refuse_cells(X: AnyArray, bad: AnyArray, names: Sequence[str], rule: str) -> None:
    """ValueError, with the first cell that is `bad`."""
    if not bad.any():
        return
    i, j = np.argwhere(bad)[0]
    raise BadRow(
        f"{rule}, and column {names[j]!r} holds {X[i, j]:g}",
        int(i),
        CHOOSE,
    )

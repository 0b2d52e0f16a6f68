"""Refusals of rows that a family cannot have made: one sentence, naming the column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.data.refusal import row_at
from mixtura.records import AnyArray


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

    def __reduce__(self) -> tuple[type[BadRow], tuple[str, int, str]]:
        return (type(self), (self.before, self.row, self.after))


def refuse_no_counts(X: AnyArray, names: Sequence[str], family: str) -> None:
    """ValueError unless every cell that is there is a count: 0, 1, 2, ..."""
    with np.errstate(invalid="ignore"):
        bad = (X < 0) | (np.floor(X) != X) & ~np.isnan(X)
    refuse_cells(X, bad, names, f"family={family!r} is for counts (0, 1, 2, ...)")


def refuse_not_positive(X: AnyArray, names: Sequence[str], family: str) -> None:
    """ValueError unless every cell that is there is a positive number."""
    with np.errstate(invalid="ignore"):
        inside = np.isfinite(X) & (X > 0)
    refuse_outside(X, names, inside, family, "numbers above 0")


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
        ": choose another family for it, or leave it out",
    )

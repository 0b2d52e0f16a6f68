"""A family for each column, by what the column holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.data.column_positions import positions
from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.product import Block, Product
from mixtura.families.registry import Spec
from mixtura.families.registry import family as family_of
from mixtura.records import AnyArray, Array, Categories

# Whole numbers of so many different values, at most, are codes of categories.
MOST_CODES = 10
# And none of them is larger than this: there are as many categories as the largest tells.
LARGEST_CODE = 99
# Rows that are looked at together.
_PIECE = 1 << 14


@dataclass(frozen=True)
class Automatic(Product):
    """A `Product` whose families are chosen column by column, by what the table holds.

    - categories (text, a frame's categorical or boolean columns): "categorical"
    - nothing but 0 and 1: "bernoulli"
    - at most 10 different whole numbers from 0 to 99: "categorical"
    - whole numbers of which the smallest is 0: "poisson"
    - other numbers: "normal"

    choices says otherwise for some columns, by name or number.
    """

    choices: tuple[tuple[int | str, Family], ...] = ()

    def __init__(self, choices: Iterable[tuple[int | str, Spec]] = ()) -> None:
        object.__setattr__(self, "blocks", ())
        object.__setattr__(self, "choices", tuple((c, family_of(spec)) for c, spec in choices))

    @property
    def name(self) -> str:
        return "auto"

    @property
    def allows_gaps(self) -> bool:  # type: ignore[override]
        # A choice that allows none refuses its own columns' gaps, by name.
        return True

    @property
    def measure(self) -> str:
        return "of what the columns hold"

    def _chosen(self, names: Sequence[str]) -> dict[int, Family]:
        if not self.choices:
            return {}
        columns, kinds = zip(*self.choices, strict=True)
        return dict(zip(positions(columns, names, "families"), kinds, strict=True))

    def continues(self, last: Family, names: Sequence[str]) -> bool:
        if not isinstance(last, Product):
            return False
        found = {j: block.family.name for block in last.blocks for j in block.columns}
        return all(found.get(j) == kind.name for j, kind in self._chosen(names).items())

    def takes_categories(self, names: Sequence[str]) -> tuple[bool, ...]:
        chosen = self._chosen(names)
        return tuple(
            j not in chosen or all(chosen[j].takes_categories([name]))
            for j, name in enumerate(names)
        )

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> Product:
        # By number: a table that comes in pieces is seen when the family settles.
        told = Automatic(self._chosen(names).items())
        return told if X is None else told._product(_met([X], len(names)), names, categories)

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        """What cannot be is known when the families are."""

    def settled(self, survey: Survey, K: int) -> Settled:
        names = [str(j) for j in range(survey.source.d)]

        def met(part: Source) -> list[Met]:
            pieces = part.chunks(_PIECE)
            return _met((X if w is None else X[w > 0] for X, w, *_ in pieces), part.d)

        columns = survey.source.reduced(met, lambda one, two: list(map(Met.joined, one, two)))
        return self._product(columns, names, ()).settled(survey, K)

    def _product(
        self, columns: Sequence[Met], names: Sequence[str], categories: Categories
    ) -> Product:
        chosen = self._chosen(names)
        own: Sequence[Any] = categories or [None] * len(names)
        kinds: dict[Family, list[int]] = {}
        lone = [
            names[j]
            for j, met in enumerate(columns)
            if j not in chosen and len(own[j] or ()) == met.count > MOST_CODES
        ]
        if lone:
            # All at once: tables have several columns of names, codes and dates.
            from mixtura.data.columns import listed

            have, them = ("have", "them") if len(lone) > 1 else ("has", "it")
            raise ValueError(
                f"X: {listed(lone)} {have} another category in each "
                f"row, which says nothing of the groups: leave {them} out"
            )
        for j, met in enumerate(columns):
            if own[j] is None and met.family == "normal" and met.low == met.high:
                raise ValueError(
                    f"X: column {names[j]!r} holds one value only ({met.low:g}), which says "
                    "nothing of the groups: leave it out"
                )
            default = "categorical" if own[j] is not None else met.family
            kinds.setdefault(chosen.get(j) or family_of(default), []).append(j)
        found = Product(Block(kind, where) for kind, where in kinds.items())
        return found.for_table(names, categories, None)


def _met(pieces: Iterable[AnyArray], d: int) -> list[Met]:
    """What each of d columns holds."""
    columns = [Met() for _ in range(d)]
    for X in pieces:
        for j, met in enumerate(columns):
            met.add(X[:, j])
    return columns


class Met:
    """What the cells of a column were so far."""

    def __init__(self) -> None:
        self.whole, self.low, self.high = True, np.inf, -np.inf
        self.count = 0
        self.values: set[float] = set()

    def add(self, column: Array) -> None:
        """Look at more cells."""
        x = column[~np.isnan(column)]
        self.count += len(x)
        if not len(x):
            return
        self.whole = self.whole and bool(np.all(np.floor(x) == x))
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        if len(self.values) <= MOST_CODES:
            self.values |= set(np.unique(x).tolist())

    def joined(self, other: Met) -> Met:
        """What was met here and there."""
        both = Met()
        both.whole, both.count = self.whole and other.whole, self.count + other.count
        both.low, both.high = min(self.low, other.low), max(self.high, other.high)
        both.values = self.values | other.values
        return both

    @property
    def family(self) -> str:
        """The family for numbers like these."""
        if not self.whole or self.low < 0:
            return "normal"
        if self.high <= 1:
            return "bernoulli"
        if len(self.values) <= MOST_CODES and self.high <= LARGEST_CODE:
            return "categorical"
        return "poisson" if self.low == 0 else "normal"

"""Columns that are conditioned on: beside a family of others, for weights that hang on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.data.column_positions import positions
from mixtura.families.base import Family
from mixtura.families.domain import BadRow
from mixtura.families.portrait import Column, Portrait
from mixtura.families.priors import Prior
from mixtura.families.product import Block, Product
from mixtura.records import AnyArray, Array, Categories, Params, RandomNumbers, Statistics


@dataclass(frozen=True)
class Nothing(Params):
    """No parameters."""


@dataclass(frozen=True)
class Counts(Statistics):
    """counts (K,) of rows."""

    counts: Array


@dataclass(frozen=True)
class NoCoordinates:
    """A chart of nothing."""

    size: int = 0

    @property
    def radius(self) -> Array:
        """Of no number."""
        return np.zeros(0)

    def params(self, free: Array) -> Nothing:
        """The only ones."""
        return Nothing()

    def coordinates(self, params: Nothing) -> Array:
        """None."""
        return np.zeros(0)

    def gradient(self, stats: Counts, params: Nothing, prior: Prior) -> Array:
        """None."""
        return np.zeros(0)


@dataclass(frozen=True)
class Given(Family):
    """log p = 0: the density of the other columns given these, in a `Product` beside their family.

    It has no parameters, and starts do not look at its columns. what it is called, and what hangs
    on it, in messages: the weights of a mixture, or the transitions of a chain.
    """

    what: str = "concomitant"
    hanging: str = "weights"
    record = Nothing
    conditional = True
    # Gaps pass the door so that they can be refused by name.
    allows_gaps = True

    def log_density(self, X: AnyArray, params: Nothing) -> Array:
        return np.zeros((len(X), 1))

    def statistics(self, X: AnyArray, resp: Array, params: Nothing | None) -> Counts:
        return Counts(resp.sum(axis=0))

    def maximize(self, stats: Counts, params: Nothing | None, prior: Prior) -> Nothing:
        return Nothing()

    def score(self, stats: Counts, params: Nothing) -> dict[str, Array]:
        return {}

    def params(self, arrays: Mapping[str, Array]) -> Nothing:
        return Nothing()

    def chart(self, params: Nothing, weights: Array) -> NoCoordinates:
        return NoCoordinates()

    def frame(self, X: AnyArray) -> Array:
        return np.zeros((len(X), 0))

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        missing = np.argwhere(~np.isfinite(np.asarray(X, dtype=np.float64)))
        if len(missing):
            i, j = missing[0]
            raise BadRow(
                f"{self.what} {names[j]!r} has a gap",
                int(i),
                f": {self.hanging} cannot hang on what is missing, so fill it in or leave the row "
                "out",
            )

    def portrait(self, params: Nothing, weights: Array, names: Sequence[str]) -> Portrait:
        def column(j: int) -> Column:
            return Column(names[j], "density", ("given",) * len(weights), "")

        return Portrait("Given", f"what the {self.hanging} hang on", np.zeros(len(names)), column)

    def sample(self, labels: AnyArray, params: Nothing, rng: RandomNumbers) -> Array:
        raise NotImplementedError(
            "concomitants are given, and nothing says where they lie: draw rows for given ones"
        )

    def sample_given(
        self, X: AnyArray, labels: AnyArray, params: Nothing, rng: RandomNumbers
    ) -> Array:
        return np.asarray(X, dtype=np.float64)


@dataclass(frozen=True)
class Beside(Product):
    """A family for all columns but some that are given: a `Product` of the two, for a table.

    given are these columns, or several such by the argument that names them.
    """

    asked: Family = field(default_factory=Given)
    given: Any = ()
    kind: Given = field(default_factory=Given)

    def __init__(self, asked: Family, given: Any, kind: Given | None = None) -> None:
        super().__init__(())
        object.__setattr__(self, "asked", asked)
        object.__setattr__(self, "given", given)
        object.__setattr__(self, "kind", kind or Given())

    @property
    def allows_gaps(self) -> bool:  # type: ignore[override]
        return self.asked.allows_gaps

    def takes_categories(self, names: Sequence[str]) -> tuple[bool, ...]:
        others = self._others(names)
        own = self.asked.takes_categories([names[j] for j in others])
        found = dict(zip(others, own, strict=True))
        return tuple(found.get(j, False) for j in range(len(names)))

    def continues(self, last: Family, names: Sequence[str]) -> bool:
        if not isinstance(last, Product):
            return False
        others = self._others(names)
        own = [block for block in last.blocks if not isinstance(block.family, Given)]
        asked: Family = Product(Block(b.family, map(others.index, b.columns)) for b in own)
        if len(own) == 1 and not isinstance(self.asked, Product):
            asked = own[0].family
        return self.asked.continues(asked, [names[j] for j in others])

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> Product:
        others = self._others(names)
        told = tuple(categories[j] for j in others) if categories else ()
        rows = None if X is None else X[:, others]
        asked = self.asked.for_table([names[j] for j in others], told if any(told) else (), rows)
        blocks = [Block(asked, others)]
        if isinstance(asked, Product) and asked.blocks:
            blocks = [Block(b.family, [others[j] for j in b.columns]) for b in asked.blocks]
        return Product([*blocks, Block(self.kind, self._given(names))])

    def _given(self, names: Sequence[str]) -> list[int]:
        asked = self.given if isinstance(self.given, Mapping) else {self._what: self.given}
        found = (j for what, columns in asked.items() for j in positions(columns, names, what))
        return list(dict.fromkeys(found))

    @property
    def _what(self) -> str:
        return f"{self.kind.what}s"

    def _others(self, names: Sequence[str]) -> list[int]:
        given = self._given(names)
        others = [j for j in range(len(names)) if j not in given]
        if not others:
            raise ValueError(
                f"{self._what} names every column, so nothing is left that components could "
                "describe"
            )
        return others

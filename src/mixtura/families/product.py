"""Different families for different columns, independent of each other within a component."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.data.column_positions import positions
from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.domain import BadColumn, BadRow
from mixtura.families.endless import Endless
from mixtura.families.intervals import Cells, look_at
from mixtura.families.portrait import Portrait
from mixtura.families.portraits import joined
from mixtura.families.product_parts import (
    Beside,
    ProductChart,
    ProductLook,
    ProductParams,
    ProductPrior,
    ProductStatistics,
    dotted,
)
from mixtura.families.registry import Spec
from mixtura.families.registry import family as family_of
from mixtura.families.returned import maximized, settle
from mixtura.records import AnyArray, Array, Categories, RandomNumbers
from mixtura.supports import Support


@dataclass(frozen=True)
class Block:
    """A family, or its name as in `Mixture`, and the columns that it is for.

    columns are names, or numbers counted from 0, which is what they are in a fitted product.
    """

    family: Family
    columns: tuple[Any, ...]

    def __init__(self, family: Spec, columns: int | str | Iterable[int | str]) -> None:
        object.__setattr__(self, "family", family_of(family))
        one = isinstance(columns, str) or not isinstance(columns, Iterable)
        given: Any = [columns] if one else columns
        object.__setattr__(self, "columns", tuple(map(_column, given)))

    def found(self, names: Sequence[str]) -> tuple[int, ...]:
        """The numbers of its columns; ValueError for a name that the table has not."""
        return tuple(positions(self.columns, names, "Block")) if self.columns else ()


def _column(given: Any) -> int | str:
    if isinstance(given, str):
        return given
    try:
        return operator.index(given)
    except TypeError:
        raise ValueError(
            f"Block: columns are given by name or by their numbers, from 0, found {given!r}"
        ) from None


@dataclass(frozen=True)
class Product(Family):
    """p(x | k) = product over blocks of p_b(x_b | k)

    Each block of columns has a family of its own: `Product([Block("poisson", [0, 1]),
    Block("diag", [2, 3])])`. Parameters, statistics and the M-step are the blocks'. Missing cells
    are left out where the block's columns are independent of each other.
    Reference: Everitt (1988), A finite mixture model for the clustering of mixed-mode data,
    Statistics & Probability Letters 6.
    """

    blocks: tuple[Block, ...]
    record = ProductParams

    def __init__(self, blocks: Iterable[Block]) -> None:
        object.__setattr__(self, "blocks", tuple(blocks))

    @property
    def allows_gaps(self) -> bool:  # type: ignore[override]
        return any(block.family.allows_gaps for block in self.blocks)

    @property
    def name(self) -> str:
        return " x ".join(block.family.name for block in self.blocks)

    @property
    def names(self) -> tuple[str, ...]:
        """What the blocks are called: their families in small letters, numbered if need be."""
        names = [type(block.family).__name__.lower() for block in self.blocks]
        return tuple(
            name if names.count(name) == 1 else f"{name}{names[:i].count(name) + 1}"
            for i, name in enumerate(names)
        )

    def takes_categories(self, names: Sequence[str]) -> tuple[bool, ...]:
        found = dict.fromkeys(range(len(names)), False)
        for block in self.blocks:
            columns = [j for j in block.found(names) if j in found]
            own = block.family.takes_categories([names[j] for j in columns])
            found |= dict(zip(columns, own, strict=True))
        return tuple(found.values())

    @property
    def categories(self) -> Categories:  # type: ignore[override]
        own = [(b.columns, b.family.categories) for b in self.blocks if b.family.categories]
        found = {j: one for columns, each in own for j, one in zip(columns, each, strict=True)}
        d = sum(len(block.columns) for block in self.blocks)
        return tuple(found.get(j) for j in range(d)) if found else ()

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> Product:
        found = type(self)(Block(block.family, block.found(names)) for block in self.blocks)
        found._refuse_columns(len(names))
        blocks = []
        for block in found.blocks:
            own = [names[j] for j in block.columns]
            told = tuple(categories[j] for j in block.columns) if categories else ()
            rows = None if X is None else X[:, block.columns]
            family = block.family.for_table(own, told if any(told) else (), rows)
            blocks.append(Block(family, block.columns))
        return type(self)(blocks)

    def _parts(self, X: AnyArray) -> list[AnyArray]:
        return [X[:, block.columns] for block in self.blocks]

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        self._refuse_columns(d)
        return dotted(self.names, [b.family.shapes(K, len(b.columns)) for b in self.blocks])

    def supports(self) -> dict[str, Support]:
        return dotted(self.names, [block.family.supports() for block in self.blocks])

    def portrait(self, params: ProductParams, weights: Array, names: Sequence[str]) -> Portrait:
        columns = [block.columns for block in self.blocks]
        each = zip(columns, self._each(params.blocks), strict=True)
        parts = [f.portrait(p, weights, [names[j] for j in own]) for own, (f, p) in each]
        return joined(columns, parts, weights)

    def params(self, arrays: Mapping[str, Array]) -> ProductParams:
        blocks = []
        for name, block in zip(self.names, self.blocks, strict=True):
            own = {
                key.removeprefix(f"{name}."): array
                for key, array in arrays.items()
                if key.startswith(f"{name}.")
            }
            blocks.append(block.family.params(own))
        return ProductParams(self.names, tuple(blocks))

    def _each(self, *things: Sequence[Any]) -> Any:
        return zip([block.family for block in self.blocks], *things, strict=True)

    def _known(self, params: ProductParams | None) -> Sequence[Any]:
        return [None] * len(self.blocks) if params is None else params.blocks

    def look(self, X: AnyArray, params: ProductParams) -> ProductLook:
        each = self._each(self._parts(X), params.blocks)
        return ProductLook(tuple(family.look(x, part) for family, x, part in each))

    def between(self, cells: Cells, params: ProductParams) -> ProductLook:
        """The look at cells of which only intervals may be known."""
        parts = [cells.among(block.columns) for block in self.blocks]
        return ProductLook(tuple(look_at(f, x, p) for f, x, p in self._each(parts, params.blocks)))

    def log_density(self, X: AnyArray, params: ProductParams) -> Array:
        return self.look(X, params).log_density

    def statistics(
        self, X: AnyArray, resp: Array, params: ProductParams | None
    ) -> ProductStatistics:
        each = self._each(self._parts(X), self._known(params))
        return ProductStatistics(tuple(f.statistics(x, resp, part) for f, x, part in each))

    def maximize(self, stats: ProductStatistics, params: Any, prior: Any) -> ProductParams:
        each = self._each(stats.blocks, self._known(params), prior.blocks)
        return ProductParams(self.names, tuple(maximized(f, s, part, p) for f, s, part, p in each))

    def start(self, X: AnyArray, resp: Array, params: Any, prior: Any) -> ProductParams:
        each = self._each(self._parts(X), self._known(params), prior.blocks)
        return ProductParams(
            self.names,
            tuple(
                f.start(x, resp, part, p) or f.maximize(f.statistics(x, resp, part), part, p)
                for f, x, part, p in each
            ),
        )

    def score(self, stats: ProductStatistics, params: ProductParams) -> dict[str, Array]:
        each = self._each(stats.blocks, params.blocks)
        return dotted(self.names, [family.score(s, part) for family, s, part in each])

    def chart(self, params: ProductParams, weights: Array) -> ProductChart:
        charts = tuple(family.chart(part, weights) for family, part in self._each(params.blocks))
        return ProductChart(self.names, charts)

    def n_parameters(self, params: ProductParams) -> int:
        return sum(family.n_parameters(part) for family, part in self._each(params.blocks))

    @property
    def tells_outliers(self) -> bool:  # type: ignore[override]
        return any(block.family.tells_outliers for block in self.blocks)

    def outlying(self, X: AnyArray, params: ProductParams) -> Array:
        """That of a row which is an outlier in any block that tells."""
        each = self._each(self._parts(X), params.blocks)
        good = [1.0 - f.outlying(x, part) for f, x, part in each if f.tells_outliers]
        return np.asarray(1.0 - np.prod(good, axis=0))

    @property
    def heavy_tailed(self) -> bool:  # type: ignore[override]
        return any(block.family.heavy_tailed for block in self.blocks)

    @property
    def simpler(self) -> str:  # type: ignore[override]
        return next((b.family.simpler for b in self.blocks if b.family.simpler), "")

    @property
    def measure(self) -> str:
        kinds = [(b.family.measure, b.columns) for b in self.blocks]
        if len({kind for kind, _ in kinds}) == 1:
            return kinds[0][0]
        return ", ".join(f"{kind} of columns {columns}" for kind, columns in kinds)

    @property
    def scored(self) -> bool:
        return all(block.family.scored for block in self.blocks)

    @property
    def curved(self) -> bool:  # type: ignore[override]
        return any(block.family.curved for block in self.blocks)

    def obstacle(self, prior: Any) -> str:
        found = [family.obstacle(part) for family, part in self._each(prior.blocks)]
        return next((why for why in found if why), "")

    def edge(self, params: ProductParams) -> str:
        found = [family.edge(part) for family, part in self._each(params.blocks)]
        return "; ".join(why for why in found if why)

    def rounding(self, params: ProductParams) -> float:
        return float(sum(family.rounding(part) for family, part in self._each(params.blocks)))

    def transported(
        self, stats: ProductStatistics, before: ProductParams, after: ProductParams
    ) -> ProductStatistics:
        each = self._each(stats.blocks, before.blocks, after.blocks)
        return ProductStatistics(tuple(f.transported(s, one, two) for f, s, one, two in each))

    def sample(self, labels: AnyArray, params: ProductParams, rng: RandomNumbers) -> Array:
        out = np.empty((len(labels), sum(len(block.columns) for block in self.blocks)))
        for block, part in zip(self.blocks, params.blocks, strict=True):
            out[:, block.columns] = block.family.sample(labels, part, rng)
        return out

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return any(block.family.conditional for block in self.blocks)

    def sample_given(
        self, X: AnyArray, labels: AnyArray, params: ProductParams, rng: RandomNumbers
    ) -> Array:
        out = np.array(X, dtype=np.float64)
        for block, part in zip(self.blocks, params.blocks, strict=True):
            own = out[:, block.columns]
            out[:, block.columns] = block.family.sample_given(own, labels, part, rng)
        return out

    def endless(self, stats: ProductStatistics, params: ProductParams) -> tuple[Endless, ...]:
        each = zip(self.blocks, stats.blocks, params.blocks, strict=True)
        return tuple(
            replace(one, column=one.column if one.column < 0 else block.columns[one.column])
            for block, s, part in each
            for one in block.family.endless(s, part)
        )

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        self._refuse_columns(X.shape[1])
        for block in self.blocks:
            x, own = X[:, block.columns], [names[j] for j in block.columns]
            if not (block.family.allows_gaps or block.family.gaps) and np.isnan(x).any():
                i, j = np.argwhere(np.isnan(x))[0]
                raise BadRow(
                    f"column {own[j]!r} has a gap",
                    int(i),
                    ", and its family's columns depend on each other within a component, so a gap "
                    "cannot be left out: fill it in, or give the column a block of its own",
                )
            block.family.refuse(x, own)

    @property
    def fills_gaps(self) -> bool:  # type: ignore[override]
        return all(b.family.allows_gaps or b.family.fills_gaps for b in self.blocks)

    @property
    def gaps(self) -> bool:  # type: ignore[override]
        return any(block.family.gaps for block in self.blocks)

    def filling(self, X: AnyArray) -> Product:
        return self._of([b.family.filling(X[:, b.columns]) for b in self.blocks])

    def meeting(self, X: AnyArray) -> Product:
        return self._of([b.family.meeting(X[:, b.columns]) for b in self.blocks])

    def whole(self) -> Product:
        return self._of([block.family.whole() for block in self.blocks])

    def _of(self, families: list[Family]) -> Product:
        """The same blocks, of these families."""
        each = list(zip(self.blocks, families, strict=True))
        if all(block.family is kind for block, kind in each):
            return self
        return replace(self, blocks=tuple(replace(block, family=kind) for block, kind in each))

    def filled(self, X: AnyArray, params: ProductParams, k: int) -> Array:
        out = np.array(X, dtype=np.float64)
        for block, part in zip(self.blocks, params.blocks, strict=True):
            out[:, block.columns] = block.family.filled(X[:, block.columns], part, k)
        return out

    def completed(
        self, X: AnyArray, labels: AnyArray, params: ProductParams, rng: RandomNumbers
    ) -> Array:
        out = np.array(X, dtype=np.float64)
        for block, part in zip(self.blocks, params.blocks, strict=True):
            own = block.columns
            out[:, own] = block.family.completed(X[:, own], labels, part, rng)
        return out

    def settled(self, survey: Survey, K: int) -> Settled:
        self._refuse_columns(survey.source.d)
        self.refuse_source(survey.source)
        found = []
        for block in self.blocks:
            try:
                found.append(settle(block.family, survey.restricted(block.columns), K))
            except BadColumn as bad:
                raise bad.at(block.columns[bad.column]) from None
        blocks = tuple(
            replace(block, family=one.family) for block, one in zip(self.blocks, found, strict=True)
        )
        family = replace(self, blocks=blocks)
        base = ProductParams(family.names, tuple(one.base for one in found))
        many = max(len(one.frames) for one in found)
        frames = tuple(
            Beside(
                tuple(
                    (b.columns, one.frames[i % len(one.frames)])
                    for b, one in zip(blocks, found, strict=True)
                )
            )
            for i in range(many)
        )
        prior = ProductPrior(family.names, tuple(one.prior for one in found))
        return Settled(family, prior, base, frames)

    def _refuse_columns(self, d: int) -> None:
        taken = sorted((j for block in self.blocks for j in block.columns), key=_order)
        if taken != list(range(d)):
            raise ValueError(
                f"Product: its blocks are for columns {taken} (counted from 0), and the table has "
                f"{d}: name each column in exactly one block"
            )


def _order(column: int | str) -> tuple[bool, int | str]:
    return isinstance(column, str), column

"""Different families for different columns, independent of each other within a component."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.domain import BadRow
from mixtura.families.endless import Endless
from mixtura.families.portrait import Portrait
from mixtura.families.portraits import joined
from mixtura.families.product_parts import (
    Beside,
    ProductChart,
    ProductLook,
    ProductParams,
    ProductPrior,
    ProductStatistics,
)
from mixtura.families.registry import Spec
from mixtura.families.registry import family as family_of
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import Support


@dataclass(frozen=True)
class Block:
    """A family, or its name as in `Mixture`, and the columns (counted from 0) that it is for."""

    family: Family
    columns: tuple[int, ...]

    def __init__(self, family: Spec, columns: int | Iterable[int]) -> None:
        object.__setattr__(self, "family", family_of(family))
        object.__setattr__(self, "columns", _numbered(columns))


def _numbered(columns: int | Iterable[int]) -> tuple[int, ...]:
    given = columns if isinstance(columns, Iterable) else [columns]
    try:
        return tuple(operator.index(column) for column in given)
    except TypeError:
        raise ValueError(
            f"Block: columns are given by their numbers, from 0, found {columns!r}"
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
    def labels(self) -> tuple[str, ...]:
        """What the blocks are called: their families in small letters, numbered if need be."""
        names = [type(block.family).__name__.lower() for block in self.blocks]
        return tuple(
            name if names.count(name) == 1 else f"{name}{names[:i].count(name) + 1}"
            for i, name in enumerate(names)
        )

    def _parts(self, X: AnyArray) -> list[AnyArray]:
        return [X[:, block.columns] for block in self.blocks]

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        self._refuse_columns(d)
        return {
            f"{label}.{name}": shape
            for label, block in zip(self.labels, self.blocks, strict=True)
            for name, shape in block.family.shapes(K, len(block.columns)).items()
        }

    def supports(self) -> dict[str, Support]:
        return {
            f"{label}.{name}": support
            for label, block in zip(self.labels, self.blocks, strict=True)
            for name, support in block.family.supports().items()
        }

    def portrait(self, params: ProductParams, weights: Array, names: Sequence[str]) -> Portrait:
        columns = [block.columns for block in self.blocks]
        each = zip(columns, self._each(params.blocks), strict=True)
        parts = [f.portrait(p, weights, [names[j] for j in own]) for own, (f, p) in each]
        return joined(columns, parts, weights)

    def params(self, arrays: Mapping[str, Array]) -> ProductParams:
        blocks = []
        for label, block in zip(self.labels, self.blocks, strict=True):
            own = {
                name.removeprefix(f"{label}."): array
                for name, array in arrays.items()
                if name.startswith(f"{label}.")
            }
            blocks.append(block.family.params(own))
        return ProductParams(self.labels, tuple(blocks))

    def _each(self, *things: Sequence[Any]) -> Any:
        return zip([block.family for block in self.blocks], *things, strict=True)

    def look(self, X: AnyArray, params: ProductParams) -> ProductLook:
        each = self._each(self._parts(X), params.blocks)
        return ProductLook(tuple(family.look(x, part) for family, x, part in each))

    def log_density(self, X: AnyArray, params: ProductParams) -> Array:
        return self.look(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> ProductStatistics:
        known = [None] * len(self.blocks) if params is None else params.blocks
        each = self._each(self._parts(X), known)
        return ProductStatistics(tuple(f.statistics(x, resp, part) for f, x, part in each))

    def maximize(self, stats: ProductStatistics, params: Any, prior: Any) -> ProductParams:
        known = [None] * len(self.blocks) if params is None else params.blocks
        each = self._each(stats.blocks, known, prior.blocks)
        return ProductParams(self.labels, tuple(f.maximize(s, part, p) for f, s, part, p in each))

    def start(self, X: AnyArray, resp: Array, params: Any, prior: Any) -> ProductParams:
        known = [None] * len(self.blocks) if params is None else params.blocks
        each = self._each(self._parts(X), known, prior.blocks)
        return ProductParams(
            self.labels,
            tuple(
                f.start(x, resp, part, p) or f.maximize(f.statistics(x, resp, part), part, p)
                for f, x, part, p in each
            ),
        )

    def _named(self, found: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        return {
            f"{label}.{name}": array
            for label, part in zip(self.labels, found, strict=True)
            for name, array in part.items()
        }

    def score(self, stats: ProductStatistics, params: ProductParams) -> dict[str, Array]:
        return self._named([f.score(s, p) for f, s, p in self._each(stats.blocks, params.blocks)])

    def chart(self, params: ProductParams, weights: Array) -> ProductChart:
        charts = tuple(family.chart(part, weights) for family, part in self._each(params.blocks))
        return ProductChart(self.labels, charts)

    def n_parameters(self, params: ProductParams) -> int:
        return sum(family.n_parameters(part) for family, part in self._each(params.blocks))

    @property
    def simpler(self) -> str:  # type: ignore[override]
        return next((b.family.simpler for b in self.blocks if b.family.simpler), "")

    @property
    def measure(self) -> str:
        kinds = [(b.family.measure, b.columns) for b in self.blocks]
        if len({kind for kind, _ in kinds}) == 1:
            return kinds[0][0]
        return ", ".join(f"{kind} of columns {columns}" for kind, columns in kinds)

    def obstacle(self, prior: Any) -> str:
        found = [family.obstacle(part) for family, part in self._each(prior.blocks)]
        return next((why for why in found if why), "")

    def edge(self, params: ProductParams) -> str:
        found = [family.edge(part) for family, part in self._each(params.blocks)]
        return "; ".join(why for why in found if why)

    def rounding(self, params: ProductParams) -> float:
        return float(sum(family.rounding(part) for family, part in self._each(params.blocks)))

    def transported(self, stats: ProductStatistics, before: Any, after: Any) -> ProductStatistics:
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
            if not block.family.allows_gaps and np.isnan(x).any():
                i, j = np.argwhere(np.isnan(x))[0]
                raise BadRow(
                    f"column {own[j]!r} has a gap",
                    int(i),
                    ", and its family's columns depend on each other within a component, so a gap "
                    "cannot be left out: fill it in, or give the column a block of its own",
                )
            block.family.refuse(x, own)

    def settled(self, survey: Survey, K: int) -> Settled:
        self._refuse_columns(survey.source.d)
        self.refuse_source(survey.source)
        found = [block.family.settled(survey.restricted(block.columns), K) for block in self.blocks]
        blocks = tuple(
            replace(block, family=one.family) for block, one in zip(self.blocks, found, strict=True)
        )
        family = replace(self, blocks=blocks)
        base = ProductParams(family.labels, tuple(one.base for one in found))
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
        prior = ProductPrior(family.labels, tuple(one.prior for one in found))
        return Settled(family, prior, base, frames)

    def _refuse_columns(self, d: int) -> None:
        taken = sorted(j for block in self.blocks for j in block.columns)
        if taken != list(range(d)):
            raise ValueError(
                f"Product: its blocks are for columns {taken} (counted from 0), and the table has "
                f"{d}: name each column in exactly one block"
            )

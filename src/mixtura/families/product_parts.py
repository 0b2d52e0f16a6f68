"""What a product of families is made of: the blocks' records, looks, priors and charts, in rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from mixtura.families.base import Look
from mixtura.families.collapse import narrowest
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Params, Spike, Statistics

T = TypeVar("T")


def dotted(names: Sequence[str], parts: Sequence[Mapping[str, T]]) -> dict[str, T]:
    """The parts of all blocks by the block's name, a dot and their own name."""
    each = zip(names, parts, strict=True)
    return {f"{name}.{key}": value for name, part in each for key, value in part.items()}


@dataclass(frozen=True)
class ProductParams(Params):
    """The blocks' parameters; by name they are the block's name, a dot and their own name."""

    names: tuple[str, ...]
    blocks: tuple[Any, ...]

    def arrays(self) -> dict[str, Array]:
        return dotted(self.names, [block.arrays() for block in self.blocks])


@dataclass(frozen=True)
class ProductStatistics(Statistics):
    """The blocks' statistics; counts (K,) are the first block's."""

    blocks: tuple[Any, ...]

    @property
    def counts(self) -> Array:
        """sum_i r_ik."""
        return np.asarray(self.blocks[0].counts)


@dataclass(frozen=True)
class ProductLook:
    """The blocks' looks at some rows."""

    looks: tuple[Look, ...]

    @cached_property
    def log_density(self) -> Array:
        """log p(x_i | k)."""
        return np.asarray(sum(look.log_density for look in self.looks))

    def statistics(self, resp: Array) -> ProductStatistics:
        """The sums at these responsibilities."""
        return ProductStatistics(tuple(look.statistics(resp) for look in self.looks))


@dataclass(frozen=True)
class Beside:
    """Frames of several blocks of columns, side by side."""

    parts: tuple[tuple[tuple[int, ...], Callable[[AnyArray], Array]], ...]

    def __call__(self, X: AnyArray) -> Array:
        return np.hstack([frame(X[:, columns]) for columns, frame in self.parts])


@dataclass(frozen=True)
class ProductPrior(Prior):
    """The blocks' priors, each for its own."""

    names: tuple[str, ...]
    blocks: tuple[Any, ...]
    weight_rows: float = 0.0
    asked: bool = False

    @property
    def count_scale(self) -> float:  # type: ignore[override]
        return max(float(prior.count_scale) for prior in self.blocks)

    @property
    def monotone(self) -> bool:
        return all(prior.monotone for prior in self.blocks)

    @property
    def penalised(self) -> bool:
        return any(prior.penalised for prior in self.blocks)

    def without_penalty(self) -> ProductPrior:
        return replace(self, blocks=tuple(prior.without_penalty() for prior in self.blocks))

    def log_prior(self, params: ProductParams) -> float:
        each = zip(self.blocks, params.blocks, strict=True)
        return sum(float(prior.log_prior(part)) for prior, part in each)

    def beside(self, stats: ProductStatistics) -> ProductStatistics:
        each = zip(self.blocks, stats.blocks, strict=True)
        return ProductStatistics(tuple(prior.beside(part) for prior, part in each))

    def score(self, params: ProductParams) -> dict[str, Array]:
        each = zip(self.blocks, params.blocks, strict=True)
        return dotted(self.names, [prior.score(part) for prior, part in each])

    def refuse_collapse(self, params: ProductParams, counts: Array) -> None:
        for prior, part in zip(self.blocks, params.blocks, strict=True):
            prior.refuse_collapse(part, counts)

    def parts(self, params: ProductParams) -> Sequence[tuple[Prior, Any]]:
        return list(zip(self.blocks, params.blocks, strict=True))

    def narrow(self, params: ProductParams, counts: Array, stats: Any = None) -> list[Spike]:
        known = [None] * len(self.blocks) if stats is None else stats.blocks
        each = zip(self.blocks, params.blocks, known, strict=True)
        found = [spike for prior, part, s in each for spike in prior.narrow(part, counts, s)]
        return narrowest(found)

    def sobered(self, params: ProductParams, counts: Array, narrow: list[int]) -> ProductParams:
        each = zip(self.blocks, params.blocks, strict=True)
        return replace(
            params, blocks=tuple(prior.sobered(part, counts, narrow) for prior, part in each)
        )


@dataclass(frozen=True)
class ProductChart:
    """The blocks' free coordinates, one after the other."""

    names: tuple[str, ...]
    charts: tuple[Any, ...]

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return sum(chart.size for chart in self.charts)

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return np.concatenate([chart.radius for chart in self.charts])

    def params(self, free: Array) -> ProductParams:
        """The parameters at these coordinates."""
        cuts = np.cumsum([chart.size for chart in self.charts])[:-1]
        parts = zip(self.charts, np.split(free, cuts), strict=True)
        return ProductParams(self.names, tuple(chart.params(part) for chart, part in parts))

    def coordinates(self, params: ProductParams) -> Array:
        """Where `params` lie."""
        each = zip(self.charts, params.blocks, strict=True)
        return np.concatenate([chart.coordinates(part) for chart, part in each])

    def gradient(self, stats: ProductStatistics, params: ProductParams, prior: Any) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        each = zip(self.charts, stats.blocks, params.blocks, prior.blocks, strict=True)
        return np.concatenate([chart.gradient(s, part, p) for chart, s, part, p in each])

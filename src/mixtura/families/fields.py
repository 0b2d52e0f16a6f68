"""Free coordinates for a family whose parameters say in their fields where they may live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mixtura.coordinates import Around, around
from mixtura.records import Array, Params
from mixtura.supports import Support

# A component with less than this share of the rows is scaled as if it had it.
LEAST_SHARE = 1e-8
# How far each number may go before the chart's units are not trusted any more.
RADIUS = 10.0


class Supported(Protocol):
    """What a chart needs of a family."""

    def supports(self) -> dict[str, Support]: ...

    def params(self, arrays: dict[str, Array]) -> Params: ...

    def score(self, stats: Any, params: Any) -> dict[str, Array]: ...

    def information(self, params: Any, shares: Array) -> dict[str, Array]: ...


@dataclass(frozen=True)
class FieldChart:
    """Each parameter's own free numbers, one after the other, in units of their information."""

    family: Supported
    parts: dict[str, Around]
    scales: dict[str, Array]

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return sum(scale.size for scale in self.scales.values())

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return np.concatenate([np.maximum(RADIUS * scale, 1e-3) for scale in self.scales.values()])

    def params(self, free: Array) -> Params:
        """The parameters at these coordinates."""
        cuts = np.cumsum([scale.size for scale in self.scales.values()])[:-1]
        each = zip(self.parts.items(), self.scales.values(), np.split(free, cuts), strict=True)
        return self.family.params(
            {name: part.value(numbers / scale) for (name, part), scale, numbers in each}
        )

    def coordinates(self, params: Params) -> Array:
        """Where `params` lie."""
        arrays = params.arrays()
        return np.concatenate(
            [part.free(arrays[name]) * self.scales[name] for name, part in self.parts.items()]
        )

    def gradient(self, stats: Any, params: Params, prior: Any) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        arrays, score, added = (
            params.arrays(),
            self.family.score(stats, params),
            prior.score(params),
        )
        return np.concatenate(
            [
                part.slope(arrays[name], score[name] + added.get(name, 0.0)) / self.scales[name]
                for name, part in self.parts.items()
            ]
        )


def field_chart(family: Supported, params: Params, shares: Array) -> FieldChart:
    """The chart around `params` for components with these shares of the rows (K,)."""
    arrays = params.arrays()
    told = family.information(params, np.maximum(shares, LEAST_SHARE))
    parts = {name: around(support, arrays[name]) for name, support in family.supports().items()}
    scales = {name: np.sqrt(np.maximum(told[name], LEAST_SHARE**2)).ravel() for name in parts}
    return FieldChart(family, parts, scales)

"""Free coordinates for a family whose parameters say in their fields where they may live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.coordinates import Fields
from mixtura.records import Array, Params

# How far each number may go before the chart's units are not trusted any more.
RADIUS = 10.0


@dataclass(frozen=True)
class FieldChart:
    """Each parameter's own free numbers, in units of their information.

    build makes parameters of arrays, score(stats, params) is the family's.
    """

    fields: Fields
    build: Callable[[dict[str, Array]], Params]
    score: Callable[[Any, Any], dict[str, Array]]

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return self.fields.size

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        scales = self.fields.scales.values()
        return np.concatenate([np.maximum(RADIUS * scale, 1e-3) for scale in scales])

    def params(self, free: Array) -> Params:
        """The parameters at these coordinates."""
        return self.build(self.fields.arrays(free))

    def coordinates(self, params: Params) -> Array:
        """Where `params` lie."""
        return self.fields.free(params.arrays())

    def gradient(self, stats: Any, params: Params, prior: Any) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        score, added = self.score(stats, params), prior.score(params)
        whole = {name: part + added.get(name, 0.0) for name, part in score.items()}
        return self.fields.slope(params.arrays(), whole)

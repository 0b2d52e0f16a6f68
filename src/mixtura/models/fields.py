"""Free coordinates for any model, from the supports on the fields of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.coordinates import Fields, fields_around
from mixtura.records import Array, Chart, Params, Summary
from mixtura.supports import Real


@dataclass(frozen=True)
class ModelChart(Chart):
    """Each parameter's own free numbers; one without a support may be any number."""

    score: Callable[[Summary, Any], dict[str, Array]]
    centre: Params
    fields: Fields

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.fields.size

    @property
    def radius(self) -> Array:
        return np.full(self.size, np.inf)

    def params(self, free: Array) -> Params:
        return self.centre.with_arrays(self.fields.arrays(free))

    def coordinates(self, params: Params) -> Array:
        return self.fields.free(params.arrays())

    def gradient(self, summary: Summary, params: Params) -> Array:
        return self.fields.slope(params.arrays(), self.score(summary, params))


def model_chart(
    score: Callable[[Summary, Any], dict[str, Array]],
    params: Params,
    told: dict[str, Array] | None = None,
) -> ModelChart:
    """The chart around `params`; `told` is what a row tells of each free number."""
    arrays = {name: np.asarray(array, np.float64) for name, array in params.arrays().items()}
    declared: dict[str, Any] = type(params).supports()
    supports = {name: declared.get(name, Real()) for name in arrays}
    return ModelChart(score, params, fields_around(supports, arrays, told))

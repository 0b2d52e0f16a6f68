"""The parameters of a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.records import Array, Params


@dataclass(frozen=True)
class MixtureParams(Params):
    """weights (K,) on the simplex, components the family's parameters."""

    weights: Array
    components: Any

    def arrays(self) -> dict[str, Array]:
        return {"weights": self.weights, **self.components.arrays()}

    @property
    def log_weights(self) -> Array:
        """log P(k), -inf for a component without weight."""
        with np.errstate(divide="ignore"):
            return np.log(self.weights)

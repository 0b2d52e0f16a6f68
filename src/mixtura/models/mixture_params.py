"""The parameters of a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from mixtura.records import Array, Params
from mixtura.supports import Simplex


@dataclass(frozen=True)
class MixtureParams(Params):
    """weights (K,) on the simplex, components the family's parameters."""

    weights: Annotated[Array, Simplex()]
    components: Any

    @property
    def log_weights(self) -> Array:
        """log P(k), -inf for a component without weight."""
        with np.errstate(divide="ignore"):
            return np.log(self.weights)

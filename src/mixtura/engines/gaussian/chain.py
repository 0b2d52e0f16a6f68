"""The pass of a hidden Markov model whose states are Gaussian, fused: densities, chain and sums."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from mixtura.engines.chain import ChainSweep
from mixtura.engines.chain_steps import Steps
from mixtura.engines.gaussian.passes import Moments, model_of
from mixtura.engines.native import address, data_of
from mixtura.engines.native.stretches import Emission
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.records import AnyArray


class GaussianSteps(Steps):
    """Rows (n, d) of which none has single cells missing."""

    def __init__(self, X: AnyArray, components: GaussianParams) -> None:
        self.data = data_of(X, None)
        # The kernel keeps addresses alone.
        self.kept = X, components, np.zeros(len(components.means))
        c, form = components, components.form.name
        self.model, K, shape = model_of(
            X.shape[1], self.kept[2], c.means, c.whiten, c.log_norm, form
        )
        self.shapes = (K,), c.means.shape, shape

    def emission(self) -> tuple[Emission, Any]:
        arrays = tuple(np.empty(shape) for shape in self.shapes)
        moments = Moments(0.0, *map(address, arrays))
        emission = Emission(
            ctypes.pointer(self.data),
            ctypes.addressof(self.model),
            ctypes.addressof(moments),
            None,
            None,
            0,
            None,
        )
        return emission, (arrays, moments)

    def statistics(self, sums: list[Any]) -> GaussianStatistics:
        parts = zip(*(arrays for arrays, _ in sums), strict=True)
        return GaussianStatistics(*(np.sum(part, axis=0) for part in parts))


class GaussianChainSweep(ChainSweep):
    """Sum of the E-steps of a hidden Markov model of Gaussian states."""

    def steps(self, params: Any) -> Steps:
        return GaussianSteps(self.rows.X, params.components)

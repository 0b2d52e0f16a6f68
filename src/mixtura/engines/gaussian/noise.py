"""The fused pass of a Gaussian mixture beside noise.

To the kernels noise is one more component, whose whitening is zero: its density is the same at
every row, and its sums but the first are nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.gaussian.compiled import CompiledSweep, Passed, filled
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.noise import NoiseStatistics, Noisy
from mixtura.models.truncated import TruncatedStep
from mixtura.records import AnyArray, Array


class NoisySweep(CompiledSweep):
    """The pass, fused; its M-steps are taken outside."""

    prunes = False
    model: Noisy

    def __init__(self, model: Noisy, rows: Source) -> None:
        super().__init__(model, rows)
        self.m_step_inside = self.steps_inside = False

    def passed(self, params: MixtureParams) -> Passed:
        return beside_noise(self.model, params)

    def gathered(self, counts: Array, first: Array, second: Array) -> NoiseStatistics:
        second = second[:-1].sum(axis=0) if self.form.name == "tied" else second[:-1]
        own = GaussianStatistics(counts[:-1], first[:-1], second)
        return NoiseStatistics(own, np.asarray(counts[-1]))

    def forgetful(self) -> CompiledSweep:
        return self

    def _searches(self, step: TruncatedStep) -> bool:
        return False


class DenseNoisySweep(NoisySweep):
    """The same, which skips nothing either."""

    engine = "dense"


def beside_noise(model: Noisy, params: MixtureParams) -> Passed:
    """The mixture as a pass takes it; a whitening that is shared is written out."""
    c: GaussianParams = params.components
    whiten, form = c.whiten, c.form.name
    if form == "tied":
        whiten, form = np.broadcast_to(whiten, (len(c.means), *whiten.shape)), "full"
    none = np.zeros((1, *whiten.shape[1:]))
    return Passed(
        params.log_weights,
        np.concatenate([c.means, c.means[:1]]),
        np.ascontiguousarray(np.concatenate([whiten, none])),
        np.append(c.log_norm, -model.uniform.log_volume),
        form,
    )


def fill(model: Any, X: AnyArray, params: MixtureParams, out: RowOutputs) -> None:
    """Fill the wanted outputs for the rows of X; the label of noise is that of a last component."""
    filled(beside_noise(model, params), X, out)

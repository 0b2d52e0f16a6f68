"""The fused kernels: which model of which family has one. A new one is a file and a row here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mixtura.engines import threads
from mixtura.engines.base import Filler, OpenDrawing, Opener
from mixtura.engines.categorical import LevelsSweep
from mixtura.engines.chain import ChainSweep
from mixtura.engines.driven import DrivenSweep
from mixtura.engines.driven_first import DrivenFirstStaySweep, DrivenFirstSweep
from mixtura.engines.gaussian import compiled, device, gaps, noise
from mixtura.engines.gaussian.chain import GaussianChainSweep
from mixtura.engines.gaussian.chain_gaps import GapsChainSweep, GapsStaySweep
from mixtura.engines.gaussian.drawing import GaussianDrawing
from mixtura.engines.gaussian.mixed import MixedSweep
from mixtura.engines.stays import StaySweep
from mixtura.families.base import Family
from mixtura.families.categorical import Categorical
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.posterior import PosteriorGaussian
from mixtura.models.base import Model
from mixtura.models.driven import Driven
from mixtura.models.driven_first import DrivenFirst
from mixtura.models.driven_first_stays import DrivenFirstStays
from mixtura.models.driven_stays import DrivenStays
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.mixture import Mixture
from mixtura.models.noise import Noisy
from mixtura.models.semi_markov import SemiMarkov
from mixtura.models.variational import VariationalMixture
from mixtura.models.variational_chain import VariationalChain


@dataclass(frozen=True)
class Kernel:
    """What is written for one model of one family.

    sweeps  the sweep of each engine that it serves, by the engine's name
    fill    answers row by row, for all of them; None where a row has none of its own
    fills   for engines that answer otherwise, by the engine's name
    draw    rows drawn by number of the chunk; None: by `Model.sample`
    """

    sweeps: Mapping[str, Opener]
    fill: Filler | None = None
    draw: OpenDrawing | None = None
    fills: Mapping[str, Filler] = field(default_factory=dict)


# By the very types: a subclass may have an E-step of its own.
KERNELS: dict[tuple[type[Model], type[Family]], Kernel] = {
    (Mixture, Gaussian): Kernel(
        {
            "compiled": compiled.CompiledSweep,
            "dense": compiled.DenseSweep,
            "mixed": MixedSweep,
            "torch": device.TorchSweep,
        },
        compiled.fill,
        GaussianDrawing,
        {"torch": device.fill},
    ),
    (VariationalMixture, PosteriorGaussian): Kernel(
        {"compiled": compiled.CompiledSweep, "dense": compiled.DenseSweep},
        compiled.fill,
        GaussianDrawing,
    ),
    (Noisy, Gaussian): Kernel(
        {"compiled": noise.NoisySweep, "dense": noise.DenseNoisySweep}, noise.fill
    ),
    (Mixture, Categorical): Kernel({"compiled": LevelsSweep}, threads.fill),
    (HiddenMarkov, Gaussian): Kernel({"compiled": GaussianChainSweep}),
    # Of every family: what is fused is the chain, and sums where few kinds of rows are many.
    (HiddenMarkov, Family): Kernel({"compiled": ChainSweep}),
    (VariationalChain, PosteriorGaussian): Kernel({"compiled": GaussianChainSweep}),
    (VariationalChain, Family): Kernel({"compiled": ChainSweep}),
    (Driven, Family): Kernel({"compiled": DrivenSweep}),
    (DrivenFirst, Family): Kernel({"compiled": DrivenFirstSweep}),
    (SemiMarkov, Family): Kernel({"compiled": StaySweep}),
    (DrivenStays, Family): Kernel({"compiled": StaySweep}),
    (DrivenFirstStays, Family): Kernel({"compiled": DrivenFirstStaySweep}),
}
# And of rows with missing cells.
WITH_GAPS: dict[tuple[type[Model], type[Family]], Kernel] = {
    (Mixture, Gaussian): Kernel({"compiled": gaps.GapsSweep}, gaps.fill, GaussianDrawing),
    (HiddenMarkov, Gaussian): Kernel({"compiled": GapsChainSweep}),
    (SemiMarkov, Gaussian): Kernel({"compiled": GapsStaySweep}),
}


def kernel_of(model: Model) -> Kernel | None:
    """The row of the table for a model; None where there is none."""
    family = getattr(model, "family", None)
    if family is None:
        return None
    every: type[Family] = Family  # type: ignore[type-abstract]
    own = (WITH_GAPS if family.gaps else KERNELS).get((type(model), type(family)))
    return own or KERNELS.get((type(model), every))

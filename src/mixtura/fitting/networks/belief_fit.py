"""A block model of a sparse network by belief propagation: from spectral starts, the best kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.belief import BeliefEnd, BeliefEngine
from mixtura.engines.native.belief import Rounds
from mixtura.fitting.networks.climbers import occupied
from mixtura.fitting.networks.sides import Sizes
from mixtura.models.block_model import BlockParams, Edges
from mixtura.records import AnyArray

# Sweeps between two updates of the parameters, and what a start leaves its own block of a node.
SWEEPS, OWN = 5, 0.9


@dataclass(frozen=True, eq=False)
class BeliefClimber:
    """Rounds of messages; max_iter of them at most, until all move less than the root of tol."""

    network: Network
    law: Edges
    max_iter: int
    tol: float
    engine: BeliefEngine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine", BeliefEngine(self.network))

    @cached_property
    def rest(self) -> float:
        """What counts as no change."""
        return math.sqrt(self.tol)

    def climb(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None = None
    ) -> BeliefEnd:
        """From labels (n,): parameters are theirs, messages less sure.

        With parameters from messages that are unsure, all of them would forget the blocks.
        """
        (K,) = blocks
        hard = np.eye(K)[occupied(start, K, rng)]
        size = hard.sum(axis=0)
        met = hard.T @ (self.network.edges @ hard)
        pairs = np.outer(size, size) - np.diag(size)
        matrix = np.maximum(met, 0.5) / np.maximum(pairs, 1.0)
        params = BlockParams(self.law, size / size.sum(), matrix)
        soft = OWN * hard + (1.0 - OWN) / K
        rounds = Rounds(self.max_iter if steps is None else steps, SWEEPS, self.rest, True)
        return self.engine.propagate(params, soft, rounds, rng)

    def height(self, bound: float) -> float:
        """Bethe's estimate is one of the log-likelihood."""
        return bound

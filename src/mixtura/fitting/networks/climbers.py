"""The two climbs of a search on a network: variational EM, and the polish of a hard partition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.blocks import BlockEnd, BlockEngine
from mixtura.engines.holes import HolesEnd, HolesEngine
from mixtura.engines.partition import Aim, PartitionEnd, PartitionEngine
from mixtura.fitting.networks.sides import Sizes, each_side, first_of
from mixtura.models.block_model import Edges
from mixtura.models.partition import met_between, poisson_loglik, profile
from mixtura.records import AnyArray


@dataclass(frozen=True, eq=False)
class VariationalClimber:
    """Sequential variational EM with edges of a law; tol is nats per node still to come."""

    network: Network
    law: Edges
    max_iter: int
    tol: float

    @cached_property
    def engine(self) -> BlockEngine:
        """The network in C."""
        return BlockEngine(self.network, self.law)

    def climb(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None = None
    ) -> BlockEnd:
        """From labels (n,) or memberships (n, K)."""
        order = rng.permutation(self.network.n)
        begun = np.eye(sum(blocks))[start] if start.ndim == 1 else start
        most = self.max_iter if steps is None else min(steps, self.max_iter)
        return self.engine.climb(begun, most, self.tol, order, first_of(blocks))

    def height(self, bound: float) -> float:
        """The bound is one of the log-likelihood."""
        return bound


@dataclass(frozen=True, eq=False)
class HolesClimber:
    """Moves of single nodes and steps of their rates, with degrees and missing pairs."""

    network: Network
    max_iter: int
    tol: float

    @cached_property
    def engine(self) -> HolesEngine:
        """The network in C."""
        return HolesEngine(self.network)

    def climb(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None = None
    ) -> HolesEnd:
        """From labels (n,); blocks without nodes are given one."""
        order = rng.permutation(self.network.n)
        most = self.max_iter if steps is None else min(steps, self.max_iter)
        begun = filled(start, blocks, self.network, rng)
        return self.engine.climb(begun, sum(blocks), most, self.tol, order, first_of(blocks))

    def height(self, bound: float) -> float:
        """The objective is the log-likelihood."""
        return bound


@dataclass(frozen=True, eq=False)
class PartitionClimber:
    """Moves of single nodes for an objective of hard partitions."""

    network: Network
    aim: Aim
    max_iter: int

    @cached_property
    def engine(self) -> PartitionEngine:
        """The network in C."""
        return PartitionEngine(self.network, self.aim)

    def climb(
        self, start: AnyArray, blocks: Sizes, rng: np.random.Generator, steps: int | None = None
    ) -> PartitionEnd:
        """From labels (n,); blocks without nodes are given one."""
        order = rng.permutation(self.network.n)
        most = self.max_iter if steps is None else min(steps, self.max_iter)
        begun = filled(start, blocks, self.network, rng)
        return self.engine.climb(begun, sum(blocks), most, order, first_of(blocks))

    @cached_property
    def _one_block(self) -> tuple[float, float]:
        """Profile and log-likelihood of one block: both move by the same amount, or half of it."""
        met = met_between(self.network, np.zeros(self.network.n, dtype=np.int64), 1)
        return profile(met), poisson_loglik(self.network, met)

    def height(self, bound: float) -> float:
        """Of a profile the Poisson log-likelihood;
        descriptions are log-probabilities themselves."""
        if self.aim is not Aim.PROFILE:
            return bound
        base, loglik = self._one_block
        return loglik + (bound - base) * (1.0 if self.network.directed else 0.5)


def filled(labels: AnyArray, blocks: Sizes, network: Network, rng: np.random.Generator) -> AnyArray:
    """The labels with a node in every block of each side."""
    return each_side(labels, blocks, network.sides, lambda part, K: occupied(part, K, rng))


def occupied(labels: AnyArray, K: int, rng: np.random.Generator) -> AnyArray:
    """The labels with a node in every block, taken from blocks that have several."""
    new = np.array(labels)
    for block in range(K):
        sizes = np.bincount(new, minlength=K)
        if sizes[block]:
            continue
        new[rng.choice(np.flatnonzero(sizes[new] > 1))] = block
    return new

"""Where a network's sums run: in C, node after node, many climbs side by side in threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.native.blocks import Adjacency, BlockClimb, NativeNetwork, climb_blocks
from mixtura.errors import LikelihoodFell
from mixtura.models.block_model import BlockParams, Edges
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class Ending:
    """Memberships (n, K), parameters, and the objective at the start and after each step (nats)."""

    memberships: Array
    params: BlockParams
    trace: tuple[float, ...]

    @property
    def bound(self) -> float:
        """The objective at the end (nats): a bound where it is one."""
        return self.trace[-1]

    @property
    def state(self) -> Array:
        """(n, K) memberships: one goes on from there."""
        return self.memberships

    @property
    def labels(self) -> AnyArray:
        """(n,) the likeliest block of each node."""
        return np.asarray(self.memberships.argmax(axis=1))


@dataclass(frozen=True)
class BlockEnd(Ending):
    """A climb's end, and the gain still to come (nats)."""

    gap: float


@dataclass(frozen=True, eq=False)
class BlockEngine:
    """A network and the law of its edges, ready for climbs."""

    network: Network
    law: Edges

    @cached_property
    def native(self) -> NativeNetwork:
        """The network as the kernels take it."""
        net = self.network
        listed = net.listed if net.listed.nnz or not net.complete else None
        return NativeNetwork(
            Adjacency.of(net.edges),
            Adjacency.of(net.edges.T.tocsr()) if net.directed else None,
            None if listed is None else Adjacency.of(listed),
            None if listed is None or not net.directed else Adjacency.of(listed.T.tocsr()),
            np.ascontiguousarray(net.loops) if net.has_loops else None,
            net.complete,
            net.n,
            net.first,
        )

    @cached_property
    def _beside(self) -> float:
        if self.law is Edges.GAUSSIAN:
            return self.network.squares
        return self.network.log_factorials if self.law is Edges.POISSON else 0.0

    def climb(
        self, start: Array, max_iter: int, tol: float, order: AnyArray, first: int = 0
    ) -> BlockEnd:
        """Variational EM from memberships (n, K), `first` blocks of the first side of a bipartite
        network; tol is per node.

        LikelihoodFell if the bound falls.
        """
        tau = np.array(start, dtype=np.float64, order="C")
        law = list(Edges).index(self.law)
        native, most = self.native, tol * self.network.n
        places = np.ascontiguousarray(order, dtype=np.int32)
        beside = self._beside
        try:
            found = climb_blocks(native, law, beside, tau, places, max_iter, most, first)
        except ArithmeticError as error:
            raise LikelihoodFell(*error.args) from None
        return self._end(tau, found, first)

    def _end(self, tau: Array, found: BlockClimb, first: int) -> BlockEnd:
        """What was found, in the units of x."""
        net = self.network
        matrix = net.shift + net.unit * found.matrix
        if first:
            matrix[:first, :first] = matrix[first:, first:] = 0.0
        variance = found.variance * net.unit**2
        params = BlockParams(self.law, found.weights, matrix, variance, first)
        # A density is one per unit of x; a node's block is one of its side's.
        trace = found.trace - net.n_pairs * math.log(net.unit)
        trace += sum(n * math.log(net.n / n) for n in net.sides)
        return BlockEnd(tau, params, tuple(trace.tolist()), found.gap)

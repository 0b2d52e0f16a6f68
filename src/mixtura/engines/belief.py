"""Belief propagation: an undirected sparse network, and where rounds of messages on it end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mixtura.data.networks.network import Network
from mixtura.engines.blocks import Ending
from mixtura.engines.native.belief import Rounds, propagate
from mixtura.engines.native.blocks import Adjacency
from mixtura.models.block_model import BlockParams, Edges
from mixtura.records import Array


@dataclass(frozen=True)
class BeliefEnd(Ending):
    """Where messages came to rest, or did not; the objective is Bethe's, no bound.

    change is the last one of a message, or of a parameter as a share.
    """

    change: float


@dataclass(frozen=True, eq=False)
class BeliefEngine:
    """A network without directions, loops and missing pairs."""

    network: Network

    @cached_property
    def _graph(self) -> tuple[Adjacency, NDArray[np.int64]]:
        edges = self.network.edges
        edges.sort_indices()
        rows = np.repeat(np.arange(self.network.n), np.diff(edges.indptr))
        # In order of (column, row), edges stand where the transposed ones do in rows.
        back = np.empty(edges.nnz, dtype=np.int64)
        back[np.lexsort((rows, edges.indices))] = np.arange(edges.nnz)
        return Adjacency.of(edges), back

    def propagate(
        self, params: BlockParams, start: Array, rounds: Rounds, rng: np.random.Generator
    ) -> BeliefEnd:
        """From parameters and memberships (n, K), which messages begin with.

        The law is Poisson, that of sparse Bernoulli edges too: chances are small there, and ln(1 -
        p) is -p.
        """
        graph, back = self._graph
        tau = np.array(start, dtype=np.float64, order="C")
        messages = np.ascontiguousarray(tau[graph.idx])
        weights, matrix = np.array(params.weights), np.ascontiguousarray(params.matrix.copy())
        order = rng.permutation(self.network.n).astype(np.int32)
        state = messages, tau, weights, matrix
        trace, change = propagate(graph, back, order, state, self.network.log_factorials, rounds)
        law = params.law
        if law is Edges.BERNOULLI:
            matrix = np.minimum(matrix, 1.0 - 1e-12)
        found = BlockParams(law, weights, matrix)
        return BeliefEnd(tau, found, tuple(trace.tolist()), change)

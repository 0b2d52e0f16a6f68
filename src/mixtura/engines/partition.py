"""Hard partitions polished in C: the network and the objective, ready for climbs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np
from scipy.special import gammaln, xlogy

from mixtura.data.networks.network import Network
from mixtura.engines.blocks import BlockEngine
from mixtura.engines.native.blocks import NativeNetwork
from mixtura.engines.native.partition import Objective, polish
from mixtura.models.block_model import Edges
from mixtura.models.partition import asymptotic, counted_partitions, ends_of_loops
from mixtura.records import AnyArray

# Counts up to here have their logarithms in a table; grid of ln u for numbers of partitions.
TABLE, WAYS_FROM, WAYS_TO, WAYS = 1 << 21, -8.0, 10.0, 4000


class Aim(IntEnum):
    """What a partition is polished for; see `models.partition`."""

    PROFILE = 0
    DESCRIPTION_DEGREES = 1
    DESCRIPTION = 2


@dataclass(frozen=True)
class PartitionEnd:
    """A polish's end: labels (n,), and the objective after each sweep."""

    labels: AnyArray
    trace: tuple[float, ...]
    settled: bool

    @property
    def state(self) -> AnyArray:
        """(n,) labels: a climb goes on from there."""
        return self.labels

    @property
    def bound(self) -> float:
        """Where it ended."""
        return self.trace[-1]


@dataclass(frozen=True, eq=False)
class PartitionEngine:
    """A network whose pairs are all observed, and what its partitions are polished for."""

    network: Network
    aim: Aim

    @cached_property
    def native(self) -> NativeNetwork:
        """The network as the kernels take it, loops by their ends."""
        found = BlockEngine(self.network, Edges.POISSON).native
        if found.loops is None:
            return found
        return replace(found, loops=np.ascontiguousarray(ends_of_loops(self.network)))

    @cached_property
    def objective(self) -> Objective:
        """The tables of the kernel."""
        out, back = self.network.degrees
        counts = np.arange(min(int(out.sum()) + 2, TABLE), dtype=np.float64)
        if self.aim is Aim.PROFILE:
            return Objective(0, xlogy(counts, counts))
        table = np.asarray(gammaln(counts + 1.0))
        if self.aim is Aim.DESCRIPTION:
            return Objective(int(self.aim), table)
        n = self.network.n
        _, kind = np.unique(np.concatenate([out, back]), return_inverse=True)
        both = np.ascontiguousarray(kind.reshape(2, n).T, dtype=np.int32)
        kinds = int(kind.max()) + 1
        if self.network.directed:
            both[:, 1] += kinds
            kinds *= 2
        log_u = np.linspace(WAYS_FROM, WAYS_TO, WAYS)
        return Objective(
            int(self.aim),
            table,
            both,
            kinds,
            counted_partitions(),
            np.ascontiguousarray(np.column_stack(asymptotic(np.exp(log_u)))),
            WAYS_FROM,
            float(log_u[1] - log_u[0]),
        )

    def climb(
        self, start: AnyArray, K: int, max_iter: int, order: AnyArray, first: int = 0
    ) -> PartitionEnd:
        """Moves of single nodes from labels (n,) until none raises the objective."""
        labels = np.array(start, dtype=np.int32, order="C")
        places = np.ascontiguousarray(order, dtype=np.int32)
        trace, settled = polish(self.native, self.objective, labels, K, places, max_iter, first)
        return PartitionEnd(labels, tuple(trace.tolist()), settled)

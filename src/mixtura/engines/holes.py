"""Degree-corrected block models where pairs are missing: rates of nodes instead of degrees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mixtura.data.networks.network import Network
from mixtura.engines.blocks import BlockEngine
from mixtura.engines.native.blocks import NativeNetwork
from mixtura.engines.native.holes import Filled, climb_holes
from mixtura.engines.partition import PartitionEnd
from mixtura.errors import LikelihoodFell
from mixtura.models.block_model import Edges
from mixtura.models.partition import ends_of_loops
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class HolesEnd(PartitionEnd):
    """A climb's end; the trace is of log-likelihoods (nats).

    met (K, K) and out, back (n,) are ends between blocks and degrees that would be expected if all
    pairs had been looked at: x_ij has mean out_i back_j met_rs / (its row's sum times its
    column's).
    """

    met: Array
    out: Array
    back: Array


@dataclass(frozen=True, eq=False)
class HolesEngine:
    """A network with missing pairs, ready for climbs."""

    network: Network

    @cached_property
    def native(self) -> NativeNetwork:
        """The network as the kernels take it; a node and itself are a pair, as they are where all
        were looked at, but in bipartite networks."""
        net = self.network
        loops = None if net.first else np.ascontiguousarray(ends_of_loops(net))
        return replace(BlockEngine(net, Edges.POISSON).native, loops=loops)

    @cached_property
    def _begun(self) -> tuple[Array, Array]:
        """Degrees, larger by the share of a node's pairs that is missing."""
        net = self.network
        pairs = np.repeat(net.sides[::-1], net.sides) if net.first else np.full(net.n, net.n - 1)
        listed = net.listed.sum(axis=1), net.listed.sum(axis=0)
        seen = [pairs - each if net.complete else each for each in listed]
        out, back = (
            degree * pairs / np.maximum(part, 1.0)
            for degree, part in zip(net.degrees, seen, strict=True)
        )
        return out, back

    def climb(
        self, start: AnyArray, K: int, max_iter: int, tol: float, order: AnyArray, first: int = 0
    ) -> HolesEnd:
        """From labels (n,); tol is per node. LikelihoodFell if the likelihood falls."""
        net = self.network
        labels = np.array(start, dtype=np.int32, order="C")
        places = np.ascontiguousarray(order, dtype=np.int32)
        out = self._begun[0].copy()
        rates = out, self._begun[1].copy() if net.directed else out
        asked = K, places, max_iter, tol * net.n, first
        try:
            found = climb_holes(self.native, labels, rates, *asked)
        except ArithmeticError as error:
            raise LikelihoodFell(*error.args) from None
        # Parallel edges and loops: what is the same for all parameters.
        rest = net.log_factorials
        if not net.directed:
            rest += float(np.nan_to_num(net.loops).sum()) * np.log(2.0)
        trace = tuple((found.trace - rest).tolist())
        return HolesEnd(labels, trace, found.settled, *_expected(found, labels, rates, first))


def _expected(
    found: Filled, labels: AnyArray, rates: tuple[Array, Array], first: int
) -> tuple[Array, Array, Array]:
    """Ends between blocks and degrees (out and back) over all pairs, seen or not."""
    K = len(found.met)
    whole = found.met.sum() / found.among.sum()
    omega = np.full((K, K), whole)
    np.divide(found.met, found.among, out=omega, where=found.among > 0)
    if first:
        omega[:first, :first] = omega[first:, first:] = 0.0
    ahead, behind = (np.bincount(labels, rate, K) for rate in rates)
    # What blocks share goes into degrees: then a row's sum is that of its nodes' degrees.
    out = rates[0] * (omega @ behind)[labels]
    back = rates[1] * (ahead @ omega)[labels]
    return omega * np.outer(ahead, behind), out, back

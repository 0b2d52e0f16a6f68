"""Degree-corrected block models of networks with missing pairs, in C."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library
from mixtura.engines.native.blocks import Graph, NativeNetwork, Sides, graphs


class _Holes(ctypes.Structure):
    _fields_ = [
        *((name, Graph) for name in ("out", "in_", "listed_out", "listed_in")),
        *((name, Pointer) for name in ("loops", "order")),
        ("sides", Sides),
        *((name, Int) for name in ("n", "K", "directed", "complete", "max_iter")),
        ("tol", Double),
        *((name, Pointer) for name in ("labels", "out_rate", "in_rate")),
        *((name, Pointer) for name in ("met", "among", "trace")),
        *((name, Int) for name in ("steps", "unsettled")),
    ]


@dataclass(frozen=True)
class Filled:
    """Where it ended: ends between blocks met (K, K), the sum of rate_i rate_j of their observed
    pairs among (K, K), the log-likelihood after each step but for what hangs on no parameter
    (nats), and whether it came to rest."""

    met: Array
    among: Array
    trace: Array
    settled: bool


def climb_holes(
    network: NativeNetwork,
    labels: NDArray[np.int32],
    rates: tuple[Array, Array],
    K: int,
    order: NDArray[np.int32],
    max_iter: int,
    tol: float,
    first: int,
) -> Filled:
    """Moves of nodes and steps of rates (n,) in turn; labels (n,) and rates are changed in place.

    rates are one array twice where the network is undirected; `network.loops` holds ends, NaN where
    missing; first is the number of blocks of the first side of a bipartite network. ArithmeticError
    with the two log-likelihoods if one falls.
    """
    n = network.n
    met, among, trace = np.empty((K, K)), np.empty((K, K)), np.empty(max_iter + 1)
    asked = _Holes(
        **graphs(network),
        loops=None if network.loops is None else checked("loops", network.loops, (n,)),
        order=address(order),
        sides=Sides(network.first, first),
        n=n,
        K=K,
        directed=network.back is not None,
        complete=network.complete,
        max_iter=max_iter,
        tol=tol,
        labels=address(labels),
        out_rate=checked("rates", rates[0], (n,)),
        in_rate=checked("rates", rates[1], (n,)),
        met=address(met),
        among=address(among),
        trace=address(trace),
    )
    status = library().mixtura_holes(ctypes.byref(asked))
    steps = int(asked.steps)
    if status == 1:
        raise MemoryError(f"no memory for the counts of {K} blocks")
    if status:
        raise ArithmeticError(float(trace[steps - 1]), float(trace[steps]))
    return Filled(met, among, trace[: steps + 1], not asked.unsettled)

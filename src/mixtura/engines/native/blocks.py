"""Climbs of block models in C."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library

NODES = np.int32


class Graph(ctypes.Structure):
    """Edges by node, as in kernels.h."""

    _fields_ = [("ptr", Pointer), ("idx", Pointer), ("val", Pointer)]


class Sides(ctypes.Structure):
    """Nodes and blocks of the first side, as in kernels.h; 0 where there is one side."""

    _fields_ = [("nodes", Int), ("blocks", Int)]


class _Blocks(ctypes.Structure):
    _fields_ = [
        *((name, Graph) for name in ("out", "in_", "listed_out", "listed_in")),
        ("loops", Pointer),
        ("order", Pointer),
        ("sides", Sides),
        *((name, Int) for name in ("n", "K", "directed", "complete", "law", "max_iter")),
        ("squares", Double),
        ("tol", Double),
        *((name, Pointer) for name in ("tau", "weights", "matrix", "variance", "trace")),
        ("steps", Int),
        ("gap", Double),
    ]


@dataclass(frozen=True)
class Adjacency:
    """A sparse matrix as the kernels take it; `given` None where there is no such matrix."""

    ptr: NDArray[np.int64]
    idx: NDArray[np.int32]
    val: Array | None

    @classmethod
    def of(cls, matrix: csr_array) -> Adjacency:
        """Values that are all 1 are not stored."""
        ones = bool((matrix.data == 1.0).all())
        ptr, idx = matrix.indptr.astype(np.int64), matrix.indices.astype(NODES)
        return cls(ptr, idx, None if ones else np.ascontiguousarray(matrix.data, dtype=np.float64))

    def record(self) -> Graph:
        """Pointers into the arrays, which must outlive it."""
        val = None if self.val is None else address(self.val)
        return Graph(address(self.ptr), address(self.idx), val)


@dataclass(frozen=True)
class NativeNetwork:
    """What a climb is told of a network; see `struct mixtura_blocks` in kernels.h."""

    out: Adjacency
    back: Adjacency | None
    listed: Adjacency | None
    listed_back: Adjacency | None
    loops: Array | None
    complete: bool
    n: int
    first: int


@dataclass(frozen=True)
class BlockClimb:
    """Where a climb ended: weights (K,), matrix (K, K), variance, the bound after each step (nats),
    the estimated gain still to come (nats)."""

    weights: Array
    matrix: Array
    variance: float
    trace: Array
    gap: float


def climb_blocks(
    network: NativeNetwork,
    law: int,
    squares: float,
    tau: Array,
    order: NDArray[np.int32],
    max_iter: int,
    tol: float,
    first: int = 0,
) -> BlockClimb:
    """Sequential variational EM from memberships tau (n, K), which are moved in place.

    law counts bernoulli, poisson, gaussian from 0; squares is the sum of x^2 over all pairs of a
    Gaussian network, of ln x! of a Poisson one; first is the number of blocks of the first side of
    a bipartite network. ArithmeticError with the two bounds if one falls.
    """
    n, K = tau.shape
    weights, matrix, variance = np.empty(K), np.empty((K, K)), np.ones(1)
    trace = np.empty(max_iter + 1)
    asked = _Blocks(
        **graphs(network),
        loops=None if network.loops is None else checked("loops", network.loops, (n,)),
        order=address(order),
        sides=Sides(network.first, first),
        n=n,
        K=K,
        directed=network.back is not None,
        complete=network.complete,
        law=law,
        max_iter=max_iter,
        squares=squares,
        tol=tol,
        tau=checked("tau", tau, (n, K)),
        weights=address(weights),
        matrix=address(matrix),
        variance=address(variance),
        trace=address(trace),
    )
    status = library().mixtura_blocks(ctypes.byref(asked))
    steps = int(asked.steps)
    if status == 1:
        raise MemoryError(f"no memory for a climb of {K} blocks")
    if status:
        raise ArithmeticError(float(trace[steps - 1]), float(trace[steps]))
    return BlockClimb(weights, matrix, float(variance[0]), trace[: steps + 1], float(asked.gap))


def graphs(network: NativeNetwork) -> dict[str, Any]:
    """The four graphs of a network as records."""
    none = Graph(None, None, None)
    given = {
        "out": network.out,
        "in_": network.back,
        "listed_out": network.listed,
        "listed_in": network.listed_back,
    }
    return {name: none if each is None else each.record() for name, each in given.items()}

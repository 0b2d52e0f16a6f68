"""Greedy moves of nodes between blocks, in C."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library
from mixtura.engines.native.blocks import Graph, NativeNetwork, Sides


class _Partition(ctypes.Structure):
    _fields_ = [
        ("out", Graph),
        ("in_", Graph),
        *((name, Pointer) for name in ("loops", "order", "kind")),
        ("sides", Sides),
        *(
            (name, Int)
            for name in (
                *("n", "K", "directed", "objective", "kinds"),
                *("max_iter", "table_size", "ways_size", "counted_size"),
            )
        ),
        *((name, Pointer) for name in ("table", "ways", "counted")),
        *((name, Double) for name in ("ways_from", "ways_step")),
        *((name, Pointer) for name in ("labels", "value", "met")),
        *((name, Int) for name in ("steps", "unsettled")),
    ]


@dataclass(frozen=True)
class Objective:
    """What is raised: code (0 profile, 1 description with degrees, 2 without), x ln x or ln x! of
    0, 1, ..., which kinds the out- and in-degrees of nodes are (n, 2) of how many, ln of partitions
    of m in at most n parts, and Szekeres' table (size, 2) from ln u on by a step."""

    code: int
    table: Array
    kind: NDArray[np.int32] | None = None
    kinds: int = 0
    counted: Array | None = None
    ways: Array | None = None
    ways_from: float = 0.0
    ways_step: float = 1.0


def polish(
    network: NativeNetwork,
    objective: Objective,
    labels: NDArray[np.int32],
    K: int,
    order: NDArray[np.int32],
    max_iter: int,
    first: int = 0,
) -> tuple[Array, bool]:
    """Moves of single nodes until none raises the objective: labels (n,) are changed in place.

    first is the number of blocks of the first side of a bipartite network. The objective after each
    sweep, and whether no move was left.
    """
    value, met = np.empty(max_iter + 1), np.empty((K, K))
    none = Graph(None, None, None)
    asked = _Partition(
        out=network.out.record(),
        in_=none if network.back is None else network.back.record(),
        loops=None if network.loops is None else checked("loops", network.loops, (network.n,)),
        order=address(order),
        kind=None if objective.kind is None else address(objective.kind),
        sides=Sides(network.first, first),
        n=network.n,
        K=K,
        directed=network.back is not None,
        objective=objective.code,
        kinds=objective.kinds,
        max_iter=max_iter,
        table_size=len(objective.table),
        ways_size=0 if objective.ways is None else len(objective.ways),
        counted_size=0 if objective.counted is None else len(objective.counted) - 1,
        counted=None if objective.counted is None else address(objective.counted),
        table=address(objective.table),
        ways=None if objective.ways is None else address(objective.ways),
        ways_from=objective.ways_from,
        ways_step=objective.ways_step,
        labels=address(labels),
        value=address(value),
        met=address(met),
    )
    if library().mixtura_partition(ctypes.byref(asked)):
        raise MemoryError(f"no memory for the counts of {K} blocks")
    return value[: int(asked.steps) + 1], not asked.unsettled

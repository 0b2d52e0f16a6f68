"""Belief propagation on sparse networks, in C."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library
from mixtura.engines.native.blocks import Adjacency, Graph


class _Belief(ctypes.Structure):
    _fields_ = [
        ("graph", Graph),
        *((name, Pointer) for name in ("back", "order")),
        *((name, Int) for name in ("n", "K", "learned", "sweeps", "max_iter")),
        *((name, Double) for name in ("tol", "log_factorials")),
        *((name, Pointer) for name in ("messages", "tau", "weights", "matrix", "trace")),
        ("steps", Int),
        ("change", Double),
    ]


@dataclass(frozen=True)
class Rounds:
    """How long: rounds at most, sweeps in each, the change of messages (and shares of parameters)
    below which it ends, and whether parameters are learned after each round."""

    max_iter: int
    sweeps: int
    tol: float
    learned: bool


def propagate(
    graph: Adjacency,
    back: NDArray[np.int64],
    order: NDArray[np.int32],
    state: tuple[Array, Array, Array, Array],
    log_factorials: float,
    rounds: Rounds,
) -> tuple[Array, float]:
    """Rounds of messages along the edges of an undirected network without loops.

    back (edges,) is the place of each edge the other way; state are messages (edges, K),
    memberships (n, K), weights (K,) and matrix (K, K), all changed in place. Bethe's estimate of
    the log-likelihood (nats) after each round, and the last change.
    """
    messages, tau, weights, matrix = state
    n, K = tau.shape
    trace = np.empty(rounds.max_iter)
    asked = _Belief(
        graph=graph.record(),
        back=address(back),
        order=address(order),
        n=n,
        K=K,
        learned=rounds.learned,
        sweeps=rounds.sweeps,
        max_iter=rounds.max_iter,
        tol=rounds.tol,
        log_factorials=log_factorials,
        messages=checked("messages", messages, (len(back), K)),
        tau=checked("tau", tau, (n, K)),
        weights=checked("weights", weights, (K,)),
        matrix=checked("matrix", matrix, (K, K)),
        trace=address(trace),
    )
    if library().mixtura_belief(ctypes.byref(asked)):
        raise MemoryError(f"no memory for the messages of {K} blocks")
    return trace[: int(asked.steps)], float(asked.change)

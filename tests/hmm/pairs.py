"""States and how long they have lasted as a plain chain of pairs of both: what stays must equal."""

from __future__ import annotations

import numpy as np

from mixtura.models.recursions import in_logarithms
from mixtura.models.stay_recursions import StayRule, Stays
from mixtura.records import AnyArray, Array


def in_pairs(
    laws: StayRule, log_density: Array, ends: AnyArray, weight: Array | None = None
) -> tuple[Array, Array, Stays]:
    """The plain `StayRecursion`."""
    K, D = laws[2].shape
    first, whole = pairs(laws)
    states, after = np.arange(K), np.minimum(np.arange(D) + 1, D - 1)
    every = np.repeat(log_density, D, axis=1)
    found = in_logarithms(every, first, whole, ends, weight)
    met = found[2].reshape(K, D, K, D)
    on = np.stack([met[states, u, states, after[u]] for u in range(D)], axis=1)
    began = met[:, :, :, 0]
    posterior = found[1].reshape(-1, K, D).sum(axis=2)
    return found[0], posterior, Stays(began.sum(axis=1), began.sum(axis=2), on)


def pairs(laws: StayRule) -> tuple[Array, Array]:
    """(first states (K D,), moves (K D, K D)) of the chain of states and lengths."""
    initial, moves, leave = laws
    K, D = leave.shape
    first = np.zeros((K, D))
    first[:, 0] = initial
    whole = np.zeros((K, D, K, D))
    whole[:, :, :, 0] = leave[:, :, None] * moves[:, None, :]
    states, after = np.arange(K), np.minimum(np.arange(D) + 1, D - 1)
    for u in range(D):
        whole[states, u, states, after[u]] += 1.0 - leave[:, u]
    return first.ravel(), whole.reshape(K * D, K * D)

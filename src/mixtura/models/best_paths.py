"""The k likeliest paths of a hidden Markov chain."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray, Array


def best_paths(log_density: Array, initial: Array, moves: Array, k: int) -> tuple[Array, AnyArray]:
    """(log joint densities (k,), the highest first; their states (k, n)) of one sequence.

    moves (K, K), or (n, K, K) into each step. Where there are fewer paths the rest are -inf, and
    their states -1. The k best that end in a state go on from the k best of each state before:
    Seshadri & Sundberg (1994), IEEE Transactions on Communications 42.
    """
    n, K = log_density.shape
    with np.errstate(divide="ignore"):
        here, logs = np.log(initial) + log_density[0], np.log(moves)
    # Of each state (K,) the best so far, (K, k).
    worth = np.full((K, k), -np.inf)
    worth[:, 0] = here
    back = np.zeros((n, K, k), dtype=np.int64)
    for t in range(1, n):
        into = logs[t] if logs.ndim == 3 else logs
        ahead = (worth[:, :, None] + into[:, None, :]).reshape(K * k, K)
        # Stable: of equal paths that through the first states.
        order = np.argsort(-ahead, axis=0, kind="stable")[:k]
        back[t] = order.T
        worth = np.take_along_axis(ahead, order, axis=0).T + log_density[t][:, None]
    last = np.argsort(-worth.ravel(), kind="stable")[:k]
    found = worth.ravel()[last]
    states, at = np.empty((k, n), dtype=np.int64), last
    for t in range(n - 1, -1, -1):
        states[:, t] = at // k
        at = back[t].reshape(-1)[at]
    states[np.isneginf(found)] = -1
    return found, states

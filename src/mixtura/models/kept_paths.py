"""In logarithms what scaled recursions lose: the paths through states whose mass became 0.

Where moves are barred, or as good as that, such a loss is never made good. It shows where the
likeliest path is likelier than all paths together; these sequences are asked for again here.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from mixtura.models.stay_recursions import StayRule
from mixtura.records import AnyArray, Array

# Moves below this pass for barred, and by so much (of 1) a path may be likelier than all of them.
BARRED, _ROUNDING = 1e-60, 1e-9


def lost(path: Array, loglik: Array) -> AnyArray:
    """Which sequences have a path likelier than all together, by their log-densities (S,) each."""
    return np.flatnonzero(path > loglik + _ROUNDING * (1.0 + np.abs(path)))


def barred_stays(rule: StayRule) -> bool:
    """Whether there are moves to other states, or lengths, that may hardly be."""
    initial, moves, leave = rule
    others = moves[..., ~np.eye(len(initial), dtype=bool)]
    return bool((others < BARRED).any() or (leave < BARRED).any() or (leave == 1.0).any())


def forward(log_density: Array, initial: Array, moves: Array) -> tuple[float, Array, Array, Array]:
    """Of one sequence: (log-likelihood, log joint densities of the steps so far and a state (n, K),
    P(state | steps so far), P(state | steps before)); moves (n, K, K) into each step, or (K, K)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        before, log_moves = np.log(initial), np.log(moves)
        ahead, here = np.empty(log_density.shape), np.empty(log_density.shape)
        for t, b in enumerate(log_density):
            if t:
                before = logsumexp(
                    here[t - 1][:, None] + (log_moves[t] if moves.ndim == 3 else log_moves), axis=0
                )
            ahead[t], here[t] = before, before + b
        now, then = (np.exp(a - logsumexp(a, axis=1, keepdims=True)) for a in (here, ahead))
    return float(logsumexp(here[-1])), here, np.nan_to_num(now), np.nan_to_num(then)


def both_ways(log_density: Array, initial: Array, moves: Array) -> tuple[float, Array, Array]:
    """Of one sequence: (log-likelihood, P(state | all of it) (n, K), moves met (n, K, K))."""
    total, here, _, _ = forward(log_density, initial, moves)
    met, beta = np.zeros(moves.shape), np.zeros(log_density.shape)
    if not np.isfinite(total):
        return -np.inf, beta, met
    with np.errstate(divide="ignore"):
        log_moves = np.log(moves)
    for t in range(len(log_density) - 1, 0, -1):
        onward = log_moves[t] + log_density[t] + beta[t]
        beta[t - 1] = logsumexp(onward, axis=1)
        met[t] = np.exp(here[t - 1][:, None] + onward - total)
    return total, np.exp(here + beta - total), met

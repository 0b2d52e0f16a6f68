"""Forward and backward through a hidden Markov chain, in logarithms: exact, and slow.

What the scaled recursion in C must equal, and what answers where its numbers run out.
Reference: Rabiner (1989), Proc. IEEE 77(2), section III.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from mixtura.data.sequences import starts_of
from mixtura.records import AnyArray, Array

# (log densities (n, K), initial (K,), transitions (K, K), ends (S,), weights (S,) or None) ->
# (log-likelihoods (S,), P(state | whole sequence) (n, K), expected transitions (K, K)). A sequence
# that cannot be has -inf, posteriors 0 and no transitions.
Recursion = Callable[[Array, Array, Array, AnyArray, "Array | None"], tuple[Array, Array, Array]]


def in_logarithms(
    log_density: Array, initial: Array, moves: Array, ends: AnyArray, weight: Array | None = None
) -> tuple[Array, Array, Array]:
    """The plain `Recursion`: log-sum-exp at every step."""
    loglik, posterior = np.empty(len(ends)), np.zeros(log_density.shape)
    met = np.zeros(moves.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_initial, log_moves = np.log(initial), np.log(moves)
    first = 0
    for s, end in enumerate(ends):
        rows = slice(first, int(end))
        first = int(end)
        found = _one(log_density[rows], log_initial, log_moves)
        loglik[s] = found[0]
        if np.isfinite(found[0]):
            posterior[rows] = found[1]
            met += found[2] if weight is None else weight[s] * found[2]
    return loglik, posterior, met


def _one(b: Array, log_initial: Array, log_moves: Array) -> tuple[float, Array, Array]:
    alpha, beta = np.empty(b.shape), np.zeros(b.shape)
    alpha[0] = log_initial + b[0]
    for t in range(1, len(b)):
        alpha[t] = logsumexp(alpha[t - 1][:, None] + log_moves, axis=0) + b[t]
    total = float(logsumexp(alpha[-1]))
    if not np.isfinite(total):
        return -np.inf, beta, np.zeros(log_moves.shape)
    for t in range(len(b) - 1, 0, -1):
        beta[t - 1] = logsumexp(log_moves + b[t] + beta[t], axis=1)
    met = np.zeros(log_moves.shape)
    for t in range(1, len(b)):
        met += np.exp(alpha[t - 1][:, None] + log_moves + b[t] + beta[t] - total)
    return total, np.exp(alpha + beta - total), met


def or_in_logarithms(scaled: Recursion) -> Recursion:
    """`scaled`, but in logarithms where a sequence is impossible as far as scaled numbers tell."""

    def recursion(
        log_density: Array, initial: Array, moves: Array, ends: AnyArray, weight: Array | None
    ) -> tuple[Array, Array, Array]:
        loglik, posterior, met = scaled(log_density, initial, moves, ends, weight)
        starts = starts_of(ends)
        for s in np.flatnonzero(np.isneginf(loglik)):
            rows = slice(int(starts[s]), int(ends[s]))
            own = None if weight is None else weight[s : s + 1]
            again = in_logarithms(
                log_density[rows], initial, moves, np.array([rows.stop - rows.start]), own
            )
            loglik[s], posterior[rows] = again[0][0], again[1]
            met += again[2]
        return loglik, posterior, met

    return recursion


def filtered_in_logarithms(log_density: Array, initial: Array, moves: Array) -> tuple[float, Array]:
    """(log-likelihood, P(state | the steps so far) (n, K)) of one sequence; 0 where no path is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        here, log_moves = np.log(initial) + log_density[0], np.log(moves)
        found = [here]
        for b in log_density[1:]:
            here = logsumexp(here[:, None] + log_moves, axis=0) + b
            found.append(here)
        whole = np.stack(found)
        shares = np.exp(whole - logsumexp(whole, axis=1, keepdims=True))
        return float(logsumexp(here)), np.nan_to_num(shares)

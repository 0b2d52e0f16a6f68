"""Forward and backward through states and how long they have lasted, in logarithms: slow, exact.

What the scaled recursion in C must equal, and what answers where its numbers lose a path. A state
and the steps that its stay has lasted, the last of D standing for all longer ones, are a Markov
chain: a stay lasts on, or ends and another begins.

Reference: Yu (2010), Artificial Intelligence 174, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from mixtura.records import AnyArray, Array, Statistics

# initial (K,), moves where stays end (K, K), or into each step (n, K, K), leave (K, D).
StayRule = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Stays(Statistics):
    """Expected: met moves (K, K), or into each step (n, K, K); ended, stayed (K, D) stays that end,
    and that last on, when they have lasted so long."""

    met: Array
    ended: Array
    stayed: Array


# (laws, log densities (n, K), ends (S,), weights (S,) or None) -> (log-likelihoods (S,),
# P(state | whole sequence) (n, K), sums of stays).
StayRecursion = Callable[[StayRule, Array, AnyArray, "Array | None"], tuple[Array, Array, Stays]]


def at_rows(rule: StayRule, rows: slice) -> StayRule:
    """The same laws for some of the rows."""
    initial, moves, leave = rule
    return initial, moves[rows] if moves.ndim == 3 else moves, leave


def in_logarithms(
    rule: StayRule, log_density: Array, ends: AnyArray, weight: Array | None = None
) -> tuple[Array, Array, Stays]:
    """The plain `StayRecursion`."""
    loglik, posterior = np.empty(len(ends)), np.zeros(log_density.shape)
    total = Stays(np.zeros(rule[1].shape), np.zeros(rule[2].shape), np.zeros(rule[2].shape))
    for s, (first, end) in enumerate(zip([0, *ends], ends, strict=False)):
        rows = slice(int(first), int(end))
        own = at_rows(rule, rows)
        loglik[s], joint, _ = forward(log_density[rows], own)
        if np.isfinite(loglik[s]):
            found = _backward(log_density[rows], own, joint, loglik[s])
            w = 1.0 if weight is None else float(weight[s])
            posterior[rows] = found[0]
            where = total.met[rows] if rule[1].ndim == 3 else total.met
            where += w * found[1].met
            total.ended[:] += w * found[1].ended
            total.stayed[:] += w * found[1].stayed
    return loglik, posterior, total


def _logs(rule: StayRule) -> tuple[Array, Array, Array, Array]:
    with np.errstate(divide="ignore"):
        return np.log(rule[0]), np.log(rule[1]), np.log(rule[2]), np.log1p(-rule[2])


def forward(log_density: Array, rule: StayRule) -> tuple[float, Array, Array]:
    """Of one sequence: (log-likelihood, log joint densities of the steps so far, a state and how
    long it has lasted (n, K, D), those of the steps before and a state (n, K))."""
    initial, moves, leave, keep = _logs(rule)
    joint = np.full((len(log_density), *leave.shape), -np.inf)
    ahead = np.empty(log_density.shape)
    for t, b in enumerate(log_density):
        here = joint[t]
        if t:
            before = joint[t - 1]
            out = logsumexp(before + leave, axis=1)
            into = moves[t] if moves.ndim == 3 else moves
            here[:, 0] = logsumexp(out[:, None] + into, axis=0)
            here[:, 1:] = (before + keep)[:, :-1]
            here[:, -1] = np.logaddexp(here[:, -1], (before + keep)[:, -1])
        else:
            here[:, 0] = initial
        ahead[t] = logsumexp(here, axis=1)
        here += b[:, None]
    return float(logsumexp(joint[-1])), joint, ahead


def _backward(
    log_density: Array, rule: StayRule, joint: Array, total: float
) -> tuple[Array, Stays]:
    """(P(state | all of it) (n, K), sums) of one sequence, after `forward`."""
    _, moves, leave, keep = _logs(rule)
    sums = Stays(np.zeros(rule[1].shape), np.zeros(leave.shape), np.zeros(leave.shape))
    posterior, after = np.empty(log_density.shape), np.zeros(leave.shape)
    posterior[-1] = np.exp(logsumexp(joint[-1], axis=1) - total)
    for t in range(len(log_density) - 1, 0, -1):
        into, met = (each[t] if moves.ndim == 3 else each for each in (moves, sums.met))
        before, to = joint[t - 1] - total, log_density[t] + after[:, 0]
        lasts = keep + log_density[t][:, None] + np.append(after[:, 1:], after[:, -1:], axis=1)
        over = leave + logsumexp(into + to, axis=1)[:, None]
        sums.stayed[:] += np.exp(before + lasts)
        sums.ended[:] += np.exp(before + over)
        met += np.exp(logsumexp(before + leave, axis=1)[:, None] + into + to)
        after = np.logaddexp(lasts, over)
        posterior[t - 1] = np.exp(logsumexp(before + after, axis=1))
    return posterior, sums

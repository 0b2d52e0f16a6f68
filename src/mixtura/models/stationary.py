"""The law that a chain leaves as it is, and the M-step of a chain that begins with it.

Its first states tell of the transitions too, so that the two have no closed M-step together. It is
done by a quasi-Newton climb in coordinates in which the moves alone have the identity for their
information: a handful of steps, of arrays of states by states.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from mixtura.coordinates import AroundShares
from mixtura.records import Array
from mixtura.supports import Simplex

# Of the M-step: its slope, in units of what one more draw tells, and how many steps it may take.
_SLOPE, _STEPS = 1e-6, 100


def stationary_law(transitions: Array) -> Array:
    """pi with pi G = pi, (K,): Zucchini, MacDonald & Langrock (2016), section 1.3.2.

    Where several closed classes leave several of them, the one of the least norm.
    """
    K = len(transitions)
    if closed_classes(transitions) == 1:
        found = np.linalg.solve((np.eye(K) - transitions + 1.0).T, np.ones(K))
    else:
        system = np.vstack([(np.eye(K) - transitions).T, np.ones(K)])
        found = np.linalg.lstsq(system, np.r_[np.zeros(K), 1.0], rcond=None)[0]
    found = np.maximum(found, 0.0)
    return np.asarray(found / found.sum())


def closed_classes(allowed: Array) -> int:
    """Sets of states that no allowed transition (K, K) leaves, and that hold no smaller one."""
    reached = (np.asarray(allowed) > 0) | np.eye(len(allowed), dtype=bool)
    for _ in range(len(reached)):
        reached = reached @ reached
    closed = [k for k in range(len(reached)) if reached[reached[k], k].all()]
    return len({tuple(reached[k]) for k in closed})


def first_slope(starts: Array, transitions: Array, law: Array) -> Array:
    """The gradient of sum_k starts_k log pi_k in the transitions, (K, K), along rows that sum to 0.

    d pi = pi dG Z, Z = (I - G + 1 pi)^-1 the fundamental matrix (Schweitzer 1968, J. Applied
    Probability 5), so that it is pi_i (Z r)_j with r = starts / pi.
    """
    K = len(law)
    per_share = np.divide(starts, law, out=np.zeros(K), where=law > 0)
    onward = np.linalg.solve(np.eye(K) - transitions + law, per_share)
    return np.asarray(np.outer(law, onward))


def stationary_step(starts: Array, moves: Array, before: Array) -> Array:
    """The transitions (K, K) that maximise sum starts log pi(G) + sum moves log G, near enough.

    starts (K,) and moves (K, K) are expected; transitions that are 0 in `before` stay 0. Where the
    climb gains nothing `before` is returned.
    """
    moves = np.where(before > 0, np.maximum(moves, 0.0), 0.0)
    total = moves.sum(axis=1, keepdims=True)
    shares = np.divide(moves, total, out=before.copy(), where=total > 0)
    # From whichever is better: a row of few moves may have been led far by first states.
    worth = [_value(starts, moves, each, stationary_law(each)) for each in (shares, before)]
    centre = shares if worth[0] > worth[1] else before
    chart = AroundShares(Simplex(), centre)
    units = np.sqrt(np.maximum(chart.numbers(total + starts.sum() / len(starts)), 1e-8))
    if not units.size:
        return centre

    def below(free: Array) -> tuple[float, Array]:
        now = chart.value(free / units)
        law = stationary_law(now)
        slope = np.divide(moves, now, out=np.zeros_like(moves), where=now > 0)
        slope += first_slope(starts, now, law)
        return -_value(starts, moves, now, law), -chart.slope(now, slope) / units

    climbed = minimize(
        below,
        np.zeros(units.size),
        jac=True,
        method="BFGS",
        options={"gtol": _SLOPE, "maxiter": _STEPS},
    )
    found = chart.value(climbed.x / units)
    return found if -climbed.fun >= worth[1] else before


def _value(starts: Array, moves: Array, transitions: Array, law: Array) -> float:
    """The expected log-probability of first states and moves, -inf where one is impossible."""
    with np.errstate(divide="ignore"):
        parts = ((starts, np.log(law)), (moves, np.log(transitions)))
    return float(sum((n[n > 0] * log[n > 0]).sum() for n, log in parts))

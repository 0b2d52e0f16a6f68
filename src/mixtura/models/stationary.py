"""The law that a chain leaves as it is, and the M-step of a chain that begins with it.

Its first states tell of the transitions too, so that the two have no closed M-step together. It is
done by a quasi-Newton climb in coordinates in which the moves alone have the identity for their
information: a handful of steps, of arrays of states by states.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from mixtura.coordinates import AroundShares
from mixtura.records import AnyArray, Array
from mixtura.supports import Simplex

# Of the M-step: its slope, in units of what one more draw tells, and how many steps it may take.
_SLOPE, _STEPS = 1e-6, 100


def stationary_law(transitions: Array) -> Array:
    """pi with pi G = pi, (K,): Zucchini, MacDonald & Langrock (2016), section 1.3.2.

    By eliminating states, without a subtraction, which keeps the digits of a chain that hardly ever
    moves: Grassmann, Taksar & Heyman (1985), Operations Research 33(5). Where several closed
    classes leave several laws, the one of the least norm.
    """
    K = len(transitions)
    if closed_classes(transitions) == 1:
        order, left, out = _eliminated(transitions)
        found = np.zeros(K)
        found[order[0]] = 1.0
        for n in range(1, K):
            found[order[n]] = found[order[:n]] @ left[:n, n] / out[n]
    else:
        system = np.vstack([(np.eye(K) - transitions).T, np.ones(K)])
        found = np.linalg.lstsq(system, np.r_[np.zeros(K), 1.0], rcond=None)[0]
    found = np.maximum(found, 0.0)
    return np.asarray(found / found.sum())


def _eliminated(transitions: Array) -> tuple[AnyArray, Array, Array]:
    """(states in some order, the moves left among the first n + 1 of them when those behind are
    passed through (K, K), the probability to leave the last of these for an earlier one (K,))."""
    reached = _reached(transitions)
    # The first is one that all others lead to, so that each of them can be left.
    order = np.argsort(~reached.all(axis=0), kind="stable")
    left, out = np.array(transitions[np.ix_(order, order)]), np.ones(len(order))
    for n in range(len(order) - 1, 0, -1):
        out[n] = left[n, :n].sum()
        left[:n, :n] += np.outer(left[:n, n], left[n, :n] / out[n])
    return order, left, out


def _reached(allowed: Array) -> AnyArray:
    """Which states can be come to from which, (K, K)."""
    reached = (np.asarray(allowed) > 0) | np.eye(len(allowed), dtype=bool)
    for _ in range(len(reached)):
        reached = reached @ reached
    return reached


def closed_classes(allowed: Array) -> int:
    """Sets of states that no allowed transition (K, K) leaves, and that hold no smaller one."""
    reached = _reached(allowed)
    closed = [k for k in range(len(reached)) if reached[reached[k], k].all()]
    return len({tuple(reached[k]) for k in closed})


def first_slope(starts: Array, transitions: Array, law: Array) -> Array:
    """The gradient of sum_k starts_k log pi_k in the transitions, (K, K), along rows that sum to 0.

    d pi = pi dG Z, Z = (I - G + 1 pi)^-1 the fundamental matrix (Schweitzer 1968, J. Applied
    Probability 5), so that it is pi_i (Z r)_j with r = starts / pi. Z r solves (I - G) y =
    r - pi r, which is done by the elimination of `stationary_law`. 0 where a chain is in parts.
    """
    K = len(law)
    if closed_classes(transitions) > 1:
        return np.zeros((K, K))
    per_share = np.divide(starts, law, out=np.zeros(K), where=law > 0)
    order, left, out = _eliminated(transitions)
    told = (per_share - law @ per_share)[order]
    for n in range(K - 1, 0, -1):
        told[:n] += left[:n, n] * (told[n] / out[n])
    onward = np.zeros(K)
    for n in range(1, K):
        onward[order[n]] = (told[n] + left[n, :n] @ onward[order[:n]]) / out[n]
    return np.asarray(np.outer(law, onward + law @ (per_share - onward)))


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
    # Moves too few for a number would leave a chain in parts, which has no one law.
    whole = closed_classes(shares) == 1
    centre = shares if whole and worth[0] > worth[1] else before
    chart = AroundShares(Simplex(), centre)
    units = np.sqrt(np.maximum(chart.numbers(total + starts.sum() / len(starts)), 1e-8))
    if not units.size:
        return centre

    def below(free: Array) -> tuple[float, Array]:
        now = chart.value(free / units)
        with np.errstate(over="ignore"):
            slope = np.divide(moves, now, out=np.zeros_like(moves), where=now > 0)
        if closed_classes(now) > 1 or not np.isfinite(slope).all():
            return np.inf, np.zeros_like(free)
        law = stationary_law(now)
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

"""Doing without a component: who takes its rows, what that costs, and what its heirs are then.

The heirs, and they alone, are fitted anew to all rows that they and the component hold: the partial
EM of `partial`. What that costs is then more than the whole mixture loses, by Jensen's inequality,
and far less than with heirs that stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.engines.refits import Removals, Removed
from mixtura.fitting.partial import LEAST, Partial
from mixtura.models.responsibilities import normalise
from mixtura.records import AnyArray, Array

# The heirs are at most so many, each of which takes more than this share of the rows.
HEIRS, TAKEN = 4, 0.05
# EM steps of the heirs.
STEPS = 12
# What a row holds of other components at least, to say where it would go.
TINY = 1e-10
# A share of a row so small that its square is nothing.
SLIGHT = 1e-9
# A share of a row that is none.
NONE = 1e-100


@dataclass(frozen=True)
class Removal:
    """What it costs in nats to be without a component, its heirs, and what makes their mixture
    where they are fitted anew; without heirs its rows are left to all others."""

    cost: float
    freed: int
    heirs: tuple[int, ...] = ()
    fitted: Callable[[], Any] | None = None

    @property
    def mixture(self) -> Any:
        """That of the heirs, None where they stay as they are."""
        return None if self.fitted is None else self.fitted()

    @property
    def parts(self) -> tuple[int, ...]:
        """All components that it concerns."""
        return (self.freed, *self.heirs)

    @property
    def gone(self) -> tuple[int, ...]:
        """Those that are no longer what is known of them."""
        return self.parts if self.fitted is None else (self.freed,)


def removals(around: Partial, log_joint: Array, which: Sequence[int]) -> list[Removal]:
    """Of each of some components, whose log joint densities with the rows are (n, K)."""
    if not which:
        return []
    heirs = heirs_of(around.shares, around.w)
    sets = np.full((len(which), 1 + HEIRS), -1)
    for line, j in zip(sets, which, strict=True):
        line[: 1 + len(heirs[j])] = j, *heirs[j]
    found = around.runs.removed(Removals(around.shares, log_joint, sets, STEPS, LEAST))
    if found is None:
        return [_removal(around, log_joint, j, heirs[j]) for j in which]
    return [_found(found, s, j, heirs[j]) for s, j in enumerate(which)]


def _found(found: Removed, s: int, j: int, heirs: tuple[int, ...]) -> Removal:
    cost = float(found.cost[s])
    # Without rows there is nothing to lose, and nothing to fit.
    if cost == 0.0 or not np.isfinite(cost):
        return Removal(cost, j, heirs)
    return Removal(cost, j, heirs, lambda: found.ends.one(s)[0])


def plain_removals(
    around: Partial, nearest: AnyArray, merged: Mapping[tuple[int, int], float]
) -> list[Removal]:
    """Of each component, in no time: its rows left to all others as they are, or to the nearest,
    the two of them made one at the cost that is known of each pair."""
    alone = [_alone(row, around.w) for row in around.shares]
    found = []
    for j, heir in enumerate(nearest.tolist()):
        cost = merged[min(j, heir), max(j, heir)]
        joined = Removal(cost, j, (heir,))
        found.append(joined if cost < alone[j] else Removal(alone[j], j))
    return found


def sizeable(shares: Array) -> Array:
    """The shares without the tiny ones: products too small for float64 would take a hundred times
    as long."""
    return np.asarray(shares * (shares > NONE))


def _alone(share: Array, w: Array) -> float:
    """What rows lose that are left to all others as they are, of whom one has these shares (n,)."""
    some = np.flatnonzero(share > SLIGHT)
    rest = np.maximum(1.0 - share[some], 1e-12)
    # The logarithm of what is left of one is the share itself where that is small.
    return float(w @ share - w[some] @ (np.log(rest) + share[some]))


def heirs_of(shares: Array, w: Array) -> list[tuple[int, ...]]:
    """Who would take most of the rows of each of the components with these shares (K, n)."""
    some = sizeable(shares)
    taken = (w * some / np.maximum(1.0 - some, TINY)) @ some.T
    np.fill_diagonal(taken, -1.0)
    first = np.argsort(-taken, axis=1, kind="stable")[:, :HEIRS]
    least = TAKEN * np.maximum(taken, 0.0).sum(axis=1)
    return [
        tuple(sorted({int(order[0]), *(int(k) for k in order if row[k] > much)}))
        for order, row, much in zip(first, taken, least, strict=True)
    ]


def inherited(around: Partial, removal: Removal) -> tuple[AnyArray, Array]:
    """Which rows the heirs shared with a component, and their responsibilities (m, heirs) now."""
    rows = around.held(removal.parts)
    return rows, around.runs.answered(around.X[rows], removal.mixture)[1]


def _removal(around: Partial, log_joint: Array, j: int, heirs: tuple[int, ...]) -> Removal:
    chosen = around.held((j, *heirs))
    if len(chosen) < 2:
        return Removal(0.0, j, heirs)
    joint = log_joint[chosen]
    shares = around.shares[[j, *heirs]]
    mass = around.w[chosen] * shares[:, chosen].sum(axis=0)
    # As they are now, a mixture of their own.
    now = normalise(joint[:, [j, *heirs]])[0]
    part = np.log((shares @ around.w).sum() / around.w.sum())
    resp = np.ascontiguousarray(normalise(joint[:, list(heirs)])[1])
    then = around.refit(chosen, mass, resp, STEPS)
    if then is None:
        return Removal(np.inf, j, heirs)
    cost, mixture = float(mass @ (now - part)) - then.summary.loglik, then.params
    return Removal(cost, j, heirs, lambda: mixture)

"""Leaving the end of a race in which components have each other's bounds or ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mixtura.data.source import Source
from mixtura.engines.base import Sweep
from mixtura.errors import FAILURES
from mixtura.fitting.moves import CHANCE, GAIN, TRIAL
from mixtura.fitting.partial import ShortRuns
from mixtura.fitting.roles import Roles, orders
from mixtura.fitting.starts import StartMaker
from mixtura.models.responsibilities import normalise
from mixtura.records import Array
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# Orders that are climbed on from: those whose short climbs end highest.
CLIMBED = 2

OpenSweep = Callable[[Any, Source], Sweep]


def freely(maker: StartMaker, open_sweep: OpenSweep, resp: Array, steps: int) -> Array:
    """The groups (n, K) after EM without bounds and ties: what the rows say by themselves.

    They are as given where that fails.
    """
    model: Any = maker.model
    model = replace(model, family=model.family.pinned.freed(model.family))
    try:
        sweep = open_sweep(model, maker.rows)
        start, summary = sweep.begun(model, resp, maker.base)
        climb = em(Problem(model, sweep, start, 0.0, steps, summary=summary), brief=True)
    except FAILURES:
        return resp
    return normalise(model.log_joint(maker.rows.X, climb.params))[1]


def exchanged(maker: StartMaker, climb: Climb, runs: ShortRuns, roles: Roles) -> tuple[Climb, int]:
    """(a climb at least as good, whose components have exchanged their roles; moves accepted).

    Ends when no order gains, or when the runs have no work `left`.
    """
    accepted = 0
    for _ in roles:
        better = _better(maker, climb, runs, roles)
        if better is None:
            break
        climb, accepted = better, accepted + 1
    return climb, accepted


def _better(maker: StartMaker, here: Climb, runs: ShortRuns, roles: Roles) -> Climb | None:
    """The highest of short climbs from other orders; None where none is higher."""
    rows = maker.rows
    resp = normalise(maker.model.log_joint(rows.X, here.params))[1]
    tried: list[tuple[float, Climb]] = []
    for order in orders(roles):
        if runs.left <= 0:
            break
        try:
            climb = runs.begun(rows, resp[:, order], here.params, TRIAL)
            tried.append((runs.worth(rows, climb), climb))
        except FAILURES:
            continue
    tried.sort(key=lambda each: -each[0])
    ends = []
    for _, climb in tried[:CLIMBED]:
        try:
            climb = runs.further(climb.params, climb.summary, CHANCE)
            ends.append((runs.worth(rows, climb), climb))
        except FAILURES:
            continue
    worth, best = max(ends, key=lambda each: each[0], default=(float("-inf"), here))
    return best if worth > runs.worth(rows, here) + GAIN else None

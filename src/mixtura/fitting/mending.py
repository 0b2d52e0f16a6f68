"""A climb that ran into spikes goes on with those components elsewhere.

With many components some few rows nearly always make one of them narrow, from any start. Another
start costs another climb, and ends on spikes of its own; moving just these components leaves all
others where they have been climbed to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.errors import FAILURES, Collapse, IllDefined
from mixtura.families.collapse import rows_per_weight
from mixtura.fitting.climbs import Climbs
from mixtura.fitting.moves import Walk, moved
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.partial import Partial, Piece
from mixtura.fitting.proposals import BEST, Move, Proposals
from mixtura.fitting.race import Race
from mixtura.fitting.removals import Removal
from mixtura.models.mixture_params import MixtureParams
from mixtura.solvers.auto import EDGE
from mixtura.solvers.climb import Climb

# Climbs at most, all but the last of which may be mended.
TIMES = 5


@dataclass(frozen=True)
class Failed:
    """A climb at maximum likelihood that has no end: why, and after how many passes."""

    error: Exception
    passes: int


def mended_end(
    climbs: Climbs,
    fresh: Callable[[], Race],
    tallied: Callable[[Race], AbstractContextManager[None]],
    start: MixtureParams,
) -> Outcome | Failed | None:
    """The end of a climb at maximum likelihood whose spikes are moved elsewhere, again and again;
    why the first of these climbs failed where none has an end, None where it stopped at an edge,
    from which others go on. Looks at components are those of `fresh` races, which are `tallied`."""
    best: Outcome | None = None
    first: Outcome | Failed | None = None
    way: list[Climb] = []
    for times in range(TIMES):
        race, ended, before = fresh(), False, climbs.passes
        try:
            outcome = climbs.bare(start, way.append)
        except (Collapse, IllDefined) as error:
            first = first or Failed(error, climbs.passes - before)
            spikes, last = {error.component}, way[-1].params if way else start
        except FAILURES as error:
            first = first or Failed(error, climbs.passes - before)
            break
        else:
            first = first or outcome
            # What ended by its time is kept as it is; an edge alone is there to go on from.
            ended = climbs.late or outcome.climb.reason != EDGE
            if ended and (best is None or better(outcome, best)):
                best = outcome
            spikes, last = {each.component for each in outcome.spikes}, outcome.climb.params
        if (ended and not spikes) or climbs.late or times + 1 == TIMES:
            break
        try:
            with tallied(race):
                found = mended(race, last, spikes)
        except FAILURES:
            break
        if found is None:
            break
        start, way = found, []
    return best or (first if isinstance(first, Failed) else None)


def mended(race: Race, params: Any, spikes: set[int]) -> Any | None:
    """A mixture with these components, and others that are spikes, where splitting brings most.

    None where there is nothing to split. It is at maximum likelihood, as its climb will be.
    """
    climb = race.further(params, None, 0)
    held = climb.params.weights * rows_per_weight(race.maker.rows.positive, climb.summary.weight)
    empty = np.flatnonzero(held * climb.summary.weight < 1.0)
    narrow = spikes | race.spikes(climb) | {*empty.tolist()}
    walk = Walk(race.maker, race, race.rng, False, None)
    here = walk.standing(climb, climb.summary.loglik / climb.summary.weight)
    partial = Partial(race.maker, here.resp, race, race.rng)
    proposals = Proposals(False)
    proposals.look(partial, here.log_joint)
    wide = [each for (k, *two), each in proposals.pieces.items() if not two and k not in narrow]
    first = sorted(wide, key=_gain)[: BEST + len(narrow)]
    pieces = sorted(map(partial.sobered, first), key=_gain)
    removals = (proposals.removals[k] for k in sorted(narrow))
    moves = _disjoint_each(removals, pieces, narrow)
    if len(moves) < len(narrow):
        return None
    race.moves += len(moves)
    bare = replace(race, maker=replace(race.maker, model=race.maker.model.unpenalised()))
    again = bare.begun(race.maker.rows, moved(here, partial, moves), climb.params, 0)
    race.passes += bare.passes - race.passes
    return again.params


def _gain(piece: Piece) -> float:
    """The most promising first."""
    return -piece.gain


def _disjoint_each(
    removals: Iterable[Removal], pieces: Sequence[Piece], spikes: set[int]
) -> list[Move]:
    """For each removal the first piece that shares no component with those before."""
    taken, moves = set(spikes), []
    for removal in removals:
        heirs = set(removal.heirs) - spikes
        free = [each for each in pieces if not taken & {*each.parts, *heirs}]
        if free and np.isfinite(free[0].gain):
            moves.append(Move(free[0].gain - removal.cost, free[0], removal))
            taken |= moves[-1].touched
    return moves

"""A climb that ran into spikes goes on with those components elsewhere.

With many components some few rows nearly always make one of them narrow, from any start. Another
start costs another climb, and ends on spikes of its own; moving just these components leaves all
others where they have been climbed to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.families.collapse import rows_per_weight
from mixtura.fitting.moves import Walk, moved
from mixtura.fitting.partial import Partial, Piece
from mixtura.fitting.proposals import BEST, Move, Proposals
from mixtura.fitting.race import Race
from mixtura.fitting.removals import Removal

# Climbs at most, all but the last of which may be mended.
TIMES = 5


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

"""Leaving a local optimum from where one stands: give components another place.

With ten components and more, fresh starts put two centres in one group and none in another again
and again; moving single components of a good mixture repairs just that. A move takes one component
out, its rows left to all others or to the one it overlaps with most, and splits another (split and
merge: Ueda, Nakano, Ghahramani & Hinton 2000, Neural Computation 12; random swap: Zhao, Hautamaki,
Karkkainen & Franti 2012, Pattern Recognition Letters 33); or it begins two that overlap anew. What
each brings is estimated locally (`partial`), so all components are looked at in one round, and
moves that share no component are made together. A short climb of the whole mixture decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mixtura.errors import FAILURES
from mixtura.fitting.partial import Partial, ShortRuns
from mixtura.fitting.proposals import Move, Proposals
from mixtura.fitting.starts import StartMaker
from mixtura.models.responsibilities import normalise
from mixtura.records import Array
from mixtura.solvers.climb import Climb

# EM steps of a trial, and of its second chance when it came within NEAR nats per row.
TRIAL, CHANCE, NEAR = 8, 24, 0.01
# A move must gain more than this, in nats per row.
GAIN = 1e-5
# Rounds without gain before a mixture is left alone: so many, more of few components (MOST / K).
# Where another start led there too at most so few, K - 2 of few components, and of two none where
# most did. Without a kernel for partial EM, PLAIN.
PATIENCE, MOST, AGREED, PLAIN = 4, 22, 3, 2
MAJORITY = 0.5
# Moves tried in a round.
TRIED = 3
import os
SLACK=float(os.environ.get('SLACK','0.5')); PAIR=float(os.environ.get('PAIR','10'))


@dataclass(frozen=True)
class Standing:
    """The mixture to improve on, its worth per row, and what each row makes of it."""

    climb: Climb
    worth: float
    log_joint: Array
    resp: Array


def improve(
    maker: StartMaker,
    climb: Climb,
    runs: ShortRuns,
    rng: np.random.RandomState,
    alike: float = 0.0,
) -> tuple[Climb, int]:
    """(a climb at least as good, moves accepted).

    `alike` is the share of other starts that led to `climb` too.
    Ends after some rounds in a row without gain, or when the runs have no work `left`.
    Where every component is narrow none is tried: there is none whose width the others could be
    given, so the worth of a move would be that of made-up widths.
    """
    if len(maker.model.guard(climb.summary, climb.params)) == len(climb.params.weights):
        return climb, 0
    here, failures, accepted = _standing(maker, climb, runs, runs.worth(maker.rows, climb)), 0, 0
    proposals, partial = Proposals(), Partial(maker, here.log_joint, here.resp, runs, rng)
    failed: list[Move] = []
    patience = _patience(here.resp.shape[1], alike, runs.quick)
    while failures < patience and runs.left > 0:
        better, made = _round(maker, here, partial, runs, proposals, failed)
        if better is None:
            failures += 1
            continue
        here, failures, accepted = better, 0, accepted + made
        partial, failed = Partial(maker, here.log_joint, here.resp, runs, rng), []
    return here.climb, accepted


def _patience(K: int, alike: float, quick: bool) -> int:
    if alike == 0:
        return max(PATIENCE, MOST // K) if quick else PLAIN
    most = AGREED if quick else PLAIN - 1
    return min(most, K - 2) if K > 2 or alike > MAJORITY else most


def _round(
    maker: StartMaker,
    here: Standing,
    partial: Partial,
    runs: ShortRuns,
    proposals: Proposals,
    failed: list[Move],
) -> tuple[Standing | None, int]:
    """(the standing after the first moves that gain, None where none does; how many moves).

    Moves that failed from here are noted in `failed`, and tried again where they promise more.
    """
    least = GAIN * here.climb.summary.weight
    # What a narrow component promised must not stand in the way of what others do.
    failed[:] = proposals.sobered(partial, failed)
    promised = {move.touched: move.gain for move in failed}
    proposals.look(partial)
    moves = _worthy(proposals.moves(), promised, least, here.resp.shape[1])
    # Moves of narrow components are seen through before they are tried.
    while any(not move.piece.sober for move in _distinct(moves)):
        proposals.sobered(partial, _distinct(moves))
        moves = _worthy(proposals.moves(), promised, least, here.resp.shape[1])
    sure = _disjoint(move for move in moves if move.gain > least)
    sure = [move for move in proposals.sobered(partial, sure) if move.gain > least]
    tries = [sure] if len(sure) > 1 else []
    for together in [*tries, *([move] for move in _distinct(moves))]:
        if runs.left <= 0:
            break
        better = _tried(maker, here, partial, together, runs)
        if better is not None:
            return better, len(together)
        if len(together) == 1:
            failed += together
    return None, 0


def _worthy(
    moves: list[Move], promised: dict[frozenset[int], float], least: float, K: int
) -> list[Move]:
    """Those not yet tried, or that promise more than they did then."""
    return [
        move
        for move in moves
        if move.gain > promised.get(move.touched, -np.inf) + least
        and (
            K == 2
            or move.gain > (PAIR * least if move.removal is None else -SLACK * move.piece.gain)
        )
    ]


def _distinct(moves: list[Move]) -> list[Move]:
    """The first few, of those that split one component the best."""
    first: dict[tuple[int, ...], Move] = {}
    for move in moves:
        first.setdefault(move.piece.parts, move)
    return list(first.values())[:TRIED]


def _tried(
    maker: StartMaker, here: Standing, partial: Partial, moves: list[Move], runs: ShortRuns
) -> Standing | None:
    """The standing after these moves, None where they do not gain."""
    try:
        trial = runs.begun(maker.rows, _moved(here, partial, moves), here.climb.params, TRIAL)
        worth = runs.worth(maker.rows, trial)
        short = here.worth + GAIN - worth
        if 0 <= short < min(NEAR, CHANCE * _pace(trial)):
            trial = runs.further(trial.params, trial.summary, CHANCE)
            worth = runs.worth(maker.rows, trial)
    except FAILURES:
        return None
    return _standing(maker, trial, runs, worth) if worth > here.worth + GAIN else None


def _pace(climb: Climb) -> float:
    """What its last step gained per row."""
    last = climb.logliks[-2:]
    return (last[-1] - last[0]) / climb.summary.weight


def _standing(maker: StartMaker, climb: Climb, runs: ShortRuns, worth: float) -> Standing:
    X = maker.rows.X.astype(np.float64, copy=False)
    return Standing(climb, worth, *runs.answered(X, climb.params))


def _disjoint(moves: Iterable[Move]) -> list[Move]:
    """The first of them, and each later one that touches no component of those before."""
    touched: set[int] = set()
    chosen = []
    for move in moves:
        if not touched & move.touched:
            chosen.append(move)
            touched |= move.touched
    return chosen


def _moved(here: Standing, partial: Partial, moves: list[Move]) -> Array:
    """The responsibilities (n, K) after moves that touch different components."""
    removals = [move.removal for move in moves if move.removal is not None]
    resp = here.resp.copy()
    if removals:
        joint = here.log_joint.copy()
        joint[:, [each.freed for each in removals]] = -np.inf
        resp = normalise(joint)[1]
    for each in removals:
        if each.heired is not None:
            rows, answers, parts = *partial.heired(each), list(each.heirs)
            share = here.resp[rows][:, [each.freed, *parts]].sum(axis=1)
            resp[np.ix_(rows, np.array(parts))] = share[:, None] * answers
    for move in moves:
        rows, answers = partial.held(move.piece.parts), partial.answers(move.piece)
        parts = list(move.piece.parts)
        share = resp[rows][:, parts].sum(axis=1)
        places = parts if move.removal is None else [*parts, move.removal.freed]
        resp[np.ix_(rows, np.array(places))] = share[:, None] * answers
    return resp

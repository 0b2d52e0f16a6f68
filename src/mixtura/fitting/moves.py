"""Leaving a local optimum from where one stands: give components another place.

With ten components and more, fresh starts put two centres in one group and none in another again
and again; moving single components of a good mixture repairs just that. A move takes one component
out, its rows left to all others or to the one it overlaps with most, and splits another (split and
merge: Ueda, Nakano, Ghahramani & Hinton 2000, Neural Computation 12; random swap: Zhao, Hautamaki,
Karkkainen & Franti 2012, Pattern Recognition Letters 33); or it begins two that overlap anew. What
each brings is estimated locally (`partial`), so all components are looked at in one round, and
moves that share no component are made together. A short climb of the whole mixture decides.

Where no other start came near, the search goes on (`Hope`), also from the highest mixtures that
trials were left at: a way up may begin with a step down (iterated local search: Lourenco, Martin &
Stutzle 2003, Handbook of Metaheuristics).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixtura.engines.refits import Swap
from mixtura.errors import FAILURES
from mixtura.fitting.hope import NOTABLE, Hope
from mixtura.fitting.partial import Partial, ShortRuns
from mixtura.fitting.proposals import Move, Proposals
from mixtura.fitting.removals import inherited
from mixtura.fitting.starts import StartMaker
from mixtura.models.responsibilities import normalise
from mixtura.records import AnyArray, Array
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
# Moves tried in a round, and at once.
TRIED, TOGETHER = 3, 2
# Of so few components starts and quick moves find what there is.
FEW = 3
# In a thorough search a pair that begins anew must promise so many times as much.
ANEW = 10
# A share of a row below which its digits are few.
TINY = 1e-280
# Where the search goes on: rounds without gain before it leaves a mixture, and before it leaves one
# that a trial was left at, and how many of these are kept.
LONG, ASIDE, KEPT = 8, 3, 8


@dataclass(frozen=True)
class Standing:
    """The mixture to improve on, its worth per row, and what each row makes of it."""

    climb: Climb
    worth: float
    log_joint: Array
    resp: Array


@dataclass
class Walk:
    """Rounds of moves from one mixture, and from those that it becomes.

    thorough  whether what moves promise is found out with care before they are tried
    hope      whether the search goes on, None where it ends with its patience
    lost      the highest ends of trials that did not gain, the best last
    met       the heights where walks ended
    """

    maker: StartMaker
    runs: ShortRuns
    rng: np.random.RandomState
    thorough: bool
    hope: Hope | None
    lost: list[tuple[float, Climb]] = field(default_factory=list)
    met: list[float] = field(default_factory=list)

    @property
    def together(self) -> int:
        """Trials at once: short ones leave a core idle."""
        return TOGETHER if self.thorough else 1

    def standing(self, climb: Climb, worth: float) -> Standing:
        X = self.maker.rows.X.astype(np.float64, copy=False)
        return Standing(climb, worth, *self.runs.answered(X, climb.params))

    def on(self, here: Standing, patience: int, longest: int) -> tuple[Standing, int]:
        """(where moves lead from here, how many) until so many rounds in a row gain nothing, or
        `longest` where there is hope."""
        failures, accepted, proposals = 0, 0, Proposals(self.thorough)
        failed: list[Move] = []
        mark = here.worth
        partial = Partial(self.maker, here.resp, self.runs, self.rng)
        while self._further(failures, patience, longest):
            better, made = _round(self, here, partial, proposals, failed)
            # What the first rounds gain is no measure of what later ones will.
            if self.hope is not None and (better is None or self.hope.rounds):
                self.hope.note(here.worth if better is None else better.worth)
            if better is None:
                failures += 1
                continue
            here, accepted = better, accepted + made
            # Near other starts only a notable gain is a reason to begin to count anew.
            if not self.thorough or self.hope is not None or here.worth > mark + NOTABLE:
                failures, mark = 0, here.worth
            if any(abs(here.worth - height) < GAIN for height in self.met):
                break
            partial, failed = Partial(self.maker, here.resp, self.runs, self.rng), []
        self.met.append(here.worth)
        return here, accepted

    def leave(self, worth: float, trial: Climb) -> None:
        """Keep the end of a trial that did not gain."""
        if self.hope is not None:
            self.lost = sorted([*self.lost, (worth, trial)], key=lambda each: each[0])[-KEPT:]

    def _further(self, failures: int, patience: int, longest: int) -> bool:
        hope = self.hope
        hopeful = hope is not None and failures < longest and hope.there
        return self.runs.left > 0 and (failures < patience or hopeful)


def improve(
    maker: StartMaker,
    climb: Climb,
    runs: ShortRuns,
    rng: np.random.RandomState,
    alike: float = 0.0,
    alone: bool = False,
) -> tuple[Climb, int]:
    """(a climb at least as good, moves accepted).

    `alike` is the share of other starts that led to `climb` too, `alone` that none came near.
    Ends after some rounds in a row without gain, alone where one more hardly brings one, or when
    the runs have no work `left`.
    Where every component is narrow none is tried: there is none whose width the others could be
    given, so the worth of a move would be that of made-up widths.
    """
    if len(maker.model.guard(climb.summary, climb.params)) == len(climb.params.weights):
        return climb, 0
    worth = runs.worth(maker.rows, climb)
    many = len(climb.params.weights) > FEW
    thorough = runs.small and runs.quick and many and alike == 0
    walk = Walk(maker, runs, rng, thorough, Hope() if alone and thorough else None)
    here = walk.standing(climb, worth)
    best, accepted = walk.on(here, _patience(here.resp.shape[1], alike, runs.quick), LONG)
    while walk.lost and walk.hope is not None and walk.hope.there and runs.left > 0:
        worth, trial = walk.lost.pop()
        here, made = walk.on(walk.standing(trial, worth), 0, ASIDE)
        if here.worth > best.worth + GAIN:
            best, accepted = here, accepted + made
    return best.climb, accepted


def _patience(K: int, alike: float, quick: bool) -> int:
    if alike == 0:
        return max(PATIENCE, MOST // K) if quick else PLAIN
    most = AGREED if quick else PLAIN - 1
    return min(most, K - 2) if K > 2 or alike > MAJORITY else most


def _round(
    walk: Walk, here: Standing, partial: Partial, proposals: Proposals, failed: list[Move]
) -> tuple[Standing | None, int]:
    """(the standing after the first moves that gain, None where none does; how many moves).

    Moves that failed from here are noted in `failed`, and tried again where they promise more.
    """
    least = GAIN * here.climb.summary.weight
    # What a narrow component promised must not stand in the way of what others do.
    failed[:] = proposals.sober(partial, failed)
    promised = {move.touched: move.gain for move in failed}
    proposals.look(partial, here.log_joint)
    first, sure = _chosen(proposals, promised, least)
    while walk.thorough and any(not move.piece.sober for move in first):
        proposals.sober(partial, first)
        first, sure = _chosen(proposals, promised, least)
    sure = [move for move in proposals.sober(partial, sure) if move.gain > least]
    tries = [sure] if len(sure) > 1 else []
    tries += [[move] for move in first]
    for at in range(0, len(tries), walk.together):
        if walk.runs.left <= 0:
            break
        together = tries[at : at + walk.together]
        better: list[tuple[float, Climb, list[Move]]] = []
        for moves, end in zip(together, _tried(walk, here, partial, together), strict=True):
            if end is not None and end[0] > here.worth + GAIN:
                better.append((*end, moves))
            elif end is not None and end[0] < here.worth - GAIN:
                walk.leave(*end)
        if better:
            *others, (worth, trial, moves) = sorted(better, key=lambda each: each[0])
            for other in others:
                walk.leave(*other[:2])
            return walk.standing(trial, worth), len(moves)
        failed += [moves[0] for moves in together if len(moves) == 1]
    return None, 0


def _chosen(
    proposals: Proposals, promised: Mapping[frozenset[int], float], least: float
) -> tuple[list[Move], list[Move]]:
    """Of the moves that promise more than they did when they were tried: (the first few of those
    that split one component the best; those that promise a gain and share no component)."""
    enough = ANEW * least if proposals.thorough else least
    first: dict[tuple[int, ...], Move] = {}
    sure: list[Move] = []
    touched: set[int] = set()
    for move in proposals.moves():
        if move.gain <= least and len(first) == TRIED:
            break
        if move.removal is None and move.gain <= enough and not proposals.two:
            continue
        if not move.gain > promised.get(move.touched, -np.inf) + least:
            continue
        if len(first) < TRIED:
            first.setdefault(move.piece.parts, move)
        if move.gain > least and not touched & move.touched:
            sure.append(move)
            touched |= move.touched
    return list(first.values()), sure


def _tried(
    walk: Walk, here: Standing, partial: Partial, together: Sequence[list[Move]]
) -> list[tuple[float, Climb] | None]:
    """(worth, short climb) after each of some lists of moves, None of one that fails."""
    found = []
    for trial in _trials(walk, here, partial, together):
        try:
            found.append(None if trial is None else _judged(walk, here, trial))
        except FAILURES:
            found.append(None)
    return found


def _trials(
    walk: Walk, here: Standing, partial: Partial, together: Sequence[list[Move]]
) -> list[Climb | None]:
    """The first steps after each."""
    rows, runs, params = walk.maker.rows, walk.runs, here.climb.params
    if walk.thorough:
        found = runs.tried(params, [swaps(moves) for moves in together], TRIAL)
        if found is not None:
            return found
    begun: list[Climb | None] = []
    for moves in together:
        try:
            begun.append(runs.begun(rows, moved(here, partial, moves), params, TRIAL))
        except FAILURES:
            begun.append(None)
    return begun


def _judged(walk: Walk, here: Standing, trial: Climb) -> tuple[float, Climb]:
    """What a trial is worth, after its second chance where it is near."""
    rows, runs = walk.maker.rows, walk.runs
    worth = runs.worth(rows, trial)
    short = here.worth + GAIN - worth
    if 0 <= short < min(NEAR, CHANCE * _pace(trial)):
        trial = runs.further(trial.params, trial.summary, CHANCE)
        worth = runs.worth(rows, trial)
    return worth, trial


def _pace(climb: Climb) -> float:
    """What its last step gained per row."""
    last = climb.logliks[-2:]
    return (last[-1] - last[0]) / climb.summary.weight


def swaps(moves: Sequence[Move]) -> list[Swap]:
    """Moves that touch different components, as mixtures that take the places of others."""
    found = []
    for move in moves:
        removal = move.removal
        if removal is not None and removal.fitted is not None:
            found.append(Swap(removal.parts, removal.heirs, removal.mixture))
    for move in moves:
        parts = move.piece.parts
        places = parts if move.removal is None else (*parts, move.removal.freed)
        found.append(Swap(parts, places, move.piece.pair))
    return found


def moved(here: Standing, partial: Partial, moves: list[Move]) -> Array:
    """The responsibilities (n, K) after moves that touch different components."""
    removals = [move.removal for move in moves if move.removal is not None]
    gone = [each.freed for each in removals if each.mixture is not None or not each.heirs]
    resp = _without(here, gone) if gone else here.resp.copy()
    for removal in removals:
        if removal.freed not in gone:
            resp[:, removal.heirs[0]] += resp[:, removal.freed]
            resp[:, removal.freed] = 0.0
        elif removal.mixture is not None:
            rows, answers = inherited(partial, removal)
            share = _shared(here.resp, rows, removal.parts)
            resp[np.ix_(rows, np.array(removal.heirs))] = share[:, None] * answers
    for move in moves:
        rows, answers = partial.held(move.piece.parts), partial.answers(move.piece)
        parts = list(move.piece.parts)
        share = _shared(resp, rows, parts)
        places = parts if move.removal is None else [*parts, move.removal.freed]
        resp[np.ix_(rows, np.array(places))] = share[:, None] * answers
    return resp


def _without(here: Standing, gone: list[int]) -> Array:
    """The responsibilities (n, K) of the others where some components are not."""
    resp = here.resp.copy()
    resp[:, gone] = 0.0
    left = resp @ np.ones(resp.shape[1])
    # Of rows that were wholly theirs only logarithms tell.
    theirs = np.flatnonzero(left < TINY)
    left[theirs] = 1.0
    resp /= left[:, None]
    if len(theirs):
        joint = here.log_joint[theirs]
        joint[:, gone] = -np.inf
        resp[theirs] = normalise(joint)[1]
    return resp


def _shared(resp: Array, rows: AnyArray, parts: Sequence[int]) -> Array:
    """What these components hold of some rows; a short row is slow to sum."""
    share: Array = resp[rows, parts[0]]
    for k in parts[1:]:
        share += resp[rows, k]
    return share

"""Where hidden Markov models begin: mixtures that know no order, segments, and chance.

A start is responsibilities or a mixture, as for mixtures, and transitions beside them. What has no
time in it (a mixture) finds states that differ in their rows; segments find states that last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

from mixtura.data.kinds import kinds_of
from mixtura.data.sequences import Sequences
from mixtura.errors import FAILURES
from mixtura.fitting.budget import allowed_work
from mixtura.fitting.prepared import Ground
from mixtura.fitting.race import Race
from mixtura.fitting.starts import STARTS
from mixtura.models.driven import Driven
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.state_order import reordered
from mixtura.models.stationary import stationary_law
from mixtura.models.tied_rows import pooled
from mixtura.records import AnyArray, Array
from mixtura.solvers.clock import NEVER, Clock
from mixtura.supports import TINY

# Steps of a segment; sequences are cut into pieces of so many.
SEGMENTS = (4, 16, 64)
# Starts from chance, and how likely a state of theirs lasts another step.
CHANCES, STAYS = 4, (0.6, 0.95)
# Starts from stretches drawn at random, and how many of these there are for each state: of
# regressions, whose states no centres of rows tell apart.
STRETCHES = (2, 4) * 5
# Mixtures that begin, the best ones of a race.
MIXTURES = 2
# How their names begin.
MIXTURE = "mixture "
# What is added to the moves counted in a start, so that none is impossible.
_SMOOTH = 0.5
# A known state that a start is sure is another counts against it so much (nats), and no more.
_FAR = -30.0


@dataclass
class ChainStarts:
    """Makes starts on a sample of whole sequences.

    allowed (K, K) says which transitions may be, first (K,) where a sequence may begin. Where
    states are `timed` those come first that suit early steps: no move goes back.
    """

    model: HiddenMarkov
    rows: Sequences
    ground: Ground
    allowed: AnyArray
    first: AnyArray
    rng: np.random.RandomState
    timed: bool = False
    passes: int = 0
    clock: Clock = NEVER

    @property
    def regressions(self) -> bool:
        """Whether states are regressions; not where covariates of moves alone are given."""
        return self.model.family.conditional and not isinstance(self.model, Driven)

    def all(self) -> Iterator[tuple[str, HiddenMarkovParams]]:
        """(how it was made, the start) of each."""
        yield from self._mixtures()
        for length in SEGMENTS:
            if length * len(self.first) <= self.rows.n:
                yield f"segments of {length}", self._segments(length)
        for i in range(CHANCES):
            name = ("k-means++", "random_from_data")[i % 2]
            resp = STARTS[name](self._framed(i), self._weights(), len(self.first), self.rng)
            yield f"{name}, random transitions", self._from(resp, STAYS[i // 2 % len(STAYS)])
        for each in STRETCHES if self.regressions else ():
            if 2 * each * len(self.first) <= self.rows.rows().n:
                yield f"{each} random stretches a state", self._stretches(each)

    def _mixtures(self) -> Iterator[tuple[str, HiddenMarkovParams]]:
        maker = self.ground.maker
        if self._saturated():
            return
        allowed = allowed_work(maker.model, maker.base, self.ground.survey.source)
        race = Race(maker, self.ground.open_sweep, 1e-6, self.rng, allowed, self.clock)
        try:
            found = race.run()
        except FAILURES:
            found = []
        self.passes += ceil(race.passes - 1e-6)
        for runner in found[:MIXTURES]:
            each = np.tile(runner.params.weights, (len(self.first), 1))
            yield (
                f"{MIXTURE}({runner.name})",
                self._with(runner.params.components, runner.params.weights, each),
            )

    def _saturated(self) -> bool:
        """Whether one law already gives each kind of row its share, as of symbols in one column.

        Without order nothing is left to tell then, and every mixture is as good as any other.
        """
        kinds = kinds_of(self.rows.rows().X)
        if kinds is None or (kinds.code < 0).any():
            return False
        w, model = self._weights(), self.ground.model
        one = self.ground.maker.fewer(1)
        found = model.first_step(self.rows.rows().X, w, np.ones((len(w), 1)), one).components
        shares = np.bincount(kinds.code, weights=w) / w.sum()
        told = model.family.log_density(kinds.rows, found)[:, 0]
        return bool(np.allclose(told, np.log(np.maximum(shares, TINY)), rtol=0.0, atol=1e-9))

    def _segments(self, length: int) -> HiddenMarkovParams:
        piece = _pieces(self.rows.stops, length)[self.rows.seen]
        _, piece = np.unique(piece, return_inverse=True)
        Z, w = self._framed(0), self._weights()
        total = np.maximum(np.bincount(piece, weights=w), np.finfo(float).tiny)
        means = np.stack([np.bincount(piece, weights=w * z) / total for z in Z.T], axis=1)
        resp = STARTS["kmeans"](means, total, len(self.first), self.rng)
        return self._from(resp[piece], None)

    def _stretches(self, each: int) -> HiddenMarkovParams:
        """That of steps next to each other, cut at random into so many stretches for each state."""
        n, K = self.rows.rows().n, len(self.first)
        cuts = np.sort(self.rng.choice(np.arange(1, n), each * K - 1, replace=False))
        state = self.rng.permutation(np.arange(each * K) % K)
        mine = np.eye(K)[np.repeat(state, np.diff([0, *cuts, n]))]
        return self._from(0.98 * mine + 0.02 / K, None)

    def _framed(self, which: int) -> Array:
        frames = self.ground.maker.frames
        return frames[which % len(frames)](self.rows.rows().X)

    def _weights(self) -> Array:
        found = self.rows.rows()
        return np.ones(found.n) if found.sample_weight is None else found.sample_weight

    def _from(self, resp: Array, stay: float | None) -> HiddenMarkovParams:
        """The start of responsibilities; its moves are theirs, or last with probability `stay`."""
        rows, K = self.rows.rows(), len(self.first)
        begun = self.ground.model.first_step(
            rows.X, rows.sample_weight, resp, self.ground.maker.base
        )
        if stay is None or K == 1:
            moves = self._moves(resp)
        else:
            away = self.rng.dirichlet(np.ones(K), K) * (1.0 - stay)
            moves = away + stay * np.eye(K)
        return self._with(begun.components, begun.weights, moves)

    def _moves(self, resp: Array) -> Array:
        """Of responsibilities, over steps next to each other that were both seen."""
        after = self.rows.seen.copy()
        after[self.rows.starts] = False
        after[1:] &= self.rows.seen[:-1]
        position = np.cumsum(self.rows.seen) - 1
        later = position[after]
        counts = resp[later - 1].T @ resp[later] + _SMOOTH
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def _with(self, components: Any, weights: Array, moves: Array) -> HiddenMarkovParams:
        K, tied = len(self.first), np.array(self.model.tied, dtype=np.int64)
        placed = self._placed(HiddenMarkovParams(weights, components, weights, moves))
        weights, components, moves = placed.weights, placed.components, placed.transitions
        if len(tied):
            moves = pooled(moves, tied)[tied]
        stays = np.diag(moves)
        moves = np.where(self.allowed, moves + 1e-3 / K, 0.0)
        moves /= moves.sum(axis=1, keepdims=True)
        law = np.where(self.first, 0.5 * weights + 0.5 / K, 0.0)
        law = stationary_law(moves) if self.model.stationary else law / law.sum()
        return self.model.lasting(HiddenMarkovParams(weights, components, law, moves), stays)

    def _placed(self, start: HiddenMarkovParams) -> HiddenMarkovParams:
        """The same, its states named so that they suit the steps whose state is known best."""
        known = self.rows.known
        which = np.flatnonzero(self.rows.seen & (known > -1)) if known is not None else ()
        if known is None or not len(which):
            return self._by_time(start) if self.timed else start
        emitted = self.model.emissions(self.rows.X[which], start)
        emitted = np.maximum(emitted - emitted.max(axis=1, keepdims=True), _FAR)
        worth = np.zeros((len(self.first),) * 2)
        np.add.at(worth, known[which], emitted)
        order = linear_sum_assignment(-worth)[1]
        return reordered(self.model.family, start, order, self.rows.d)

    def _by_time(self, start: HiddenMarkovParams) -> HiddenMarkovParams:
        """The same, its states by how far on in sequences the rows are that suit them."""
        lengths = np.diff(self.rows.stops, prepend=0)
        within = np.arange(self.rows.n) - np.repeat(self.rows.starts, lengths)
        far = (within / np.repeat(lengths, lengths))[self.rows.seen]
        emitted = self.model.emissions(self.rows.rows().X, start)
        share = np.nan_to_num(softmax(emitted, axis=1)) + TINY
        order = np.argsort(share.T @ far / share.sum(axis=0), kind="stable")
        return reordered(self.model.family, start, order, self.rows.d)


def _pieces(stops: AnyArray, length: int) -> AnyArray:
    """The piece of each row, (n,): sequences are cut after every `length` rows."""
    lengths = np.diff(stops, prepend=0)
    within = np.arange(stops[-1]) - np.repeat(stops - lengths, lengths)
    begins = within % length == 0
    return np.cumsum(begins) - 1

"""What can be done about every component: where splitting pays, and which one is missed least.

What was found out about components that have not changed since is kept, so that a round after a
move looks at few of them, and a round after none adds fresh tries to what the last ones found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from mixtura.fitting.partial import Partial, Piece
from mixtura.fitting.removals import Removal, plain_removals, removals, sizeable
from mixtura.records import Array

# Fresh pairs tried in the place of each component, and of each two that overlap most; without a
# kernel for partial EM one each.
TRIES = 4
# Of thorough looks so many rounds pass until two that overlap are looked at again: there is less
# to find.
PAIRS = 3
# The most promising splits and removals, of which moves are made.
BEST = 10
# Of more shares than this only those above the second are looked at for who overlaps with whom.
DENSE, SEEN = 1 << 20, 1e-8
# A component has changed when this share of its rows has come or gone.
CHANGED = 0.1


@dataclass(frozen=True)
class Move:
    """A piece, and the removal that gives it its second component: None where a pair begins anew.

    gain is what it promises in nats.
    """

    gain: float
    piece: Piece
    removal: Removal | None = None

    @property
    def touched(self) -> frozenset[int]:
        others = () if self.removal is None else self.removal.parts
        return frozenset((*self.piece.parts, *others))


class Proposals:
    """The moves from a mixture, and from those that it becomes.

    Only `thorough` ones ask what removals cost whose heirs are fitted anew.
    """

    def __init__(self, thorough: bool) -> None:
        self.thorough = thorough
        self.shares: Array | None = None
        self.pieces: dict[tuple[int, ...], Piece] = {}
        self.removals: dict[int, Removal] = {}
        self.merged: dict[tuple[int, int], float] = {}
        self.rounds = 0

    def look(self, partial: Partial, log_joint: Array) -> None:
        """What is new is looked at, and where nothing is, everything again."""
        self._forget(partial)
        K = len(partial.shares)
        nearest = self._nearest(partial.w, partial.shares)
        some = {k for k in range(K) if (k,) not in self.pieces} or set(range(K))
        self.rounds = self.rounds + 1 if len(some) == K else 0
        again = set() if self.thorough and self.rounds % PAIRS else some
        pairs = {(min(j, heir), max(j, heir)) for j, heir in enumerate(nearest.tolist())}
        new = [pair for pair in sorted(pairs) if again & {*pair} or pair not in self.merged]
        self._try(partial, [*((k,) for k in sorted(some)), *new], TRIES if partial.quick else 1)
        missing = [j for j in range(K) if j not in self.removals]
        found = (
            removals(partial, log_joint, missing)
            if self.thorough
            else plain_removals(partial, nearest, self.merged)
        )
        self.removals.update((each.freed, each) for each in found)

    @property
    def two(self) -> bool:
        """Whether there are but two components."""
        return self.shares is not None and len(self.shares) == 2

    def moves(self) -> Iterator[Move]:
        """The most promising first; each is made when it is asked for."""
        costs = sorted(self.removals.values(), key=lambda each: each.cost)[:BEST]
        pieces = sorted(self.pieces.values(), key=lambda each: -each.gain)
        pairs = [each for each in pieces if len(each.parts) == 2]
        single = [each for each in pieces if len(each.parts) == 1][:BEST]
        gains = np.subtract.outer(
            [each.gain for each in single], [each.cost for each in costs]
        ).ravel()
        both = np.concatenate([[each.gain for each in pairs], gains])
        for i in np.argsort(-both, kind="stable").tolist():
            if i < len(pairs):
                yield Move(pairs[i].gain, pairs[i])
                continue
            one, other = divmod(i - len(pairs), len(costs))
            piece, removal = single[one], costs[other]
            if piece.parts[0] not in removal.gone:
                yield Move(float(both[i]), piece, removal)

    def sober(self, partial: Partial, moves: Sequence[Move]) -> list[Move]:
        """The same with what their pieces gain without narrow components."""
        for move in moves:
            piece = self.pieces[move.piece.parts]
            if not piece.sober:
                self.pieces[piece.parts] = partial.sobered(piece)
        return [self._now(move) for move in moves]

    def _now(self, move: Move) -> Move:
        piece = self.pieces[move.piece.parts]
        return Move(move.gain + piece.gain - move.piece.gain, piece, move.removal)

    def _try(self, partial: Partial, sets: Sequence[tuple[int, ...]], tries: int) -> None:
        fresh = [parts not in self.pieces for parts in sets]
        for parts, look in zip(sets, partial.looks(sets, tries, fresh), strict=True):
            known = self.pieces.get(parts)
            if len(parts) == 2:
                self.merged[parts] = look.cost
            piece = look.piece
            if piece is None or (known is not None and piece.gain <= known.gain):
                continue
            # What is known without narrow components is compared with the like.
            if self.thorough and known is not None and known.sober:
                piece = partial.sobered(piece)
            if known is None or piece.gain > known.gain:
                self.pieces[parts] = piece

    def _forget(self, partial: Partial) -> None:
        """What was found out about components that have changed."""
        if self.shares is not None and self.shares is not partial.shares:
            mass = partial.shares @ partial.w
            # One at a time they stay in the cache.
            pairs = zip(partial.shares, self.shares, strict=True)
            change = np.array([np.abs(now - before) @ partial.w for now, before in pairs])
            stale = {int(k) for k in np.flatnonzero(change > CHANGED * mass)}
            self.pieces = {key: each for key, each in self.pieces.items() if not stale & {*key}}
            self.merged = {key: each for key, each in self.merged.items() if not stale & {*key}}
            kept = (each for each in self.removals.values() if not stale & {*each.parts})
            self.removals = {each.freed: each for each in kept}
        self.shares = partial.shares

    def _nearest(self, w: Array, resp: Array) -> Array:
        """The component that each overlaps with most (K,), by the cosine of their shares."""
        shared = _shared(w, resp)
        size = np.sqrt(np.maximum(np.diag(shared), 1e-300))
        alike = shared / size / size[:, None] - 2.0 * np.eye(len(resp))
        return np.asarray(alike.argmax(axis=1))


def _shared(w: Array, resp: Array) -> Array:
    """What each two components share of the rows (K, K), of responsibilities (K, n)."""
    if resp.size <= DENSE:
        some = sizeable(resp)
        return np.asarray((some * w) @ some.T)
    kept = [np.flatnonzero(row > SEEN) for row in resp]
    shares = np.concatenate([row[which] for row, which in zip(resp, kept, strict=True)])
    ends = np.cumsum([0, *map(len, kept)])
    few = csr_array((shares, np.concatenate(kept), ends), shape=resp.shape)
    return np.asarray((few.multiply(w) @ few.T).toarray())

"""What can be done about every component: where splitting pays, and which one is missed least.

What was found out about components that have not changed since is kept, so that a round after a
move looks at few of them, and a round after none adds fresh tries to what the last ones found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixtura.fitting.partial import Partial, Piece, Removal
from mixtura.records import Array

# Fresh pairs tried in the place of each component, and of each two that overlap most; without a
# kernel for partial EM one each.
TRIES = 4
# The most promising splits and removals, of which moves are made.
BEST = 10
# A component has changed when this share of its rows has come or gone.
CHANGED = 0.1
# The heirs of a component are at most so many that take more than this share of its rows.
HEIRS, TAKEN = 4, 0.05


@dataclass(frozen=True)
class Move:
    """A piece, and the removal that its second component comes from; without one a pair begins
    anew. gain is what it promises in nats."""

    gain: float
    piece: Piece
    removal: Removal | None = None

    @property
    def touched(self) -> frozenset[int]:
        removal = self.removal
        others = () if removal is None else (removal.freed, *removal.heirs)
        return frozenset((*self.piece.parts, *others))


class Proposals:
    """The moves from a mixture, and from those that it becomes."""

    def __init__(self) -> None:
        self.shares: Array | None = None
        self.pieces: dict[tuple[int, ...], Piece] = {}
        self.removals: dict[int, Removal] = {}

    def look(self, partial: Partial) -> None:
        """Find out what can be done about components that have changed, else try all again."""
        self._forget(partial)
        w, shares = partial.w, partial.shares
        K = len(shares)
        nearest = self._nearest(w, shares)
        # In a round after a move only what is new is looked at, if anything is.
        some = {k for k in range(K) if (k,) not in self.pieces} or set(range(K))
        pairs = {(min(j, heir), max(j, heir)) for j, heir in enumerate(nearest.tolist())}
        new = [pair for pair in sorted(pairs) if some & {*pair} or pair not in self.pieces]
        self._look(partial, [*((k,) for k in sorted(some)), *new], TRIES if partial.quick else 1)
        if K > 2:
            missing = [j for j in range(K) if j not in self.removals]
            takers = self._takers(w, shares) if missing else []
            for j in missing:
                self.removals[j] = partial.without(j, takers[j])

    def sobered(self, partial: Partial, moves: list[Move]) -> list[Move]:
        """The same with what their pieces gain without narrow components."""
        sober = []
        for move in moves:
            piece = self._sober(partial, move.piece.parts)
            gain = move.gain + piece.gain - move.piece.gain
            sober.append(replace(move, piece=piece, gain=gain))
        return sober

    def _sober(self, partial, parts):
        piece = self.pieces[parts]
        if not piece.sober:
            piece = self.pieces[parts] = partial.sobered(piece)
        return piece

    def _look(self, partial: Partial, sets: Sequence[tuple[int, ...]], tries: int) -> None:
        fresh = [parts not in self.pieces for parts in sets]
        for parts, piece in zip(sets, partial.looks(sets, tries, fresh), strict=True):
            known = self.pieces.get(parts)
            if piece is None or (known is not None and piece.gain <= known.gain):
                continue
            if known is not None and known.sober:
                piece = partial.sobered(piece)
                if piece.gain <= known.gain:
                    continue
            self.pieces[parts] = piece

    def _forget(self, partial: Partial) -> None:
        """What was found out about components that have changed."""
        if self.shares is not None and self.shares is not partial.shares:
            mass = partial.shares @ partial.w
            change = np.abs(partial.shares - self.shares) @ partial.w
            stale = {int(k) for k in np.flatnonzero(change > CHANGED * mass)}
            self.pieces = {key: each for key, each in self.pieces.items() if not stale & set(key)}
            self.removals = {
                key: each
                for key, each in self.removals.items()
                if not stale & {key, *each.heirs}
            }
        self.shares = partial.shares

    def _nearest(self, w: Array, resp: Array) -> Array:
        """The component that each overlaps with most (K,), by the cosine of their shares."""
        shared = (resp * w) @ resp.T
        size = np.sqrt(np.maximum(np.diag(shared), 1e-300))
        alike = shared / size / size[:, None] - 2.0 * np.eye(len(resp))
        return np.asarray(alike.argmax(axis=1))

    def _takers(self, w: Array, shares: Array) -> list[tuple[int, ...]]:
        """Who would take the rows of each component: those who take most."""
        left = np.maximum(1.0 - shares, 1e-10)
        taken = (w * shares / left) @ shares.T
        np.fill_diagonal(taken, 0.0)
        total = taken.sum(axis=1)
        found = []
        for j, row in enumerate(taken):
            order = np.argsort(-row, kind="stable")[:HEIRS]
            some = [int(k) for k in order if row[k] > TAKEN * total[j]] or [int(order[0])]
            found.append(tuple(sorted(some)))
        return found

    def moves(self) -> list[Move]:
        """The most promising first."""
        costs = sorted(self.removals.values(), key=lambda each: each.cost)[:BEST]
        pieces = sorted(self.pieces.values(), key=lambda each: -each.gain)
        moves = [Move(piece.gain, piece) for piece in pieces if len(piece.parts) == 2]
        for piece in [each for each in pieces if len(each.parts) == 1][:BEST]:
            for removal in costs:
                if piece.parts[0] != removal.freed:
                    moves.append(Move(piece.gain - removal.cost, piece, removal))
        return sorted(moves, key=lambda each: -each.gain)

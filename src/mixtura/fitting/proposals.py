"""What can be done about every component: where splitting pays, and which one is missed least.

What was found out about components that have not changed since is kept, so that a round after a
move looks at few of them, and a round after none adds fresh tries to what the last ones found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixtura.fitting.partial import Partial, Piece
from mixtura.records import Array

# Fresh pairs tried in the place of each component, and of each two that overlap most; without a
# kernel for partial EM one each.
TRIES = 4
# The most promising splits and removals, of which moves are made.
BEST = 10
# A component has changed when this share of its rows has come or gone.
CHANGED = 0.1
# A share of a row that is none.
TINY = 1e-100


@dataclass(frozen=True)
class Move:
    """A piece, and the component it takes from elsewhere, whose rows go to `heir`.

    gain is what it promises in nats; freed is None where a pair begins anew, heir where the rows
    of the freed one are left to all others.
    """

    gain: float
    piece: Piece
    freed: int | None = None
    heir: int | None = None

    @property
    def touched(self) -> frozenset[int]:
        others = (each for each in (self.freed, self.heir) if each is not None)
        return frozenset((*self.piece.parts, *others))


class Proposals:
    """The moves from a mixture, and from those that it becomes."""

    def __init__(self) -> None:
        self.shares: Array | None = None
        self.pieces: dict[tuple[int, ...], Piece] = {}
        self.costs: dict[tuple[int, ...], float] = {}

    def moves(self, partial: Partial) -> list[Move]:
        """The most promising first."""
        self._forget(partial)
        w, shares = partial.w, partial.shares
        K = len(shares)
        nearest = self._nearest(w, shares)
        # In a round after a move only what is new is looked at, if anything is.
        some = {k for k in range(K) if (k,) not in self.pieces} or set(range(K))
        pairs = {(min(j, heir), max(j, heir)) for j, heir in enumerate(nearest.tolist())}
        new = [pair for pair in sorted(pairs) if some & {*pair} or pair not in self.costs]
        self._look(partial, [*((k,) for k in sorted(some)), *new], TRIES if partial.quick else 1)
        # Without component j all others as they are cost -sum_i w_i log(1 - r_ij).
        others = np.maximum(1.0 - shares, 1e-12)
        return self._joined(nearest, -(np.log(others, out=others) @ w))

    def sobered(self, partial: Partial, moves: list[Move]) -> list[Move]:
        """The same with what their pieces gain without narrow components."""
        sober = []
        for move in moves:
            piece = self.pieces[move.piece.parts]
            if not piece.sober:
                piece = self.pieces[piece.parts] = partial.sobered(piece)
            gain = move.gain + piece.gain - move.piece.gain
            sober.append(replace(move, piece=piece, gain=gain))
        return sober

    def _look(self, partial: Partial, sets: Sequence[tuple[int, ...]], tries: int) -> None:
        fresh = [parts not in self.pieces for parts in sets]
        for parts, look in zip(sets, partial.looks(sets, tries, fresh), strict=True):
            known = self.pieces.get(parts)
            if look.piece is not None and (known is None or look.piece.gain > known.gain):
                self.pieces[parts] = look.piece
            if len(parts) == 2:
                self.costs[parts] = look.cost

    def _forget(self, partial: Partial) -> None:
        """What was found out about components that have changed."""
        if self.shares is not None and self.shares is not partial.shares:
            mass = partial.shares @ partial.w
            change = np.abs(partial.shares - self.shares) @ partial.w
            stale = {int(k) for k in np.flatnonzero(change > CHANGED * mass)}
            self.pieces = {key: each for key, each in self.pieces.items() if not stale & set(key)}
            self.costs = {key: each for key, each in self.costs.items() if not stale & set(key)}
        self.shares = partial.shares

    def _nearest(self, w: Array, resp: Array) -> Array:
        """The component that each overlaps with most (K,), by the cosine of their shares."""
        # Products of shares too small for float64 would take a hundred times as long.
        some = resp * (resp > TINY)
        shared = (some * w) @ some.T
        size = np.sqrt(np.maximum(np.diag(shared), 1e-300))
        alike = shared / size / size[:, None] - 2.0 * np.eye(len(resp))
        return np.asarray(alike.argmax(axis=1))

    def _joined(self, nearest: Array, alone: Array) -> list[Move]:
        costs: list[tuple[float, int, int | None]] = []
        for j, heir in enumerate(nearest.tolist()):
            merged = self.costs[min(j, heir), max(j, heir)]
            costs.append((merged, j, heir) if merged < alone[j] else (float(alone[j]), j, None))
        costs = sorted(costs, key=lambda each: each[0])[:BEST]
        pieces = sorted(self.pieces.values(), key=lambda each: -each.gain)
        moves = [Move(piece.gain, piece) for piece in pieces if len(piece.parts) == 2]
        for piece in [each for each in pieces if len(each.parts) == 1][:BEST]:
            for cost, freed, heir in costs:
                if piece.parts[0] not in (freed, heir):
                    moves.append(Move(piece.gain - cost, piece, freed, heir))
        return sorted(moves, key=lambda each: -each.gain)

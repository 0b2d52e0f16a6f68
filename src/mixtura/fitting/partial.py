"""Partial EM: a few components fitted anew to the rows that they hold, all others left as they are.

A row belongs to a set S of components with the share R = sum_{k in S} r_k of its responsibilities.
EM of the components of S alone, over rows whose weights are multiplied by R, is the partial EM of
Ueda, Nakano, Ghahramani & Hinton (2000), Split and merge EM algorithm, Neural Computation 12. By
Jensen's inequality what it gains, sum_i w_i R_i log(p_S,new / p_S,old), is at most what the whole
mixture gains, and gains of sets that share no component add. So one look at a table says of every
component what splitting it would bring, at the price of a few passes of two components, and what
doing without it would cost (`removals`).

What a set becomes is written as responsibilities, whose M-step is the new mixture, so it serves any
family. Where components share parameters the gains are no bounds: a set is fitted with its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.refits import Ends, Refits, Refitted, Removals, Removed, Swap
from mixtura.errors import FAILURES
from mixtura.fitting.parting import asked, parted
from mixtura.fitting.starts import StartMaker
from mixtura.records import AnyArray, Array, Summary
from mixtura.solvers.climb import Climb

# Rows of which a set holds less than this share are left out.
LEAST = 0.02
# EM steps of a fresh pair, and the first of them, after which only one of a set goes on: that which
# promises most as if its last gain went on. A slow pair often leads higher: where the one went on
# that was highest after four steps, 4 of 20 fits of a heavy-tailed table reached the best known.
FIRST, STEPS = 8, 16


@dataclass(frozen=True)
class Part:
    """A mixture of part of the rows or components, and its summary there."""

    params: Any
    summary: Summary


class ShortRuns(Protocol):
    """Short climbs on the sample and on parts of it; see `race.Race`."""

    @property
    def left(self) -> float: ...

    @property
    def small(self) -> bool: ...

    @property
    def quick(self) -> bool: ...

    def begun(self, rows: Rows, resp: Array, params: Any, steps: int) -> Climb: ...

    def further(self, params: Any, summary: Summary | None, steps: int) -> Climb: ...

    def fitted(self, rows: Rows, resp: Array, params: Any, steps: int) -> Part: ...

    def answered(self, X: Array, params: Any) -> tuple[Array, Array]: ...

    def refitted(self, refits: Refits) -> Refitted | None: ...

    def removed(self, removals: Removals) -> Removed | None: ...

    def tried(
        self, params: Any, trials: Sequence[Sequence[Swap]], steps: int
    ) -> list[Climb | None] | None: ...

    def sound(self, params: Any, summary: Summary) -> AnyArray: ...

    def worth(
        self, rows: Rows, climb: Climb | Part, narrow: Sequence[int] | None = None
    ) -> float: ...


@dataclass(frozen=True)
class Piece:
    """The best fresh pair in the place of one or two components.

    gain    nats that this adds over all rows, with all others as they are
    parts   the components whose place it takes
    end     makes the pair's mixture there and its summary
    narrow  which of the pair's components are, where somebody knows
    sober   whether the gain is that without narrow components
    """

    gain: float
    parts: tuple[int, ...]
    end: Callable[[], tuple[Any, Summary]]
    narrow: Sequence[int] | None = None
    sober: bool = False

    @property
    def pair(self) -> Any:
        """The parameters of the pair's mixture."""
        return self.end()[0]


@dataclass(frozen=True)
class Look:
    """What became of a set: its best fresh pair, and what one component in its place costs."""

    piece: Piece | None
    cost: float


class Partial:
    """Partial EM around a mixture with responsibilities resp (n, K) on the sample's rows."""

    def __init__(
        self, maker: StartMaker, resp: Array, runs: ShortRuns, rng: np.random.RandomState
    ) -> None:
        self.maker, self.runs, self.rng, self.quick = maker, runs, rng, runs.quick
        self.shares, self.w = np.ascontiguousarray(resp.T), maker.weights
        self.places = _stacked([maker.unit_free(at) for at in range(len(maker.frames))])
        self.X = maker.rows.X.astype(np.float64, copy=False)
        # Rows of sets, and what their components are worth as they are.
        self.chosen: dict[tuple[tuple[int, ...], float], AnyArray] = {}
        self.totals: dict[tuple[int, ...], float] = {}
        self.nows: dict[tuple[int, ...], tuple[Callable[[], Any], Sequence[int] | None]] = {}

    def looks(
        self, sets: Sequence[tuple[int, ...]], tries: int, fresh: Sequence[bool]
    ) -> list[Look]:
        """What becomes of each set, with so many new pairs; nothing is known of a `fresh` one."""
        told = np.array([(parts[0], parts[1] if len(parts) > 1 else -1) for parts in sets])
        drawn = asked(self.rng, np.array(fresh), tries, self.places)
        steps = FIRST, STEPS
        refits = Refits(self.shares, self.places, told.reshape(-1, 2), drawn, *steps, LEAST)
        found = self.runs.refitted(refits) or self._refitted(sets, refits)
        narrow = [self._narrow(ends, len(sets)) for ends in (found.now, found.pairs)]
        return [
            self._look(parts, s, found, narrow[0][s], narrow[1][s]) for s, parts in enumerate(sets)
        ]

    def _narrow(self, ends: Ends | None, S: int) -> Sequence[list[int] | None]:
        """The narrow components of each set, None where nobody knows."""
        if ends is None or ends.together is None:
            return [None] * S
        narrow = ~self.runs.sound(*ends.together).reshape(S, -1)
        found: list[list[int] | None] = [[] for _ in range(S)]
        for s in np.flatnonzero(narrow.any(axis=1)):
            found[s] = np.flatnonzero(narrow[s]).tolist()
        return found

    def _look(
        self,
        parts: tuple[int, ...],
        s: int,
        found: Refitted,
        now: list[int] | None,
        new: list[int] | None,
    ) -> Look:
        before, merged, after = found.values[:, s].tolist()
        if not np.isfinite(before):
            # Nothing to compare with; without rows, nothing to lose.
            return Look(None, np.inf if found.held[s] > 1 else 0.0)
        if now == []:
            self.totals[parts] = before
        elif found.now is not None:
            self.nows[parts] = partial(found.now.one, s), now and now[: len(parts)]
        piece = None
        if np.isfinite(after):
            sober = now == new == []
            piece = Piece(after - before, parts, partial(found.pairs.one, s), new, sober)
        return Look(piece, before - merged)

    def refit(self, chosen: AnyArray, mass: Array, resp: Array, steps: int) -> Part | None:
        """So many EM steps over some rows with these weights; None where they fail."""
        return self._fitted(Rows(self.X[chosen], mass), resp, steps)

    def sobered(self, piece: Piece) -> Piece:
        """The same, its gain that of components none of which is narrow."""
        parts = piece.parts
        if parts not in self.totals:
            known, narrow = self.nows.get(parts, (None, None))
            now = self._fitted(*self._rows(parts), 1) if known is None else Part(*known())
            self.totals[parts] = np.inf if now is None else self._total(parts, now, narrow)
        try:
            gain = self._total(parts, Part(*piece.end()), piece.narrow) - self.totals[parts]
        except FAILURES:
            gain = -np.inf
        return replace(piece, gain=gain, sober=True)

    def answers(self, piece: Piece) -> Array:
        """The responsibilities of a piece's new components, which sum to 1 in each of its rows."""
        return self.runs.answered(self.X[self.held(piece.parts)], piece.pair)[1]

    def held(self, parts: tuple[int, ...], least: float = LEAST) -> AnyArray:
        """Which rows a set holds more than this share of."""
        if (parts, least) not in self.chosen:
            shares = self.shares[list(parts)].sum(axis=0)
            self.chosen[parts, least] = np.flatnonzero(shares > least)
        return self.chosen[parts, least]

    def _rows(self, parts: tuple[int, ...], least: float = LEAST) -> tuple[Rows, Array]:
        """These rows, weighted as the set holds them; its components' responsibilities there."""
        chosen = self.held(parts, least)
        resp = self.shares[list(parts)][:, chosen].T
        share = resp.sum(axis=1)
        rows = Rows(self.X[chosen], self.w[chosen] * share)
        return rows, np.ascontiguousarray(resp / np.maximum(share, LEAST**2)[:, None])

    def _refitted(self, sets: Sequence[tuple[int, ...]], refits: Refits) -> Refitted:
        """The same as an engine's that has no kernel for it."""
        S = len(sets)
        held, values = np.zeros(S, dtype=np.int64), np.full((3, S), -np.inf)
        pairs: dict[int, tuple[Any, Summary]] = {}
        for s, parts in enumerate(sets):
            chosen = self.held(parts, refits.least)
            held[s] = len(chosen)
            if len(chosen) < 2:
                continue
            rows, known = self._rows(parts, refits.least)
            for line, resp in enumerate((known, np.ones((rows.n, 1)))):
                found = self._fitted(rows, resp, 1)
                values[line, s] = -np.inf if found is None else found.summary.loglik
            found = self._best_try(rows, chosen, refits, s)
            if found is not None:
                values[2, s], pairs[s] = found.summary.loglik, (found.params, found.summary)
        return Refitted(held, values, Ends(pairs.__getitem__))

    def _best_try(self, rows: Rows, chosen: AnyArray, refits: Refits, s: int) -> Part | None:
        """The end of the try of a set that promises most after its first steps."""
        w, left = np.asarray(rows.sample_weight), refits.steps - refits.first
        splits = [parted(self.places[int(one[1])][chosen], w, one) for one in refits.asked[s]]
        if len(splits) == 1:
            return self._fitted(rows, splits[0], refits.steps)
        promised = [self._promised(rows, split, refits.first, left) for split in splits]
        best = splits[int(np.argmax(promised))]
        # Where it fails on its way, what it had reached counts.
        return self._fitted(rows, best, refits.steps) or self._fitted(rows, best, refits.first)

    def _promised(self, rows: Rows, split: Array, first: int, left: int) -> float:
        """Where so many first steps lead, and those left with the last one's gain."""
        before, after = (self._fitted(rows, split, steps) for steps in (first - 1, first))
        if before is None or after is None:
            return -np.inf
        return after.summary.loglik + left * (after.summary.loglik - before.summary.loglik)

    def _fitted(self, rows: Rows, resp: Array, steps: int) -> Part | None:
        """So many EM steps from responsibilities; None where they fail."""
        try:
            return self.runs.fitted(rows, resp, self.maker.fewer(resp.shape[1]), steps)
        except FAILURES:
            return None

    def _total(self, parts: tuple[int, ...], part: Part, narrow: Sequence[int] | None) -> float:
        if narrow is not None and not narrow:
            return part.summary.loglik
        return self.runs.worth(self._rows(parts)[0], part, narrow) * part.summary.weight


def _stacked(places: list[AnyArray]) -> Array:
    """(frames, n, q) where rows lie, with columns of zeros where a frame has fewer than others."""
    widest = max(each.shape[1] for each in places)
    found = np.zeros((len(places), len(places[0]), widest))
    for frame, each in zip(found, places, strict=True):
        frame[:, : each.shape[1]] = each
    return found

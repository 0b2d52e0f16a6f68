"""Partial EM: a few components fitted anew to the rows that they hold, all others left as they are.

A row belongs to a set S of components with the share R = sum_{k in S} r_k of its responsibilities.
EM of the components of S alone, over rows whose weights are multiplied by R, is the partial EM of
Ueda, Nakano, Ghahramani & Hinton (2000), Split and merge EM algorithm, Neural Computation 12. By
Jensen's inequality what it gains, sum_i w_i R_i log(p_S,new / p_S,old), is at most what the whole
mixture gains, and gains of sets that share no component add. So one look at a table says of every
component what splitting it would bring and what doing without it would cost, at the price of a few
passes of two components.

What a set becomes is written as responsibilities, whose M-step is the new mixture, so it serves any
family. Where components share parameters the gains are no bounds: a set is fitted with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mixtura.data.moments import longest_axis
from mixtura.data.rows import Rows
from mixtura.errors import FAILURES
from mixtura.fitting.starts import StartMaker
from mixtura.models.mixture import normalise
from mixtura.records import AnyArray, Array, Summary
from mixtura.solvers.climb import Climb

# Rows of which a set holds less than this share are left out.
LEAST = 0.02
# EM steps of a set.
STEPS = 12
# A new group claims one of these shares of the set's rows: those nearest to one of them.
CLAIMS = (0.5, 0.25, 0.1, 0.03)


@dataclass(frozen=True)
class Part:
    """A mixture of part of the rows or components, and its summary there."""

    params: Any
    summary: Summary


class ShortRuns(Protocol):
    """Short climbs on the sample and on parts of it; see `race.Race`."""

    @property
    def left(self) -> float: ...

    def begun(self, rows: Rows, resp: Array, params: Any, steps: int) -> Climb: ...

    def further(self, params: Any, summary: Summary | None, steps: int) -> Climb: ...

    def fitted(self, rows: Rows, resp: Array, params: Any, steps: int) -> Part: ...

    def worth(self, rows: Rows, climb: Climb | Part) -> float: ...


@dataclass(frozen=True)
class Piece:
    """What a set of components would become.

    gain    nats that this adds over all rows, with all others as they are
    parts   the components of the set
    rows    those concerned
    params  of the set's mixture there
    """

    gain: float
    parts: tuple[int, ...]
    rows: AnyArray
    params: Any


class Partial:
    """Partial EM around a mixture with responsibilities resp (n, K) on the sample's rows."""

    def __init__(
        self, maker: StartMaker, resp: Array, runs: ShortRuns, rng: np.random.RandomState
    ) -> None:
        self.maker, self.runs, self.rng = maker, runs, rng
        self.before: dict[tuple[int, ...], float] = {}
        self.resp, self.w = np.ascontiguousarray(resp.T), maker.weights
        self.Z = [maker.unit_free(frame) for frame in range(len(maker.frames))]
        self.X = maker.rows.X.astype(np.float64, copy=False)

    def halved(self, parts: tuple[int, ...], tries: int) -> Piece | None:
        """The best of so many fresh pairs in the place of one component, or of two."""
        chosen, rows, share = self._held(parts)
        best: Piece | None = None
        if rows.n < 2:
            return best
        before = self._before(parts, chosen, rows, share)
        for _ in range(tries if np.isfinite(before) else 0):
            first = self._parted(chosen, share)
            after = self._fitted(rows, np.stack([first, 1.0 - first], axis=1), STEPS)
            if after is None or (best is not None and after.summary.loglik <= before + best.gain):
                continue
            gain = self._total(rows, after) - before
            if best is None or gain > best.gain:
                best = Piece(gain, parts, chosen, after.params)
        return best

    def merged(self, parts: tuple[int, int]) -> float:
        """The nats that one component in the place of two costs; infinite where it fails."""
        chosen, rows, share = self._held(parts)
        if rows.n == 0:
            return 0.0
        before = self._before(parts, chosen, rows, share)
        after = self._fitted(rows, np.ones((rows.n, 1)), 1)
        return np.inf if after is None else before - self._total(rows, after)

    def answers(self, piece: Piece) -> Array:
        """The responsibilities of a piece's new components, which sum to 1 in each of its rows."""
        return normalise(self.maker.model.log_joint(self.X[piece.rows], piece.params))[1]

    def _held(self, parts: tuple[int, ...]) -> tuple[AnyArray, Rows, Array]:
        """(the rows that the set holds, as a table with their weights; its share of each)."""
        share = self.resp[list(parts)].sum(axis=0)
        chosen = np.flatnonzero(share > LEAST)
        share = share[chosen]
        return chosen, Rows(self.X[chosen], self.w[chosen] * share), share

    def _before(self, parts: tuple[int, ...], chosen: AnyArray, rows: Rows, share: Array) -> float:
        """What the set is worth in all, fitted to these rows as the new ones will be."""
        if parts not in self.before:
            known = np.ascontiguousarray((self.resp[list(parts)][:, chosen] / share).T)
            found = self._fitted(rows, known, 1)
            self.before[parts] = np.inf if found is None else self._total(rows, found)
        return self.before[parts]

    def _fitted(self, rows: Rows, resp: Array, steps: int) -> Part | None:
        """So many EM steps from responsibilities; None where they fail."""
        try:
            return self.runs.fitted(rows, resp, self.maker.fewer(resp.shape[1]), steps)
        except FAILURES:
            return None

    def _total(self, rows: Rows, part: Part) -> float:
        return self.runs.worth(rows, part) * part.summary.weight

    def _parted(self, chosen: AnyArray, share: Array) -> Array:
        """1 for the rows that one of two new components begins with, else 0."""
        Z = self.Z[int(self.rng.randint(len(self.Z)))][chosen]
        mass = self.w[chosen] * share
        centred = Z - mass @ Z / mass.sum()
        kind = self.rng.uniform()
        if kind < 0.5:
            drawn = np.asarray(self.rng.standard_normal(Z.shape[1]))
            direction = longest_axis(centred, mass) if kind < 0.25 else drawn
            return np.asarray(centred @ direction > 0, dtype=np.float64)
        far = mass
        if kind < 0.75:
            far = mass * np.einsum("ij,ij->i", centred, centred)
        seed = Z[self.rng.choice(len(Z), p=far / far.sum())]
        order = np.argsort(np.sum((Z - seed) ** 2, axis=1))
        claim = CLAIMS[int(self.rng.randint(len(CLAIMS)))] * mass.sum()
        within = int(np.searchsorted(np.cumsum(mass[order]), claim)) + 1
        first = np.zeros(len(Z))
        first[order[: max(within, Z.shape[1] + 1)]] = 1.0
        return first

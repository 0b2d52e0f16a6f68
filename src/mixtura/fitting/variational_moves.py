"""Birth, merge and delete: how many components hold rows, decided by the bound itself.

A prior acts through digamma(alpha + n_k): it cannot empty a component that holds rows, whatever its
concentration. Moves can, and they can begin new ones. Each proposes other responsibilities and is
kept where the bound after a short climb is higher (Hughes & Sudderth 2013, Memoized online
variational inference for Dirichlet process mixture models, Advances in Neural Information
Processing Systems 26; split and merge of Ueda & Ghahramani 2002, Neural Networks 15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import Sweep
from mixtura.errors import FAILURES
from mixtura.fitting.starts import STARTS
from mixtura.models.responsibilities import normalise
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.records import AnyArray, Array
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# Steps of a trial, and of fresh components in the place of one.
TRIAL, PARTED = 16, 12
# So many of them: of three groups under one component two may be worth less than it is.
PIECES = (2, 3, 5)
# A move must gain more than this, in nats per row.
GAIN = 1e-5
# Rounds without a gain before the components are left alone.
PATIENCE = 3
# Components with fewer rows are empty, and leave where that costs no more than this share of what
# a move must gain.
EMPTY, NOTHING = 0.5, 0.1
# Rows of which a component holds less than this share do not tell how it splits.
LEAST = 0.02
# Neighbours with which a component is tried as one, and components that are tried without.
NEIGHBOURS, DELETED = 2, 3
# Single births and merges tried in a round, where not all that promise a gain bring it together.
SINGLE = 3


@dataclass(frozen=True)
class Standing:
    """A posterior, and the responsibilities (n, k) of the sample's rows there."""

    climb: Climb
    resp: Array


@dataclass(frozen=True)
class Birth:
    """Fresh components in the place of component k.

    gain is what they promise, in nats; held are the rows concerned, share (held, pieces) what each
    piece takes of them.
    """

    gain: float
    k: int
    held: AnyArray
    share: Array

    @property
    def size(self) -> int:
        """How many components there are more."""
        return int(self.share.shape[1]) - 1


class Moves:
    """The moves of a variational mixture on a sample of its rows.

    rows   the sample; its weights add up to the table's
    frame  makes rows free of units
    most   components at most
    """

    def __init__(
        self,
        model: VariationalMixture,
        rows: Rows,
        frames: tuple[Callable[[AnyArray], Array], ...],
        open_sweep: Callable[[Any, Source], Sweep],
        most: int,
        rng: np.random.RandomState,
    ) -> None:
        self.model, self.rows, self.most, self.rng = model, rows, most, rng
        self.X = rows.X.astype(np.float64, copy=False)
        self.Z = [np.asarray(frame(rows.X), np.float64) for frame in frames]
        self.open_sweep = open_sweep
        self.sweep = open_sweep(model, rows)
        w = rows.sample_weight
        self.w = np.ones(len(self.X)) if w is None else w
        self.least = GAIN * rows.weight
        # Moves that were kept, and passes over the sample; of one over part of it that share.
        self.accepted, self.parts = 0, 0.0

    @property
    def passes(self) -> int:
        """Passes over the sample."""
        return self.sweep.passes + ceil(self.parts)

    def improved(self, params: VariationalParams) -> VariationalParams:
        """The posterior after all moves that gain."""
        # Trials are in order: what the order alone is worth is no gain of a move.
        start = self.ordered(params)
        here = self._emptied(self._standing(self._climbed(params if start is None else start)))
        failures = 0
        while failures < PATIENCE:
            merged = self._merged(here)
            better = self._emptied(self._born(merged))
            moved = better is not here
            failures = 0 if moved else failures + 1
            here = better
        found: VariationalParams = here.climb.params
        return found

    def ordered(self, params: VariationalParams) -> VariationalParams | None:
        """Begun anew with the components that hold most first; None where that is no gain."""
        resp = normalise(self.model.log_joint(self.X, params))[1]
        if not self.model.weight_prior.ordered or (np.diff(self.w @ resp) <= 0).all():
            return None
        return self._begun(resp)

    def _emptied(self, here: Standing) -> Standing:
        """Without components that hold next to nothing, where that costs next to nothing."""
        held = self.w @ here.resp
        empty = np.flatnonzero(held < EMPTY)
        if not 0 < len(empty) < len(held):
            return here
        resp = without(here.resp, [(k, None) for k in empty.tolist()])
        climb = self._climbed(self._begun(resp))
        if climb.objective < here.climb.objective - NOTHING * self.least:
            return here
        self.accepted += 1
        return self._standing(climb)

    def _climbed(self, params: VariationalParams, steps: int = TRIAL) -> Climb:
        return em(Problem(self.model, self.sweep, params, 0, steps), brief=True)

    def _standing(self, climb: Climb) -> Standing:
        return Standing(climb, normalise(self.model.log_joint(self.X, climb.params))[1])

    def _begun(self, resp: Array) -> VariationalParams:
        """The posterior of responsibilities, the components that hold most first."""
        order = np.argsort(-(self.w @ resp), kind="stable")
        resp = np.ascontiguousarray(resp[:, order])
        base = self.model.untold(resp.shape[1])
        return self.model.first_step(self.X, self.rows.sample_weight, resp, base)

    def _tried(self, here: Standing, resp: Array) -> Standing | None:
        """The standing after a short climb from `resp`, None where it gains nothing."""
        try:
            climb = self._climbed(self._begun(resp))
        except FAILURES:
            return None
        if climb.objective <= here.climb.objective + self.least:
            return None
        self.accepted += 1
        return self._standing(climb)

    def _merged(self, here: Standing) -> Standing:
        """After merges and deletions, for as long as they gain."""
        while here.resp.shape[1] > 1:
            found = sorted(self._fewer(here), key=lambda each: -each[0])
            together: list[tuple[int, int | None]] = []
            touched: set[int | None] = set()
            for gain, k, heir in found:
                if gain > 0 and not {k, heir} & touched:
                    together.append((k, heir))
                    touched |= {k, heir}
            tries = [together] if len(together) > 1 else []
            tries += [[(k, heir)] for gain, k, heir in found[:SINGLE] if gain > -self._doubt(here)]
            for merges in tries:
                better = self._tried(here, without(here.resp, merges))
                if better is not None:
                    here = better
                    break
            else:
                return here
        return here

    def _doubt(self, here: Standing) -> float:
        """What a short climb may bring back, in nats."""
        return float(0.01 * self.rows.weight / here.resp.shape[1])

    def _fewer(self, here: Standing) -> Iterator[tuple[float, int, int | None]]:
        """(gain, component, the one that takes its rows; None: all others do)."""
        resp, value = here.resp, here.climb.objective
        shared = (resp * self.w[:, None]).T @ resp
        size = np.sqrt(np.maximum(np.diag(shared), 1e-300))
        alike = shared / size / size[:, None] - 2.0 * np.eye(len(size))
        near = np.argsort(-alike, axis=1)[:, :NEIGHBOURS]
        K = len(size)
        pairs = {(min(k, j), max(k, j)) for k in range(K) for j in near[k, : K - 1].tolist()}
        for k, j in sorted(pairs):
            yield self._joined(here, k, j), k, j
        for k in np.argsort(self.w @ resp)[:DELETED].tolist():
            try:
                start = self._begun(without(resp, [(k, None)]))
            except FAILURES:
                continue
            yield self._climbed(start, 0).objective - value, k, None

    def _joined(self, here: Standing, k: int, j: int) -> float:
        """What one component in the place of two is worth more, on the rows that they hold."""
        both = here.resp[:, [k, j]]
        share = both.sum(axis=1)
        held = np.flatnonzero(share > LEAST)
        if len(held) < 2:
            return 0.0
        sweep = self._over(held, share)
        try:
            one = self._local(sweep, np.ones((len(held), 1)), 0)
            two = self._local(sweep, both[held] / share[held, None], 0)
        except FAILURES:
            return -np.inf
        return one.objective - two.objective

    def _over(self, held: AnyArray, share: Array) -> Sweep:
        """A sweep over some rows, weighted by what is held of them."""
        return self.open_sweep(self.model, Rows(self.X[held], self.w[held] * share[held]))

    def _born(self, here: Standing) -> Standing:
        """After the births that gain, made together or one by one."""
        room = self.most - here.resp.shape[1]
        if room <= 0:
            return here
        found = [birth for k in range(here.resp.shape[1]) for birth in self._parted(here, k, room)]
        births = sorted(found, key=lambda each: -each.gain)
        sure: list[Birth] = []
        for birth in births:
            if birth.gain > self.least and birth.size <= room:
                sure.append(birth)
                room -= birth.size
        tries = [sure] if len(sure) > 1 else []
        for several in [*tries, *([birth] for birth in births[:SINGLE])]:
            better = self._tried(here, parted(here.resp, several))
            if better is not None:
                return better
        return here

    def _parted(self, here: Standing, k: int, room: int) -> list[Birth]:
        """The best that fresh components in the place of one promise; none without rows."""
        held = np.flatnonzero(here.resp[:, k] > LEAST)
        if len(held) < 2:
            return []
        Z = self.Z[self.rng.randint(len(self.Z))][held]
        sweep = self._over(held, here.resp[:, k])
        w = self.w[held] * here.resp[held, k]
        try:
            whole = self._local(sweep, np.ones((len(held), 1)), 0)
        except FAILURES:
            return []
        found: list[Birth] = []
        for pieces in PIECES:
            if pieces - 1 > room or pieces > len(held):
                continue
            try:
                resp = STARTS["kmeans"](Z, w, pieces, self.rng)
                parts = self._local(sweep, resp, PARTED)
            except FAILURES:
                continue
            gain = parts.objective - whole.objective
            share = normalise(self.model.log_joint(self.X[held], parts.params))[1]
            found.append(Birth(gain, k, held, share))
        return sorted(found, key=lambda each: -each.gain)[:1]

    def _local(self, sweep: Sweep, resp: Array, steps: int) -> Climb:
        rows = sweep.rows
        assert isinstance(rows, Rows)
        self.parts += (steps + 1) * rows.n / len(self.X)
        base = self.model.untold(resp.shape[1])
        start = self.model.first_step(rows.X, rows.sample_weight, resp, base)
        return em(Problem(self.model, sweep, start, 0, steps), brief=True)


def parted(resp: Array, births: list[Birth]) -> Array:
    """Responsibilities in which these components are parted."""
    resp, new = resp.copy(), []
    for birth in births:
        parts = np.zeros((len(resp), birth.size + 1))
        parts[birth.held] = resp[birth.held, birth.k, None] * birth.share
        resp[birth.held, birth.k] = 0.0
        resp[:, birth.k] += parts[:, 0]
        new.append(parts[:, 1:])
    return np.hstack([resp, *new])


def without(resp: Array, merges: list[tuple[int, int | None]]) -> Array:
    """Responsibilities after these components have left their rows to heirs, or to all others."""
    left = resp.copy()
    gone = [k for k, _ in merges]
    for k, heir in merges:
        if heir is not None:
            left[:, heir] += left[:, k]
    left = np.delete(left, gone, axis=1)
    total = left.sum(axis=1, keepdims=True)
    # A row that nobody else holds goes to all alike.
    return np.where(total > 0, left / np.where(total > 0, total, 1.0), 1.0 / left.shape[1])

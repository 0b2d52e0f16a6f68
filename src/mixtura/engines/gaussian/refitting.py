"""Partial EM of a Gaussian mixture's components, and trials of what it promises, in C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.base import chunk_slices
from mixtura.engines.gaussian.climbing import MStep
from mixtura.engines.gaussian.parting import Arrays, Room, gaussian_partial, gaussian_removals
from mixtura.engines.gaussian.passes import CHUNK_FLOPS, row_flops
from mixtura.engines.refits import Ends, Refits, Refitted, Removals, Removed, Swap
from mixtura.engines.threads import shared
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_params_from_root,
)
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Summary

# Sets of components that a thread fits at a time.
_SETS = 3
# Where one of some mixtures ended: parameters and summary.
End = tuple[MixtureParams, Summary]


@dataclass(frozen=True)
class Refitting:
    """What sets of components of one form become on the rows that they hold.

    units  equal components, as many as a set becomes
    prior  by which they are judged
    """

    rows: Rows
    units: MixtureParams
    m_step: MStep
    prior: CovariancePrior

    @property
    def form(self) -> Form:
        form: Form = self.units.components.form
        return form

    @property
    def start(self) -> Arrays:
        """The units as C takes them."""
        return self.units.weights, self.units.components.means, self.units.components.root

    def refitted(self, refits: Refits) -> Refitted:
        """`Sweep.refitted`."""
        S, tries = refits.asked.shape[:2]
        held, values = np.zeros(S, dtype=np.int64), np.empty((3, S))
        pairs, now = self._room(S), self._room(S)

        def fill(sets: slice) -> None:
            at = self.rows.X, self.rows.sample_weight, self.start, self.form.name, self.m_step
            gaussian_partial(*at, refits, sets, (held, values), pairs, now)

        self._run(fill, S, tries * refits.first)
        lonely = refits.sets[:, 1] < 0
        if not self.form.shared:
            for each in now:
                each[lonely, 1] = each[lonely, 0]
        return Refitted(
            held,
            values,
            self._ends(pairs, values[2], np.full(S, 2)),
            self._ends(now, values[0], np.where(lonely, 1, 2)),
        )

    def removed(self, removals: Removals) -> Removed:
        """`Sweep.removed`."""
        S = len(removals.sets)
        cost, ends = np.empty(S), self._room(S)

        def fill(sets: slice) -> None:
            at = self.rows.X, self.rows.sample_weight, self.start, self.form.name, self.m_step
            gaussian_removals(*at, removals, sets, cost, ends)

        self._run(fill, S, removals.steps)
        sizes = (removals.sets >= 0).sum(axis=1) - 1
        return Removed(cost, Ends(self._each(ends, np.full(S, np.nan), sizes)))

    def _run(self, fill: Callable[[slice], None], S: int, steps: int) -> None:
        # Nobody is woken for less than a chunk's work.
        flops = S * steps * self.rows.n
        flops *= row_flops(self.rows.d, len(self.units.weights), self.form.name)
        shared(fill, chunk_slices(S, _SETS if flops > CHUNK_FLOPS else S))

    def _room(self, S: int) -> Room:
        return Room.empty(S, len(self.units.weights), self.rows.d, self.form.name)

    def _each(self, room: Room, values: Array, sizes: AnyArray) -> Callable[[int], End]:
        """What makes one of them, by its number, of so many components."""

        @cache
        def one(s: int) -> End:
            K = int(sizes[s])
            cut = slice(None) if self.form.shared else slice(K)
            parts = gaussian_params_from_root(room.means[s, :K], room.roots[s][cut], self.form)
            sums = room.counts[s, :K], room.first[s, :K], room.second[s][cut]
            summary = Summary(float(values[s]), float(sums[0].sum()), GaussianStatistics(*sums))
            return MixtureParams(room.weights[s, :K], parts), summary

        return one

    def _ends(self, room: Room, values: Array, sizes: AnyArray) -> Ends:
        one, known = self._each(room, values, sizes), np.isfinite(values)
        if self.form.shared:
            return Ends(one)
        # What failed stands as a component like any other.
        unit = self.units.components
        room.means[~known], room.roots[~known] = unit.means, unit.root
        flat = [each.reshape(-1, *each.shape[2:]) for each in room]
        parts = gaussian_params_from_root(flat[1], flat[2], self.form)
        # What is narrower than the rounding of columns is widened wherever it stands.
        if self.prior.smoothed(parts) is not parts:
            return Ends(one)
        weights = np.full(len(flat[0]), 1.0 / len(flat[0]))
        sums = GaussianStatistics(*flat[3:])
        together = MixtureParams(weights, parts), Summary(0.0, float(flat[3].sum()), sums)
        return Ends(one, together)


def swapped(params: MixtureParams, swaps: Sequence[Swap]) -> MixtureParams:
    """A mixture after some of its components have been replaced, one swap after the other."""
    weights, old = params.weights.copy(), params.components
    means, root, whiten, log_norm = (
        each.copy() for each in (old.means, old.root, old.whiten, old.log_norm)
    )
    for swap in swaps:
        new, at = swap.mixture.components, list(swap.at)
        mass = weights[list(swap.of)].sum()
        weights[list(swap.of)] = 0.0
        weights[at] = mass * swap.mixture.weights
        means[at], root[at] = new.means, new.root
        whiten[at], log_norm[at] = new.whiten, new.log_norm
    parts = GaussianParams(means, root, whiten, log_norm, old.form)
    return MixtureParams(weights / weights.sum(), parts)

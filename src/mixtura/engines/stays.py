"""The pass over sequences whose states last by a law of their own: in C, sequences in threads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mixtura.engines.chain import ChainSweep
from mixtura.engines.local import LocalSweep
from mixtura.engines.native.stays import StaysFound, longest, stays
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.semi_markov import SemiMarkov
from mixtura.models.stay_recursions import StayRule, Stays
from mixtura.records import AnyArray, Array, Chunk, Summary

# Rows of sequences that a thread takes at once.
_ROWS = 2048


def parts(ends: AnyArray) -> Iterable[tuple[slice, slice]]:
    """(sequences, their rows) of each call."""
    begun, s = 0, 0
    while s < len(ends):
        last = max(int(np.searchsorted(ends, begun + _ROWS, side="right")), s + 1)
        yield slice(s, last), slice(begun, int(ends[last - 1]))
        begun, s = int(ends[last - 1]), last


def _each(
    rule: StayRule, log_density: Array, ends: AnyArray, weight: Array | None, *, back: bool
) -> list[StaysFound]:
    def one(part: tuple[slice, slice]) -> StaysFound:
        which, rows = part
        own = None if weight is None else np.ascontiguousarray(weight[which])
        return stays(rule, log_density[rows], ends[which] - rows.start, own, back=back)

    return list(ordered_map(one, parts(ends)))


def recursion(
    rule: StayRule, log_density: Array, ends: AnyArray, weight: Array | None
) -> tuple[Array, Array, Stays]:
    """The `StayRecursion` in C."""
    found = _each(rule, log_density, ends, weight, back=True)
    sums = (
        np.sum([getattr(part, name) for part in found], axis=0)
        for name in ("met", "ended", "stayed")
    )
    loglik, posterior = _joined(found, "loglik", "posterior")
    return loglik, posterior, Stays(*sums)


def _joined(found: list[StaysFound], *names: str) -> tuple[Array, ...]:
    return tuple(np.concatenate([getattr(part, name) for part in found]) for name in names)


class StaySweep(ChainSweep):
    """Sum of the E-steps of a hidden semi-Markov model of any family."""

    model: SemiMarkov

    def __call__(self, params: Any) -> Summary:
        def step(chunk: Chunk) -> Summary:
            return self.model.e_step_in_stays(chunk, params, recursion, ordered_map)

        with single_blas:
            return LocalSweep.folded(self, step)

    def smoothed(self, params: Any) -> tuple[Array, Array]:
        rule = self.model.rule(params)
        return recursion(rule, self.emitted(params), self.rows.stops, None)[:2]

    def filtered(self, params: Any) -> tuple[Array, Array]:
        loglik, posterior = self._forward(params, "loglik", "posterior")
        return loglik, posterior

    def foretold(self, params: Any) -> Array:
        return self._forward(params, "ahead")[0]

    def _forward(self, params: Any, *names: str) -> tuple[Array, ...]:
        rule = self.model.rule(params)
        return _joined(_each(rule, self.emitted(params), self.rows.stops, None, back=False), *names)

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        rule, emitted, stops = self.model.rule(params), self.emitted(params), self.rows.stops

        def one(part: tuple[slice, slice]) -> tuple[Array, AnyArray]:
            return longest(rule, emitted[part[1]], stops[part[0]] - part[1].start)

        found = list(ordered_map(one, parts(stops)))
        return np.concatenate([each[0] for each in found]), np.concatenate(
            [each[1] for each in found]
        )

"""The pass over sequences whose states last by a law of their own: in C, sequences in threads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mixtura.engines.chain import ChainSweep
from mixtura.engines.local import LocalSweep
from mixtura.engines.native.stays import StaysFound, longest, stays
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.kept_paths import barred_stays, lost, stays_forward
from mixtura.models.semi_markov import SemiMarkov
from mixtura.models.stay_recursions import StayRule, Stays, in_pairs
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
    loglik, posterior = _joined(found, "loglik", "posterior")
    again = _lost(rule, log_density, ends, loglik)
    if not len(again):
        return loglik, posterior, _summed(found, rule)
    starts, right = np.concatenate([[0], ends[:-1]]), np.ones(len(ends), dtype=bool)
    right[again] = False
    told = _summed([], rule)
    if right.any():
        # Sums are over sequences: those of the others alone.
        lengths = np.diff(ends, prepend=0)
        own = None if weight is None else weight[right]
        rest = np.ascontiguousarray(log_density[np.repeat(right, lengths)])
        told = _summed(_each(rule, rest, np.cumsum(lengths[right]), own, back=True), rule)
    for s in again:
        rows = slice(int(starts[s]), int(ends[s]))
        own = None if weight is None else weight[s : s + 1]
        one = in_pairs(rule, log_density[rows], np.array([rows.stop - rows.start]), own)
        loglik[s], posterior[rows], told = one[0][0], one[1], told + one[2]
    return loglik, posterior, told


def _summed(found: list[StaysFound], rule: StayRule) -> Stays:
    K, D = rule[2].shape
    sums = Stays(np.zeros((K, K)), np.zeros((K, D)), np.zeros((K, D)))
    for part in found:
        sums = sums + Stays(part.met, part.ended, part.stayed)
    return sums


def _lost(rule: StayRule, log_density: Array, ends: AnyArray, loglik: Array) -> AnyArray:
    """The sequences that the kernel lost paths of."""
    if not barred_stays(rule):
        return np.zeros(0, dtype=np.int64)
    return lost(_likeliest(rule, log_density, ends)[0], loglik)


def _likeliest(rule: StayRule, log_density: Array, ends: AnyArray) -> tuple[Array, AnyArray]:
    def one(part: tuple[slice, slice]) -> tuple[Array, AnyArray]:
        return longest(rule, log_density[part[1]], ends[part[0]] - part[1].start)

    found = list(ordered_map(one, parts(ends)))
    return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])


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
        loglik, posterior = recursion(rule, self.emitted(params), self.rows.stops, None)[:2]
        return loglik, np.minimum(posterior, 1.0, out=posterior)

    def logliks(self, params: Any) -> Array:
        return self._forward(params)[0]

    def filtered(self, params: Any) -> tuple[Array, Array]:
        return self._forward(params)[:2]

    def foretold(self, params: Any) -> Array:
        return self._forward(params)[2]

    def _forward(self, params: Any) -> tuple[Array, Array, Array]:
        rule, emitted, stops = self.model.rule(params), self.emitted(params), self.rows.stops
        found = _each(rule, emitted, stops, None, back=False)
        loglik, posterior, ahead = _joined(found, "loglik", "posterior", "ahead")
        for s in _lost(rule, emitted, stops, loglik):
            rows = slice(int(self.rows.starts[s]), int(stops[s]))
            loglik[s], posterior[rows], ahead[rows] = stays_forward(emitted[rows], rule)
        return loglik, posterior, ahead

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        return _likeliest(self.model.rule(params), self.emitted(params), self.rows.stops)

"""The pass over sequences whose states last by a law of their own: in C, sequences in threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from mixtura.engines.chain import ChainSweep
from mixtura.engines.local import LocalSweep
from mixtura.engines.native.stays import StaysFound, longest, stays
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.kept_paths import barred_stays, lost
from mixtura.models.semi_markov import SemiMarkov
from mixtura.models.stay_recursions import StayRule, Stays, at_rows, forward, in_logarithms
from mixtura.records import AnyArray, Array, Chunk, Summary

# Rows of sequences that a thread takes at once.
_ROWS = 2048
_NONE = np.zeros(0, dtype=np.int64)


def parts(ends: AnyArray, alone: AnyArray = _NONE) -> Iterable[tuple[slice, slice]]:
    """(sequences, their rows) of each call; those of `alone` each have their own."""
    begun, s, cuts = 0, 0, np.unique([*alone, *(alone + 1), len(ends)])
    while s < len(ends):
        last = max(int(np.searchsorted(ends, begun + _ROWS, side="right")), s + 1)
        last = min(last, int(cuts[np.searchsorted(cuts, s, side="right")]))
        yield slice(s, last), slice(begun, int(ends[last - 1]))
        begun, s = int(ends[last - 1]), last


def _each(
    rule: StayRule,
    log_density: Array,
    ends: AnyArray,
    weight: Array | None,
    alone: AnyArray = _NONE,
    *,
    back: bool,
) -> list[StaysFound]:
    """The kernel's answers; in logarithms of the sequences `alone`."""
    held = set(alone.tolist())

    def one(part: tuple[slice, slice]) -> StaysFound:
        which, rows = part
        own = None if weight is None else np.ascontiguousarray(weight[which])
        asked = at_rows(rule, rows), log_density[rows]
        if which.start not in held:
            return stays(*asked, ends[which] - rows.start, own, back=back)
        return _plainly(*asked, own, back=back)

    return list(ordered_map(one, parts(ends, alone)))


def _plainly(rule: StayRule, log_density: Array, weight: Array | None, *, back: bool) -> StaysFound:
    """What the kernel answers of one sequence, in logarithms."""
    if back:
        whole = np.array([len(log_density)])
        loglik, posterior, sums = in_logarithms(rule, log_density, whole, weight)
        return StaysFound(loglik, posterior, None, sums.met, sums.ended, sums.stayed)
    total, joint, ahead = forward(log_density, rule)
    now, then = (
        np.exp(a - logsumexp(a, axis=1, keepdims=True)) for a in (logsumexp(joint, axis=2), ahead)
    )
    none = _summed([], rule)
    return StaysFound(np.array([total]), now, then, none.met, none.ended, none.stayed)


def recursion(
    rule: StayRule, log_density: Array, ends: AnyArray, weight: Array | None
) -> tuple[Array, Array, Stays]:
    """The `StayRecursion` in C."""
    found = _each(rule, log_density, ends, weight, back=True)
    again = _lost(rule, log_density, ends, *_joined(found, "loglik"))
    if len(again):
        found = _each(rule, log_density, ends, weight, again, back=True)
    loglik, posterior = _joined(found, "loglik", "posterior")
    return loglik, posterior, _summed(found, rule)


def _summed(found: list[StaysFound], rule: StayRule) -> Stays:
    K, D = rule[2].shape
    sums = Stays(np.zeros((K, K)), np.zeros((K, D)), np.zeros((K, D)))
    for part in found:
        met = sums.met if rule[1].ndim == 3 else part.met
        sums = sums + Stays(met, part.ended, part.stayed)
    return replace(sums, met=_joined(found, "met")[0]) if rule[1].ndim == 3 and found else sums


def _lost(rule: StayRule, log_density: Array, ends: AnyArray, loglik: Array) -> AnyArray:
    """The sequences that the kernel lost paths of."""
    if not barred_stays(rule):
        return _NONE
    return lost(_likeliest(rule, log_density, ends)[0], loglik)


def _likeliest(rule: StayRule, log_density: Array, ends: AnyArray) -> tuple[Array, AnyArray]:
    def one(part: tuple[slice, slice]) -> tuple[Array, AnyArray]:
        which, rows = part
        return longest(at_rows(rule, rows), log_density[rows], ends[which] - rows.start)

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

    def _asked(self, params: Any) -> tuple[StayRule, Array, AnyArray]:
        rows = self.rows
        return self.model.rules(rows.X, rows.stops, params), self.emitted(params), rows.stops

    def smoothed(self, params: Any) -> tuple[Array, Array]:
        loglik, posterior = recursion(*self._asked(params), None)[:2]
        return loglik, np.minimum(posterior, 1.0, out=posterior)

    def logliks(self, params: Any) -> Array:
        return self._forward(params)[0]

    def filtered(self, params: Any) -> tuple[Array, Array]:
        return self._forward(params)[:2]

    def foretold(self, params: Any) -> Array:
        return self._forward(params)[2]

    def _forward(self, params: Any) -> tuple[Array, Array, Array]:
        asked = self._asked(params)
        found = _each(*asked, None, back=False)
        again = _lost(*asked, *_joined(found, "loglik"))
        if len(again):
            found = _each(*asked, None, again, back=False)
        loglik, posterior, ahead = _joined(found, "loglik", "posterior", "ahead")
        return loglik, posterior, ahead

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        return _likeliest(*self._asked(params))

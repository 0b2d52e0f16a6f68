"""The pass over sequences whose transitions hang on covariates: in C, sequences in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.data.sequences import starts_of
from mixtura.engines.chain import ChainSweep
from mixtura.engines.local import LocalSweep
from mixtura.engines.native import driven
from mixtura.engines.stays import parts
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.driven import Driven
from mixtura.models.kept_paths import BARRED, both_ways, forward, lost
from mixtura.records import AnyArray, Array, Chunk, Summary

_Kernel = Callable[[Array, Array, Array, AnyArray], tuple[AnyArray, ...]]


def _each(
    kernel: _Kernel, initial: Array, moves: Array, log_density: Array, ends: AnyArray
) -> tuple[AnyArray, ...]:
    """The kernel's answers for all sequences, some of them in each thread."""

    def one(part: tuple[slice, slice]) -> tuple[AnyArray, ...]:
        which, rows = part
        return kernel(initial, moves[rows], log_density[rows], ends[which] - rows.start)

    return tuple(np.concatenate(each) for each in zip(*ordered_map(one, parts(ends)), strict=True))


def recursion(
    initial: Array, moves: Array, log_density: Array, ends: AnyArray
) -> tuple[Array, Array, Array]:
    """The `DrivenRecursion` in C."""
    loglik, posterior, met = _each(driven.smoothed, initial, moves, log_density, ends)
    for s, rows in _lost(initial, moves, log_density, ends, loglik):
        loglik[s], posterior[rows], met[rows] = both_ways(log_density[rows], initial, moves[rows])
    return loglik, posterior, met


def filtered(
    initial: Array, moves: Array, log_density: Array, ends: AnyArray
) -> tuple[Array, Array, Array]:
    """(log-likelihoods, P(state | steps so far), P(state | steps before))."""
    loglik, posterior, ahead = _each(driven.filtered, initial, moves, log_density, ends)
    for s, rows in _lost(initial, moves, log_density, ends, loglik):
        loglik[s], _, posterior[rows], ahead[rows] = forward(
            log_density[rows], initial, moves[rows]
        )
    return loglik, posterior, ahead


def _lost(
    initial: Array, moves: Array, log_density: Array, ends: AnyArray, loglik: Array
) -> list[tuple[int, slice]]:
    """The sequences that the kernel lost paths of, and their rows."""
    if not (moves < BARRED).any():
        return []
    path = _each(driven.likeliest, initial, moves, log_density, ends)[0]
    starts = starts_of(ends)
    return [(int(s), slice(int(starts[s]), int(ends[s]))) for s in lost(path, loglik)]


class DrivenSweep(ChainSweep):
    """Sum of the E-steps of a hidden Markov model whose transitions hang on covariates."""

    model: Driven

    def __call__(self, params: Any) -> Summary:
        def step(chunk: Chunk) -> Summary:
            return self.model.e_step_driven(chunk, params, recursion, ordered_map)

        with single_blas:
            return LocalSweep.folded(self, step)

    def _asked(self, params: Any) -> tuple[Array, Array, Array, AnyArray]:
        moves = self.model.moves(self.rows.X, self.rows.stops, params, ordered_map)
        return params.initial, moves, self.emitted(params), self.rows.stops

    def smoothed(self, params: Any) -> tuple[Array, Array]:
        loglik, posterior = recursion(*self._asked(params))[:2]
        return loglik, np.minimum(posterior, 1.0, out=posterior)

    def logliks(self, params: Any) -> Array:
        return self.filtered(params)[0]

    def filtered(self, params: Any) -> tuple[Array, Array]:
        return filtered(*self._asked(params))[:2]

    def foretold(self, params: Any) -> Array:
        return filtered(*self._asked(params))[2]

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        loglik, states = _each(driven.likeliest, *self._asked(params))
        return loglik, states

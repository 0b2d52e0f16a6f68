"""The pass over sequences whose transitions hang on covariates: in C, sequences in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.engines.chain import ChainSweep
from mixtura.engines.local import LocalSweep
from mixtura.engines.native import driven
from mixtura.engines.stays import parts
from mixtura.engines.threads import ordered_map, single_blas
from mixtura.models.driven import Driven
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
    return loglik, posterior, met


class DrivenSweep(ChainSweep):
    """Sum of the E-steps of a hidden Markov model whose transitions hang on covariates."""

    model: Driven

    def __call__(self, params: Any) -> Summary:
        def step(chunk: Chunk) -> Summary:
            return self.model.e_step_driven(chunk, params, recursion, ordered_map)

        with single_blas:
            return LocalSweep.folded(self, step)

    def _asked(self, kernel: _Kernel, params: Any) -> tuple[AnyArray, ...]:
        moves = self.model.moves(self.rows.X, self.rows.stops, params)
        return _each(kernel, params.initial, moves, self.emitted(params), self.rows.stops)

    def smoothed(self, params: Any) -> tuple[Array, Array]:
        loglik, posterior, _ = self._asked(driven.smoothed, params)
        return loglik, posterior

    def filtered(self, params: Any) -> tuple[Array, Array]:
        loglik, posterior, _ = self._asked(driven.filtered, params)
        return loglik, posterior

    def foretold(self, params: Any) -> Array:
        return self._asked(driven.filtered, params)[2]

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        loglik, states = self._asked(driven.likeliest, params)
        return loglik, states

"""Hidden Markov chains in C, one after the other: smoothed and filtered states."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Int, Pointer, address, checked, library, run

Ends = NDArray[np.int64]


class _Chain(ctypes.Structure):
    _fields_ = [
        ("initial", Pointer),
        ("moves", Pointer),
        ("log_density", Pointer),
        ("ends", Pointer),
        ("weight", Pointer),
        ("sequences", Int),
        ("K", Int),
        ("loglik", Pointer),
        ("posterior", Pointer),
        ("met", Pointer),
    ]


def smoothed(
    log_density: Array, initial: Array, moves: Array, ends: Ends, weight: Array | None = None
) -> tuple[Array, Array, Array]:
    """(log-likelihoods (S,), P(state | its whole sequence) (n, K), expected moves (K, K)).

    log_density (n, K) of S sequences that stop before `ends`; `weight` (S,) counts in the moves
    alone. A sequence without a log-likelihood as far as scaled numbers tell has -inf, posteriors 0
    and no moves.
    """
    met = np.zeros(moves.shape)
    loglik, posterior = _chain(log_density, initial, moves, ends, weight, met)
    return loglik, posterior, met


def filtered(log_density: Array, initial: Array, moves: Array, ends: Ends) -> tuple[Array, Array]:
    """(log-likelihoods (S,), P(state | its sequence up to that step) (n, K)), as `smoothed`."""
    return _chain(log_density, initial, moves, ends, None, None)


def _chain(
    log_density: Array,
    initial: Array,
    moves: Array,
    ends: Ends,
    weight: Array | None,
    met: Array | None,
) -> tuple[Array, Array]:
    loglik, posterior = np.empty(len(ends)), np.empty(log_density.shape)
    K = len(initial)
    asked = _Chain(
        *_given(log_density, initial, moves, ends),
        None if weight is None else checked("weight", weight, (len(ends),)),
        len(ends),
        K,
        address(loglik),
        address(posterior),
        None if met is None else address(met),
    )
    run(library().mixtura_chain, asked)
    return loglik, posterior


def _given(
    log_density: Array, initial: Array, moves: Array, ends: Ends
) -> tuple[int, int, int, int]:
    K = len(initial)
    if ends.dtype != np.int64 or not len(ends) or ends[-1] != len(log_density):
        raise ValueError(f"ends must be int64 and stop at {len(log_density)}, not {ends}")
    return (
        checked("initial", initial, (K,)),
        checked("moves", moves, (K, K)),
        checked("log_density", log_density, (len(log_density), K)),
        address(ends),
    )

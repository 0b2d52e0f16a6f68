"""Hidden Markov chains in C whose transitions differ from step to step."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Int, Pointer, address, checked, library, run

Ints = NDArray[np.int64]


class _Driven(ctypes.Structure):
    _fields_ = [
        *((name, Pointer) for name in ("initial", "moves", "log_density", "ends")),
        ("sequences", Int),
        ("K", Int),
        *((name, Pointer) for name in ("loglik", "posterior", "ahead", "met", "states")),
    ]


def _asked(
    initial: Array, moves: Array, log_density: Array, ends: Ints, loglik: Array, *out: int | None
) -> None:
    n, K = log_density.shape
    if ends.dtype != np.int64 or not len(ends) or ends[-1] != n:
        raise ValueError(f"ends must be int64 and stop at {n}, not {ends}")
    asked = _Driven(
        checked("initial", initial, (K,)),
        checked("moves", moves, (n, K, K)),
        checked("log_density", log_density, (n, K)),
        address(ends),
        len(ends),
        K,
        address(loglik),
        *out,
    )
    run(library().mixtura_driven, asked)


def smoothed(
    initial: Array, moves: Array, log_density: Array, ends: Ints
) -> tuple[Array, Array, Array]:
    """(log-likelihoods (S,), P(state | its whole sequence) (n, K), moves into each step (n, K, K)).

    initial (K,), moves (n, K, K) into each step, which are not looked at where a sequence begins;
    log_density (n, K) of S sequences that stop before `ends`. One without any path has -inf, and
    posteriors 0.
    """
    loglik, posterior = np.empty(len(ends)), np.empty(log_density.shape)
    ahead, met = np.empty(log_density.shape), np.zeros(moves.shape)
    out = address(posterior), address(ahead), address(met), None
    _asked(initial, moves, log_density, ends, loglik, *out)
    return loglik, posterior, met


def filtered(
    initial: Array, moves: Array, log_density: Array, ends: Ints
) -> tuple[Array, Array, Array]:
    """(log-likelihoods, P(state | steps so far), P(state | steps before)), as `smoothed`."""
    loglik, posterior = np.empty(len(ends)), np.empty(log_density.shape)
    ahead = np.zeros(log_density.shape)
    out = address(posterior), address(ahead), None, None
    _asked(initial, moves, log_density, ends, loglik, *out)
    return loglik, posterior, ahead


def likeliest(initial: Array, moves: Array, log_density: Array, ends: Ints) -> tuple[Array, Ints]:
    """Log joint densities (S,) of the likeliest paths, and their states (n,), as `smoothed`."""
    loglik, states = np.empty(len(ends)), np.empty(len(log_density), dtype=np.int64)
    _asked(initial, moves, log_density, ends, loglik, None, None, None, address(states))
    return loglik, states

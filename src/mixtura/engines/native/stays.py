"""Hidden semi-Markov chains in C: smoothed and filtered states, sums of stays, likeliest paths."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Int, Pointer, address, checked, library, run

Ints = NDArray[np.int64]

_LAWS = [(name, Pointer) for name in ("initial", "moves", "leave", "keep", "log_density", "ends")]


class _Stays(ctypes.Structure):
    _fields_ = [
        *_LAWS,
        ("weight", Pointer),
        *((name, Int) for name in ("sequences", "K", "D", "apart")),
        *((name, Pointer) for name in ("loglik", "posterior", "ahead", "met", "ended", "stayed")),
    ]


class _Longest(ctypes.Structure):
    _fields_ = [
        *_LAWS,
        *((name, Int) for name in ("sequences", "K", "D", "apart")),
        ("loglik", Pointer),
        ("states", Pointer),
    ]


@dataclass(frozen=True)
class StaysFound:
    """loglik (S,); posterior (n, K); ahead (n, K), P(state | the steps before), None of those that
    went back too; expected moves (K, K), or into each step (n, K, K), stays that end (K, D) and
    that last on (K, D) by how long they have lasted."""

    loglik: Array
    posterior: Array
    ahead: Array | None
    met: Array
    ended: Array
    stayed: Array


def _checked(
    laws: tuple[Array, Array, Array, Array], log_density: Array, ends: Ints
) -> tuple[int, ...]:
    K, D = laws[2].shape
    moves = (len(log_density), K, K) if laws[1].ndim == 3 else (K, K)
    shapes = ((K,), moves, (K, D), (K, D), (len(log_density), K))
    names = (name for name, _ in _LAWS)
    if ends.dtype != np.int64 or not len(ends) or ends[-1] != len(log_density):
        raise ValueError(f"ends must be int64 and stop at {len(log_density)}, not {ends}")
    each = zip(names, (*laws, log_density), shapes, strict=False)
    return (*(checked(name, array, shape) for name, array, shape in each), address(ends))


def stays(
    laws: tuple[Array, Array, Array],
    log_density: Array,
    ends: Ints,
    weight: Array | None = None,
    *,
    back: bool = True,
) -> StaysFound:
    """Sequences that stop before `ends`; without `back` posteriors are those of the steps so far.

    laws are initial (K,), moves (K, K) where stays end, or into each step (n, K, K), leave (K, D);
    log_density (n, K) of steps; `weight` (S,) counts in the sums alone. A sequence
    without any path has -inf, and posteriors 0.
    """
    initial, moves, leave = laws
    (K, D), n = leave.shape, len(log_density)
    keep = 1.0 - leave
    found = StaysFound(
        np.empty(len(ends)),
        np.empty((n, K)),
        None if back else np.zeros((n, K)),
        np.zeros(moves.shape),
        np.zeros((K, D)),
        np.zeros((K, D)),
    )
    asked = _Stays(
        *_checked((initial, moves, leave, keep), log_density, ends),
        None if weight is None else checked("weight", weight, (len(ends),)),
        len(ends),
        K,
        D,
        _apart(moves),
        address(found.loglik),
        address(found.posterior),
        None if found.ahead is None else address(found.ahead),
        address(found.met) if back else None,
        address(found.ended),
        address(found.stayed),
    )
    run(library().mixtura_stays, asked)
    return found


def _apart(moves: Array) -> int:
    """Numbers between the moves into two steps."""
    return moves[0].size if moves.ndim == 3 else 0


def longest(laws: tuple[Array, Array, Array], log_density: Array, ends: Ints) -> tuple[Array, Ints]:
    """Log joint densities (S,) of the likeliest paths, and their states (n,); as in `stays`."""
    K, D = laws[2].shape
    with np.errstate(divide="ignore"):
        initial, moves, leave = (np.log(law) for law in laws)
        logs = initial, moves, leave, np.log1p(-laws[2])
    loglik, states = np.empty(len(ends)), np.empty(len(log_density), dtype=np.int64)
    given = _checked(logs, log_density, ends)
    asked = _Longest(*given, len(ends), K, D, _apart(laws[1]), address(loglik), address(states))
    run(library().mixtura_longest, asked)
    return loglik, states

"""Forward and backward in C through stretches of hidden Markov chains, several side by side."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Data, Int, Pointer, address, checked, library

Ints = NDArray[np.int64]
# Lanes that one call takes: a number of whole packs, whatever the width of a vector.
PACK = 8
# Another road is to be taken, as in kernels.h.
NO_LAW = 1


class Emission(ctypes.Structure):
    """What steps are worth to states, and where sums go, as in kernels.h."""

    _fields_ = [
        ("data", ctypes.POINTER(Data)),
        ("model", Pointer),
        ("moments", Pointer),
        ("table", Pointer),
        ("code", Pointer),
        ("kinds", Int),
        ("hits", Pointer),
    ]


class _Stretches(ctypes.Structure):
    _fields_ = [
        ("emission", ctypes.POINTER(Emission)),
        ("initial", Pointer),
        ("moves", Pointer),
        ("K", Int),
        ("cuts", Pointer),
        ("begins", Pointer),
        ("ends", Pointer),
        ("weight", Pointer),
        ("pieces", Pointer),
        ("lanes", Int),
        ("reach", Int),
        ("loglik", Pointer),
        ("starts", Pointer),
        ("met", Pointer),
        ("posterior", Pointer),
        ("another_road", Int),
    ]


class RunOut(ArithmeticError):
    """Scaled numbers say nothing of some step: only logarithms do."""


class NoLaw(ArithmeticError):
    """What states were before a cut within a sequence is not forgotten within its reach."""


@dataclass(frozen=True)
class Stretches:
    """Some lanes, each of some pieces: parts of sequences one after the other.

    cuts      (P + 1,) the rows at which pieces begin, and the last one ends
    begins    (P,) the row at which the sequence of each begins, and ends: behind its last row
    sequence  (P,) which it is;  weight (P,) how often it was seen, None for once
    pieces    (lanes + 1,) the first piece of each lane
    reach     steps that are looked at, either way, for the law of states at a cut
    """

    cuts: Ints
    begins: Ints
    ends: Ints
    sequence: Ints
    weight: Array | None
    pieces: Ints
    reach: int


@dataclass(frozen=True)
class Swept:
    """loglik (P,) of pieces; expected first states of sequences (K,) and moves (K, K)."""

    loglik: Array
    starts: Array
    met: Array


def swept(
    part: Stretches,
    emission: Emission,
    initial: Array,
    moves: Array,
    *,
    posterior: Array | None = None,
    ahead: bool = True,
) -> Swept:
    """One pass over these lanes; sums at smoothed states go where `emission` says.

    `posterior` (n, K), of all rows, receives P(state | whole sequence), or without `ahead`
    P(state | the steps so far).

    Raises RunOut and NoLaw.
    """
    K, P = len(initial), len(part.begins)
    loglik, starts, met = np.empty(P), np.zeros(K), np.zeros((K, K))
    asked = _Stretches(
        ctypes.pointer(emission),
        checked("initial", initial, (K,)),
        checked("moves", moves, (K, K)),
        K,
        address(part.cuts),
        address(part.begins),
        address(part.ends),
        None if part.weight is None else checked("weight", part.weight, (P,)),
        address(part.pieces),
        len(part.pieces) - 1,
        part.reach,
        address(loglik),
        address(starts),
        address(met) if ahead else None,
        None if posterior is None else address(posterior),
        0,
    )
    if library().mixtura_stretches(ctypes.byref(asked)):
        raise MemoryError("no memory for the scratch of a pass over sequences")
    if asked.another_road:
        raise NoLaw if asked.another_road == NO_LAW else RunOut
    return Swept(loglik, starts, met)


def table_emission(table: Array, code: Any = None, hits: Array | None = None) -> Emission:
    """Log densities by lines of `table`, of each step or of each kind of step.

    `code` (n,) int32 says which line is a step's, -1 that nobody saw it; None: the steps are the
    lines. `hits` (kinds, K) receives the expected steps of each kind.
    """
    return Emission(
        None,
        None,
        None,
        address(table),
        None if code is None else address(code),
        len(table),
        None if hits is None else address(hits),
    )

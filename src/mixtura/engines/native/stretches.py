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
# Of more states fewer steps are looked at for the law at a cut: each costs K times one of a lane.
_STATES = 16
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
        ("back", Int),
        ("another_road", Int),
        ("final", Pointer),
        ("enter", Pointer),
        ("states", Pointer),
        ("other", Pointer),
        ("differ", Pointer),
        ("state", Int),
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
    law: tuple[Array, Array],
    *,
    posterior: Array | None = None,
    back: bool = True,
    sums: bool = True,
) -> Swept:
    """One pass over these lanes; law is the initial one (K,) and the transitions (K, K).

    `posterior` (n, K), of all rows, receives P(state | whole sequence), or where it is not to go
    `back` P(state | the steps so far). With `sums` those at smoothed states go where `emission`
    says; without them, and without going back, expected first states and moves are 0.

    Raises RunOut and NoLaw.
    """
    K = len(law[0])
    loglik, starts, met = np.empty(len(part.begins)), np.zeros(K), np.zeros((K, K))
    asked = _asked(part, emission, law)
    asked.loglik, asked.starts = address(loglik), address(starts)
    asked.met = address(met) if back and sums else None
    asked.posterior = None if posterior is None else address(posterior)
    asked.back = back
    _run(library().mixtura_stretches, asked)
    return Swept(loglik, starts, met)


@dataclass(frozen=True)
class Paths:
    """The likeliest paths of some lanes, and what these are worth.

    final   (P, K) what the best paths to each state are worth at the end of pieces
    enter   (P, K) what they were worth before, where a piece begins within a sequence
    other   (K, steps of the last lane): if the sequence goes on behind the lanes in state k, the
            last `differ[k]` states are those of line k
    before  the state before the first row, where its sequence began before
    """

    part: Stretches
    final: Array
    enter: Array
    other: NDArray[np.int16]
    differ: Ints
    before: int

    def join(self, states: Ints, behind: int) -> None:
        """Put the states (n,) of all rows right, `behind` that from which what follows comes."""
        many, stop = int(self.differ[behind]), int(self.part.cuts[-1])
        states[stop - many : stop] = self.other[behind, self.other.shape[1] - many :]


def paths(part: Stretches, emission: Emission, law: tuple[Array, Array], states: Ints) -> Paths:
    """The likeliest paths (Viterbi 1967) of these lanes, into `states` (n,) of all rows.

    law is the initial one and the transitions. Where the last sequence goes on they are not right
    before `join`. Raises NoLaw.
    """
    P, K = len(part.begins), len(law[0])
    steps = int(part.cuts[-1] - part.cuts[part.pieces[-2]])
    final, enter, differ = np.empty((P, K)), np.zeros((P, K)), np.zeros(K, dtype=np.int64)
    other = np.empty((K, steps), dtype=np.int16)
    asked = _asked(part, emission, law)
    asked.final, asked.enter, asked.states = address(final), address(enter), address(states)
    asked.other, asked.differ = address(other), address(differ)
    _run(library().mixtura_likeliest, asked)
    return Paths(part, final, enter, other, differ, int(asked.state))


def _asked(part: Stretches, emission: Emission, law: tuple[Array, Array]) -> _Stretches:
    initial, moves = law
    K = len(initial)
    return _Stretches(
        ctypes.pointer(emission),
        checked("initial", initial, (K,)),
        checked("moves", moves, (K, K)),
        K,
        address(part.cuts),
        address(part.begins),
        address(part.ends),
        None if part.weight is None else checked("weight", part.weight, part.begins.shape),
        address(part.pieces),
        len(part.pieces) - 1,
        max(part.reach * _STATES // max(K, _STATES), 1),
    )


def _run(function: Any, asked: _Stretches) -> None:
    if function(ctypes.byref(asked)):
        raise MemoryError("no memory for the scratch of a pass over sequences")
    if asked.another_road:
        raise NoLaw if asked.another_road == NO_LAW else RunOut


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

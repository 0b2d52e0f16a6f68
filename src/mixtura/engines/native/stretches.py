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
        ("whence", Pointer),
        ("final", Pointer),
        ("enter", Pointer),
        ("states", Pointer),
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


class Paths:
    """The likeliest paths (Viterbi 1967) of some lanes, in `states` (n,) of all rows.

    Where a sequence goes on behind them they hang on that, and are not right before `tell`.
    """

    def __init__(
        self, part: Stretches, emission: Emission, law: tuple[Array, Array], states: Ints
    ) -> None:
        """law is the initial one and the transitions. Raises NoLaw."""
        P, K = len(part.begins), len(law[0])
        self.part = part
        lengths = np.diff(part.cuts[part.pieces])
        # Where each step's best paths came from, by packs of lanes as wide as a vector, at most.
        self.whence = np.empty(PACK * int(lengths.max()) * K, dtype=np.int16)
        # What the best paths are worth at the end of pieces, and before them.
        self.final, self.enter = np.empty((P, K)), np.zeros((P, K))
        # What the kernel is given, to be kept.
        self._given = emission, law, states
        self._asked = _asked(part, emission, law)
        self._asked.whence = address(self.whence)
        self._asked.final, self._asked.enter = address(self.final), address(self.enter)
        self._asked.states, self._asked.state = address(states), -1
        _run(library().mixtura_likeliest, self._asked)

    def tell(self, behind: int) -> int:
        """Put the states right; `behind` is where the path that follows them comes from.

        Returns where that of these lanes comes from.
        """
        self._asked.state = behind
        _run(library().mixtura_likeliest, self._asked)
        return int(self._asked.state)


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

"""What is asked of a fit of a hidden Markov model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.families.base import Family
from mixtura.models.tied_rows import first_of
from mixtura.records import AnyArray, Array
from mixtura.solvers.problem import Solver


@dataclass(frozen=True)
class AskedPosterior:
    """A posterior in the place of points: the components' family and prior, and where a plain climb
    begins."""

    family: Any
    prior: Any
    begin: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class ChainTask:
    """What is asked of a fit: settings, checked.

    given are parameters that every start has, by name; allowed (K, K) and first (K,) which
    transitions and first states there may be; the rows are those of `HiddenMarkov`; max_seconds is
    when the search ends with what it has; prior makes the components' of that of the table; names
    are the columns'; posterior is asked for in the place of points, or None.
    """

    family: Family
    n_states: int
    tol: float
    max_iter: int
    n_init: int | str
    engine: str
    solver: str | Solver
    given: Mapping[str, Array] = field(default_factory=dict)
    allowed: AnyArray | None = None
    first: AnyArray | None = None
    initial_rows: Array | float = 0.0
    transition_rows: Array | float = 0.0
    held: tuple[str, ...] = ()
    stationary: bool = False
    tied: tuple[int, ...] = ()
    durations: str | None = None
    longest: int = 0
    covariates: tuple[int, ...] = ()
    max_seconds: float = math.inf
    initial_covariates: tuple[int, ...] = ()
    prior: Callable[[Any], Any] | None = None
    names: tuple[str, ...] = ()
    posterior: AskedPosterior | None = None

    @property
    def barred(self) -> tuple[int, int]:
        """How many first states and transitions may not be: of given ones, those that are 0."""
        first = self.first, self.given.get("initial")
        own = first_of(np.array(self.tied)) if self.tied else slice(None)
        moves = tuple(
            None if law is None else law[own]
            for law in (self.allowed, self.given.get("transitions"))
        )
        each = [
            sum(int((law == 0).sum()) for law in laws if law is not None) for laws in (first, moves)
        ]
        return each[0], each[1]

    @property
    def placed(self) -> bool:
        """Whether what is given says which state stands where."""
        allowed = self.allowed
        if self.durations is not None and allowed is not None:
            # That a stay does not end in its own state places none.
            allowed = None if (allowed | np.eye(self.n_states, dtype=bool)).all() else allowed
        some = allowed is not None or self.first is not None
        named = _tells_apart(self.initial_rows) or _tells_apart(self.transition_rows)
        return some or named or bool(self.given) or bool(self.tied)


def _tells_apart(rows: Array | float) -> bool:
    """Whether a prior of laws says which state is which: another order would have another worth."""
    of = np.asarray(rows)
    own = of if of.ndim < 2 else np.diagonal(of)
    others = of[~np.eye(len(of), dtype=bool)] if of.ndim == 2 else own
    return any(len(np.unique(each)) > 1 for each in (own, others))

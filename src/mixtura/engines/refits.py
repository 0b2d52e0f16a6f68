"""Partial EM of many sets of components at once: what is asked of an engine, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mixtura.records import AnyArray, Array, Summary

# How the rows of a set are split in two; as in native/partial.h.
LONGEST, ACROSS, FAR, ANY = range(4)


@dataclass(frozen=True)
class Refits:
    """Sets of one or two components, each to be fitted anew to the rows that it holds.

    shares  (K, n) responsibilities, without the rows' weights
    places  (frames, n, q) where rows lie, free of units
    sets    (S, 2) components, int64; the second is -1 in a set of one
    asked   (S, tries, 4 + q) how rows are split: kind, frame, a number uniform on [0, 1), the share
            claimed and a direction
    first   EM steps of every try
    steps   EM steps of the one that promises most then, as if its last gain went on
    least   share of a row below which it is left out
    """

    shares: Array
    places: Array
    sets: AnyArray
    asked: Array
    first: int
    steps: int
    least: float


@dataclass(frozen=True)
class Ends:
    """Where short climbs of some mixtures ended.

    one       (parameters, summary) of one of them, by its number
    together  the components of all side by side, in their order, where each is judged by itself;
              else None. Those of a mixture that failed are any.
    """

    one: Callable[[int], tuple[Any, Summary]]
    together: tuple[Any, Summary] | None = None


@dataclass(frozen=True)
class Refitted:
    """What became of each set.

    held    (S,) rows that it holds
    values  (3, S) log-likelihoods of those rows: of the set's components after one M-step, of one
            component, of the best pair; -inf where there is none
    pairs   the best pairs
    now     the sets' components, twice where it is one; None where nobody noted them
    """

    held: AnyArray
    values: Array
    pairs: Ends
    now: Ends | None = None


@dataclass(frozen=True)
class Removals:
    """Components to be removed one at a time, each with its heirs fitted anew to all their rows.

    shares     as in `Refits`
    log_joint  (n, K) log P(k) + log p(x_i | k)
    sets       (S, 1 + heirs) the component and its heirs, int64, -1 past the last
    steps, least  as there
    """

    shares: Array
    log_joint: Array
    sets: AnyArray
    steps: int
    least: float


@dataclass(frozen=True)
class Removed:
    """What each removal costs in nats (S,), infinite where the heirs fail, and the heirs."""

    cost: Array
    ends: Ends


@dataclass(frozen=True)
class Swap:
    """The mixture that takes the places `at` with all the weight of the components `of`."""

    of: tuple[int, ...]
    at: tuple[int, ...]
    mixture: Any

"""Where sequences are cut into lanes that run side by side: by their lengths alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.sequences import starts_of
from mixtura.engines.native.stretches import PACK, Ints, Stretches
from mixtura.records import AnyArray, Array

# Steps of a lane: so many that the search for the laws at its ends is little beside them, and so
# few that there are lanes for every core.
_STEPS, _MOST, _LANES = 512, 4096, 64
# One pack of lanes pays from so many steps in each.
_LEAST = 128
# What that search looks at: a lane's length, or so many steps where lanes are shorter.
_REACH = 512


@dataclass(frozen=True)
class Lanes:
    """Those of sequences that stop before these rows (S,), each seen `weight` (S,) or 1 times.

    They go in about so many `calls`, or in one for each PACK. Sums of calls are added in order, so
    that where there are any the number of calls is not to hang on the machine.
    """

    stops: Ints
    weight: Array | None = None
    calls: int | None = None

    @cached_property
    def cut(self) -> list[Stretches]:
        """Sequences may be cut."""
        return packs(self.stops, self.weight, self.calls)

    @cached_property
    def whole(self) -> list[Stretches]:
        """None is."""
        return packs(self.stops, self.weight, self.calls, whole=True)


def packs(
    stops: Ints, weight: Array | None, calls: int | None = None, *, whole: bool = False
) -> list[Stretches]:
    """The lanes of sequences that stop before these rows, in parts for `calls`, or PACK in each.

    `weight` (S,) is how often each was seen, None for once. A lane ends where a sequence does, if
    one ends near; `whole` ones are never cut.
    """
    n = int(stops[-1])
    bounds = _bounds(stops, n, whole=whole)
    # Both are sorted, and few: `np.union1d` hashes them.
    cuts = np.sort(np.concatenate([stops, bounds]), kind="stable")
    cuts = cuts[np.diff(cuts, prepend=-1) > 0]
    sequence = np.searchsorted(stops, cuts[:-1], side="right")
    begins = starts_of(stops)[sequence]
    ends = stops[sequence]
    weights = None if weight is None else weight[sequence]
    reach = max(int(np.diff(bounds).max()), _REACH)
    first = np.searchsorted(cuts, bounds)
    found = []
    size = PACK if calls is None else PACK * -(-(len(bounds) - 1) // (PACK * calls))
    for lane in range(0, len(bounds) - 1, size):
        pieces = first[lane : lane + size + 1]
        own = slice(int(pieces[0]), int(pieces[-1]))
        found.append(
            Stretches(
                np.ascontiguousarray(cuts[own.start : own.stop + 1]),
                np.ascontiguousarray(begins[own]),
                np.ascontiguousarray(ends[own]),
                np.ascontiguousarray(sequence[own]),
                None if weights is None else np.ascontiguousarray(weights[own]),
                pieces - pieces[0],
                reach,
            )
        )
    return found


def _bounds(stops: Ints, n: int, *, whole: bool) -> AnyArray:
    """Where lanes begin and end."""
    steps = min(max(n / _LANES, _STEPS), _MOST)
    lanes = PACK * max(1, int(n / (PACK * steps)))
    ideal = np.arange(1, lanes) * n // lanes
    at = np.minimum(np.searchsorted(stops, ideal), len(stops) - 1)
    before = stops[np.maximum(at - 1, 0)]
    near = np.where(ideal - before < stops[at] - ideal, before, stops[at])
    whole = whole or n < lanes * _LEAST
    kept = np.where(whole | (np.abs(near - ideal) <= n // (4 * lanes)), near, ideal)
    return np.unique(np.concatenate([[0], kept, [n]])).astype(np.int64)

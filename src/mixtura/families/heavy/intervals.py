"""Rows of one column, of some of which only an interval is known, under laws with heavy tails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.families.base import Look
from mixtura.families.gaussian.forms import Form
from mixtura.families.heavy.records import HeavyParams
from mixtura.records import Array


@dataclass(frozen=True)
class ApartLook:
    """Rows of which some, `told`, are looked at otherwise than the others."""

    told: NDArray[np.bool_]
    others: Look
    look: Look

    @cached_property
    def log_density(self) -> Array:
        """log p of the others and log P of the intervals of those, (n, K)."""
        some = self.look.log_density
        out = np.empty((len(self.told), some.shape[1]))
        out[self.told], out[~self.told] = some, self.others.log_density
        return out

    def statistics(self, resp: Array) -> Any:
        """The expected sums at these responsibilities."""
        exact: Any = self.others.statistics(resp[~self.told])
        return exact + self.look.statistics(resp[self.told])


@dataclass(frozen=True)
class Ends:
    """Intervals, each once, in standard units of each component; `place` has those of rows.

    lower, upper and width are (K, m).
    """

    lower: Array
    upper: Array
    width: Array
    place: NDArray[np.intp]

    @classmethod
    def of(cls, lower: Array, upper: Array, params: HeavyParams) -> Ends:
        """Those of rows with these bounds (n,)."""
        # Pairs as one number each, which are sorted sooner than lines of a table are.
        pairs = np.empty(len(lower), dtype=np.complex128)
        pairs.real, pairs.imag = lower, upper
        ends, place = np.unique(pairs, return_inverse=True)
        g = params.gaussian
        width = np.sqrt(g.form.dense(g.covariances, *g.means.shape)[:, 0])
        low, high = ((end - g.means) / width for end in (ends.real, ends.imag))
        return cls(low, high, (ends.imag - ends.real) / width, place)

    def shared(self, resp: Array) -> Array:
        """Responsibilities (n, K) of the rows of each interval, (K, m)."""
        m = self.lower.shape[1]
        return np.stack([np.bincount(self.place, weights=r, minlength=m) for r in resp.T])

    def by_row(self, log_p: list[Array]) -> Array:
        """Of each component's intervals that of each row, (n, K)."""
        return np.stack([each[self.place] for each in log_p], axis=1)


def summed(
    form: Form, each: Iterable[tuple[Array, Array, Array]]
) -> tuple[Array, Array, list[Array]]:
    """Of weights, expected y and expected y^2 of intervals (m,), by component: the sums of weights
    (K,), first moments (K, 1), and each component's second ones."""
    counts, first, seconds = [], [], []
    for w, one, two in each:
        counts.append(w.sum())
        first.append([w @ one])
        seconds.append(form.second(np.sqrt(two)[:, None], w))
    return np.array(counts), np.array(first), seconds

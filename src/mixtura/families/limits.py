"""Bounds of parameters, and ties between components: what M-steps of a family may not leave.

A step within them is exact where what is maximised has one peak in a parameter whatever the others
are: beyond a bound it only falls, so the step ends there. Of components that are tied the sums add.
A family says with `within_limits` how its M-step goes; here is that of families whose statistics
are `summed`, with one parameter for each column.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.gaps import ColumnSums, summed
from mixtura.families.returned import settle
from mixtura.records import Array, Params
from mixtura.supports import Positive, UnitInterval

Groups = tuple[tuple[int, ...], ...]
ALONE = "fixed: bounds and ties are kept by EM's steps alone"


@dataclass(frozen=True, eq=False)
class Limits:
    """low, high: bounds by parameter, in its shape; tied: groups of components with one value."""

    low: dict[str, Array] = field(default_factory=dict)
    high: dict[str, Array] = field(default_factory=dict)
    tied: dict[str, Groups] = field(default_factory=dict)
    # Nothing is known of components but this: see `families.pins`.
    means: ClassVar[None] = None
    roots: ClassVar[None] = None
    common: ClassVar[bool] = False
    alike: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    log_densities: ClassVar[None] = None

    def shapes(self, K: int) -> list[int]:
        """No component is known."""
        return []

    def places(self, name: str) -> Array | None:
        """About where each component is, NaN where bounds do not say so; None without bounds."""
        if name not in self.low:
            return None
        low, high = self.low[name], self.high[name]
        both = np.isfinite(low) & np.isfinite(high)
        with np.errstate(invalid="ignore"):
            found = np.where(both, (low + high) / 2, np.where(np.isfinite(low), low, high))
        return np.where(np.isfinite(found), found, np.nan)

    def roles(self, K: int) -> list[tuple[Any, ...]]:
        """What bounds and ties ask of each of K components: alike of those they treat alike."""
        groups = self.tied.values()
        return [
            (
                *(each[k].tobytes() for ends in (self.low, self.high) for each in ends.values()),
                *(next((group for group in each if k in group), ()) for each in groups),
            )
            for k in range(K)
        ]

    def free(self, chart: Any) -> None:
        """Bounds and ties leave no coordinate of a chart out: they have none."""

    def given(self) -> dict[str, Array]:
        """All of it as arrays by name; of ties how many each group has, and which."""
        ends = (("low", self.low), ("high", self.high))
        found = {f"{end} {name}": each for end, own in ends for name, each in own.items()}
        for name, groups in self.tied.items():
            members = [k for group in groups for k in (len(group), *group)]
            found[f"tied {name}"] = np.array(members, dtype=np.float64)
        return found

    def freed(self, family: Any) -> Family:
        """The restricted family without its limits."""
        found: Family = family.whole()
        return found

    def cut(self, name: str, values: Array) -> Array:
        """The values within their bounds."""
        if name not in self.low:
            return values
        return np.asarray(np.clip(values, self.low[name], self.high[name]))

    def imposed(self, params: Params) -> Params:
        """The parameters within their bounds, those that are tied at their mean."""
        arrays = params.arrays()
        for name, array in arrays.items():
            mean = self.summed(name, array) / self.summed(name, np.ones_like(array))
            arrays[name] = self.cut(name, mean)
        return type(params)(**arrays)

    def summed(self, name: str, sums: Array) -> Array:
        """Sums (K, ...) over each component's rows, over all of its group where it is tied."""
        out = np.array(sums)
        for group in self.tied.get(name, ()):
            out[list(group)] = sums[list(group)].sum(axis=0)
        return out

    def fewer(self, name: str, each: int) -> int:
        """How many free numbers the ties of a parameter take, of `each` in a component."""
        return each * sum(len(group) - 1 for group in self.tied.get(name, ()))


class Restricted(Family):
    """A family whose parameters have limits, `pinned`; made by `restricted`."""

    kind: ClassVar[type[Family]]
    pinned: Limits

    def maximize(self, stats: Any, params: Any, prior: Any) -> Params:
        within = getattr(self, "within_limits", None)
        if within is None:
            return by_sums(self, stats, params, prior, self.pinned)
        found: Params = within(stats, params, prior, self.pinned)
        return found

    def settled(self, survey: Survey, K: int) -> Settled:
        found = settle(self.whole(), survey, K)
        return replace(found, family=restricted(found.family, self.pinned))

    def obstacle(self, prior: Any) -> str:
        return ALONE

    def whole(self) -> Family:
        return _as(self, self.kind, None)

    def n_parameters(self, params: Any) -> int:
        K = len(next(iter(params.arrays().values())))
        each = {name: array.size // K for name, array in params.arrays().items()}
        fewer: int = sum(self.pinned.fewer(name, size) for name, size in each.items())
        return self.kind.n_parameters(self, params) - fewer


def keeps_limits(family: Family) -> bool:
    """Whether there are M-steps of the family within limits."""
    supports = list(family.supports().values())
    alone = len(supports) == 1 and isinstance(supports[0], (Positive, UnitInterval))
    one_mean = alone and type(family).statistics is summed
    return one_mean or hasattr(family, "within_limits")


def restricted(family: Family, limits: Limits) -> Family:
    """The same family within these limits; `keeps_limits` says which can."""
    return _as(family, _restricted(type(family)), limits)


@cache
def _restricted(kind: type[Family]) -> type[Family]:
    return type(kind.__name__, (Restricted, kind), {"kind": kind, "__module__": __name__})


def _as(family: Family, kind: type[Family], limits: Limits | None) -> Family:
    """The family as one of this class, which has the same fields."""
    new = object.__new__(kind)
    new.__dict__.update(family.__dict__)
    new.__dict__.pop("pinned", None)
    if limits is not None:
        new.__dict__["pinned"] = limits
    return new


def by_sums(family: Any, stats: ColumnSums, params: Any, prior: Any, limits: Limits) -> Params:
    """The M-step within limits of a family with one parameter, known by the mean x of the rows.

    The expected log-likelihood, such as n (x log t - t), n (-log t - x / t) or
    n (x log t + (1 - x) log(1 - t)), has one peak.
    """
    (name,) = family.supports()
    sums, cells = limits.summed(name, stats.sums), limits.summed(name, stats.cells)
    found = family.kind.maximize(family, replace(stats, sums=sums, cells=cells), params, prior)
    arrays: Params = family.params({name: limits.cut(name, found.arrays()[name])})
    return arrays

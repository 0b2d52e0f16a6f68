"""Cells of which only an interval is known, in columns that are independent within a component.

Such a cell adds log P(lower < x <= upper | k) to a row's log-density, and what the M-step needs of
it are the expected sufficient statistics given the interval: EM for censored and grouped data.
A family says both of single cells (`Within`); all else is done here.
Reference: Dempster, Laird & Rubin (1977), Maximum likelihood from incomplete data via the EM
algorithm, JRSS B 39, sections 4.2 and 4.3; McLachlan & Krishnan (2008), The EM Algorithm and
Extensions, section 2.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Look, Settled
from mixtura.families.frames import Leading
from mixtura.families.returned import settle
from mixtura.records import AnyArray, Array, Params, Statistics


class Within(Protocol):
    """What a family of columns says of cells x (m,) with lower < x <= upper, one bound at least."""

    def within(
        self, lower: Array, upper: Array, *parameters: Array
    ) -> tuple[Array, dict[str, Array]]:
        """(log P(lower < x <= upper), what a row of weight 1 adds to each sum of the statistics).

        parameters are those of the family, in their order, each (m,): of the cell's component and
        column. Of the sums only those but `counts` and `cells`, which count cells.
        """
        ...


@dataclass(frozen=True)
class Cells:
    """Cells (n, d) with bounds, NaN where there are none; such a cell of `x` stands in for it."""

    x: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, wide: AnyArray) -> Cells:
        """Those of rows behind which stand their lower and their upper bounds, (n, 3 d)."""
        x, lower, upper = np.split(np.asarray(wide, dtype=np.float64), 3, axis=1)
        return cls(x, lower, upper)

    @property
    def wide(self) -> Array:
        """The rows with their bounds behind."""
        return np.hstack([self.x, self.lower, self.upper])

    @cached_property
    def bounded(self) -> NDArray[np.bool_]:
        """Whether a cell has bounds."""
        return ~np.isnan(self.lower)

    @cached_property
    def exact(self) -> Array:
        """The rows, cells with bounds missing."""
        return np.where(self.bounded, np.nan, self.x)

    def among(self, columns: tuple[Any, ...]) -> Cells:
        """Those of some columns."""
        return Cells(self.x[:, columns], self.lower[:, columns], self.upper[:, columns])


@dataclass(frozen=True)
class IntervalLook:
    """Densities and expected sums of rows under a family that knows intervals cell by cell."""

    family: Any
    cells: Cells
    params: Any

    @cached_property
    def rest(self) -> Look:
        """What is made of the other cells."""
        found: Look = self.family.look(self.cells.exact, self.params)
        return found

    @cached_property
    def where(self) -> tuple[AnyArray, AnyArray]:
        """Rows and columns of the cells with bounds."""
        i, j = np.nonzero(self.cells.bounded)
        return i, j

    @cached_property
    def known(self) -> list[tuple[Array, dict[str, Array]]]:
        """By component, what `within` says of the cells with bounds."""
        lower, upper = self.cells.lower[self.where], self.cells.upper[self.where]
        arrays, (_, j) = list(self.params.arrays().values()), self.where
        return [
            self.family.within(lower, upper, *(array[k][j] for array in arrays))
            for k in range(len(arrays[0]))
        ]

    @cached_property
    def log_density(self) -> Array:
        """log p of exact cells and log P of the intervals of others, (n, K)."""
        n, (i, _) = len(self.cells.x), self.where
        added = [np.bincount(i, weights=log_p, minlength=n) for log_p, _ in self.known]
        return self.rest.log_density + np.stack(added, axis=1)

    def statistics(self, resp: Array) -> Statistics:
        """The expected sums at these responsibilities."""
        found: Any = self.rest.statistics(resp)
        (i, j), d = self.where, self.cells.x.shape[1]

        def summed(each: list[Array]) -> Array:
            terms = [r[i] * e for r, e in zip(resp.T, each, strict=True)]
            return np.stack([np.bincount(j, weights=one, minlength=d) for one in terms])

        names = self.known[0][1]
        added = {name: summed([sums[name] for _, sums in self.known]) for name in names}
        added["cells"] = summed([np.ones(len(i))] * resp.shape[1])
        told = {name: getattr(found, name) + sums for name, sums in added.items()}
        return replace(found, **told)  # type: ignore[no-any-return]


@runtime_checkable
class Between(Protocol):
    """A family, also of one's own, that looks at rows with intervals itself."""

    def between(self, cells: Cells, params: Any) -> Look:
        """Its look at rows of which some cells are intervals."""


@runtime_checkable
class KnowsIntervals(Between, Protocol):
    """One that does so of some numbers of columns; a product's blocks are asked each."""

    def knows_intervals(self, d: int) -> bool:
        """Whether it does of so many."""


def look_at(family: Any, cells: Cells, params: Any) -> Look:
    """What a family that `knows` these intervals makes of the cells."""
    if isinstance(family, Between):
        return family.between(cells, params)
    if cells.bounded.any():
        return IntervalLook(family, cells, params)
    return family.look(cells.x, params)  # type: ignore[no-any-return]


def knows(family: Any, d: int) -> bool:
    """Whether of cells of its d columns only an interval may be known: where it says what is
    `within`, or `knows_intervals` of so many, which are then `between`."""
    if isinstance(family, KnowsIntervals):
        return family.knows_intervals(d)
    return hasattr(family, "within")


def stranger(family: Any, some: NDArray[np.bool_]) -> str:
    """The family that knows no intervals in its columns among `some` (d,); empty where all do."""
    blocks = getattr(family, "blocks", None)
    if blocks is not None:
        found = [stranger(block.family, some[list(block.columns)]) for block in blocks]
        return next((name for name in found if name), "")
    return "" if not some.any() or knows(family, len(some)) else str(family.name)


def support(family: Any, d: int) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Above what the cells of d columns lie, whether they are whole numbers, and whether components
    have a width there beside their place, each (d,)."""
    blocks = getattr(family, "blocks", None)
    if blocks is None:
        counts, has_width = family.column_kind == "counts", len(family.supports()) > 1
        least = -1.0 if counts else family.least
        return np.full(d, least), np.full(d, counts), np.full(d, has_width)
    least, whole, wide = np.full(d, -np.inf), np.zeros(d, dtype=bool), np.zeros(d, dtype=bool)
    for block in blocks:
        own = list(block.columns)
        least[own], whole[own], wide[own] = support(block.family, len(own))
    return least, whole, wide


def unbounded(cells: Cells, family: Any) -> Iterator[tuple[int, str]]:
    """(column, why) where cells are intervals alone, and nothing holds components there."""
    least, _, wide = support(family, cells.x.shape[1])
    alone = (cells.bounded | np.isnan(cells.x)).all(axis=0) & cells.bounded.any(axis=0)
    for j in map(int, np.flatnonzero(alone)):
        low, high = (side[cells.bounded[:, j], j] for side in (cells.lower, cells.upper))
        if np.isinf(high).all() or (low == least[j]).all():
            end = "above" if np.isinf(high).all() else "below"
            yield j, f"no cell bounds it from {end}, so that the likelihood has no maximum"
        elif wide[j] and low.max() < high.min():
            common = f"{low.max():g} to {high.min():g}"
            yield j, f"all its intervals hold {common}, so that nothing tells a component's width"


class Censored(Family):
    """A family for rows behind which stand their bounds; made by `censored`."""

    kind: ClassVar[type[Family]]

    @property
    def plain(self) -> Family:
        """The family of the numbers themselves."""
        return _as(self, self.kind)

    def look(self, X: AnyArray, params: Any) -> Look:
        return look_at(self.plain, Cells.of(X), params)

    def log_density(self, X: AnyArray, params: Any) -> Array:
        return self.look(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> Statistics:
        if params is None:
            return self.plain.statistics(Cells.of(X).x, resp, None)
        return self.look(X, params).statistics(resp)

    def start(self, X: AnyArray, resp: Array, params: Any, prior: Any) -> Params | None:
        return self.plain.start(Cells.of(X).x, resp, params, prior)

    def within_reach(self, X: AnyArray, params: Any) -> bool:
        return False

    def frame(self, X: AnyArray) -> Array:
        return self.plain.frame(Cells.of(X).x)

    def condensed(self, survey: Survey) -> None:
        return None

    def settled(self, survey: Survey, K: int) -> Settled:
        d = survey.source.d // 3
        plain = self.plain
        if hasattr(plain, "reaching"):
            plain = plain.reaching(survey)
        found = settle(plain, survey.restricted(tuple(range(d))), K)
        frames = tuple(Leading(frame, d) for frame in found.frames)
        return replace(found, family=censored(found.family), frames=frames, alike=None)


def censored(family: Family) -> Family:
    """The same family, for rows with their bounds behind; `stranger` says which cannot."""
    return _as(family, _censored(type(family)))


@cache
def _censored(kind: type[Family]) -> type[Family]:
    return type(kind.__name__, (Censored, kind), {"kind": kind, "__module__": __name__})


def _as(family: Family, kind: type[Family]) -> Family:
    """The family as one of this class, which has the same fields."""
    new = object.__new__(kind)
    new.__dict__.update(family.__dict__)
    return new

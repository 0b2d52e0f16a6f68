"""The records that cross the two waists: statistics, summaries and parameters.

A `Summary` is all that an algorithm ever sees of the data. Summaries add, so where the rows live
(memory, threads, files, a cluster) is nobody's business but the engine's.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.errors import WrongReturn
from mixtura.ranges import Count, Finite
from mixtura.supports import Support, declared

Array = NDArray[np.float64]
AnyArray = NDArray[Any]
RandomNumbers = np.random.RandomState | np.random.Generator
# A share of a row that is none: what is left out is as much smaller than what labelled rows tell.
NO_SHARE = 1e-10
# What users give as weights of rows, where random numbers begin, and as the name of a file.
Weights = ArrayLike | None
Seed = int | np.random.RandomState | None
StrPath = str | os.PathLike[str]
# What the codes 0, 1, ... of each column stand for, in order; None for a column of numbers.
Categories = tuple[tuple[str, ...] | None, ...]


class Chunk(NamedTuple):
    """Some rows of a table: all that a model sees of the data at a time.

    X       (m, d), C-contiguous; float64 where a model is given it
    weight  (m,) or None; a weight of 2 is the row twice
    where   where the rows stand in the table
    ends    where in the chunk its sequences stop, int64; None where rows are no sequences
    known   (m,) int64, the states of rows that somebody knows, -1 of others; or (m, K) the
            logarithms of memberships, 0 where nobody knows; None: of none
    """

    X: AnyArray
    weight: Array | None = None
    where: slice = slice(None)
    ends: AnyArray | None = None
    known: AnyArray | None = None


@dataclass(frozen=True)
class Statistics:
    """Additive sums over rows; every field of a subclass is an array, Statistics again, or a
    tuple of such.

    Fields named in `joined` hold a line per row instead: those of two chunks are put one after
    the other, and a factor leaves them as they are.
    """

    joined: ClassVar[tuple[str, ...]] = ()

    def __add__(self, other: Self) -> Self:
        def add(name: str) -> Any:
            one, two = getattr(self, name), getattr(other, name)
            if isinstance(one, tuple):
                return tuple(a + b for a, b in zip(one, two, strict=True))
            if name in self.joined:
                return np.concatenate([one, two])
            try:
                return one + two
            except ValueError:
                raise WrongReturn(
                    f"{type(self).__name__}.{name} of two chunks does not add up: shapes "
                    f"{np.shape(one)} and {np.shape(two)}. Sums over rows have one shape; what has "
                    "a line for each row is named in `joined`"
                ) from None

        return type(self)(*(add(f.name) for f in fields(self)))

    def scale(self, factor: float) -> Self:
        """The statistics of the same rows with every weight multiplied by `factor`."""

        def times(name: str) -> Any:
            value = getattr(self, name)
            if name in self.joined:
                return value
            if isinstance(value, tuple):
                return tuple(part.scale(factor) for part in value)
            return value.scale(factor) if isinstance(value, Statistics) else value * factor

        return type(self)(*(times(f.name) for f in fields(self)))

    def arrays(self) -> dict[str, Array]:
        """Every array by name; those of parts have the part's name and a dot before theirs."""
        found: dict[str, Array] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            parts = (
                {f"{f.name}.{i}": part for i, part in enumerate(value)}
                if isinstance(value, tuple)
                else {f.name: value}
            )
            for name, part in parts.items():
                if isinstance(part, Statistics):
                    found |= {f"{name}.{inner}": a for inner, a in part.arrays().items()}
                else:
                    found[name] = np.asarray(part, dtype=np.float64)
        return found

    def with_arrays(self, given: Mapping[str, Array], prefix: str = "") -> Self:
        """Statistics of this kind with other arrays, named as in `arrays`."""

        def made(value: Any, name: str) -> Any:
            if isinstance(value, tuple):
                return tuple(made(part, f"{name}.{i}") for i, part in enumerate(value))
            if isinstance(value, Statistics):
                return value.with_arrays(given, f"{name}.")
            return given[name]

        return type(self)(*(made(getattr(self, f.name), f"{prefix}{f.name}") for f in fields(self)))


@dataclass(frozen=True)
class Summary:
    """What one pass over some rows returns.

    loglik      sum_i w_i log p(x_i), natural logarithm
    weight      sum_i w_i (the number of rows when there are no weights)
    statistics  the sums that the M-step needs
    """

    loglik: float
    weight: float
    statistics: Statistics

    def __add__(self, other: Summary) -> Summary:
        return Summary(
            self.loglik + other.loglik,
            self.weight + other.weight,
            self.statistics + other.statistics,
        )

    def scale(self, factor: float) -> Summary:
        """The summary of the same rows with every weight multiplied by `factor`."""
        return Summary(self.loglik * factor, self.weight * factor, self.statistics.scale(factor))


@dataclass(frozen=True)
class Equation:
    """The sum of weights times columns is `value` in every row; a constant column has weight 1."""

    columns: tuple[Count, ...]
    weights: tuple[Finite, ...]
    value: Finite


class Params:
    """Parameters of a family or a model: a frozen dataclass of named arrays.

    A field says where it may live in its type, `rates: Annotated[Array, Positive()]`. From that
    follow its checks, the number of free parameters and the coordinates that optimisers move in.
    """

    def arrays(self) -> dict[str, Array]:
        """The parameters by name, in their natural (user's) shapes and units."""
        found: dict[str, Array] = {}
        for name in (f.name for f in fields(self)):  # type: ignore[arg-type]
            value = getattr(self, name)
            if isinstance(value, Params):
                found |= value.arrays()
            else:
                found[name] = value
        return found

    def with_arrays(self, given: Mapping[str, Array]) -> Self:
        """The same with the named arrays replaced."""
        new: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):  # type: ignore[arg-type]
            value = getattr(self, name)
            if isinstance(value, Params):
                new[name] = value.with_arrays(given)
            elif name in given:
                new[name] = given[name]
        return replace(self, **new)  # type: ignore[type-var]

    @classmethod
    def supports(cls) -> dict[str, Support]:
        """Where each array may live, by name; those without a declared support are left out."""
        return declared(cls)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Spike:
    """A component on a singularity of the likelihood, or kept from one by the penalty alone.

    count is its expected number of rows, spread its smallest variance as a share of the table's.
    columns are those that are a factor each by themselves: their noise runs to zero, not the
    width of the component; none where the component as a whole collapses.
    constant are (column, value) of those that do not vary at all inside the component.
    """

    component: Count
    count: float
    spread: float
    columns: tuple[Count, ...] = ()
    constant: tuple[tuple[Count, Finite], ...] = ()


@dataclass(frozen=True)
class Standing:
    """How sound one component is.

    rows     its expected number of rows, weights counted as rows
    spread   its smallest variance (eigenvalue of the covariance) as a share of the table's there;
             None where the family has no such thing, and of posteriors
    held_up  whether a penalty, a prior, a floor or a bound of eigenvalues is what keeps it from
             being narrower: most of its smallest variance, or all that keeps it from collapsing
    verdict  "regular"; "collapsed": only a penalty or a floor keeps it from a singularity of the
             likelihood (between bounds of eigenvalues, and under a prior that was asked for, there
             is none, and `held_up` alone tells of rows without a width of their own);
             "spurious": a few rows that lie close together, as some always do
    """

    component: Count
    rows: float
    spread: float | None
    held_up: bool
    verdict: str


def inner(gradient: dict[str, Array], direction: dict[str, Array]) -> float:
    """The derivative along `direction` of the function whose gradient is given."""
    return float(sum(np.sum(gradient[name] * direction[name]) for name in gradient))


def difference(after: Params, before: Params) -> dict[str, Array]:
    """The step from `before` to `after`, by name."""
    old = before.arrays()
    return {name: value - old[name] for name, value in after.arrays().items()}


class Chart(ABC):
    """Free coordinates around one point of a model: every vector of `size` real numbers is a model.

    The origin is that point, and there the information of the complete data, per unit of weight,
    is the identity. So coordinates have no units, EM's step is the gradient to first order, and
    the Hessian's eigenvalues say what share of the complete information the data really hold.
    """

    size: int

    @abstractmethod
    def params(self, free: Array) -> Any:
        """The parameters at these coordinates."""

    @abstractmethod
    def coordinates(self, params: Any) -> Array:
        """Where `params` lie; the inverse of `params`."""

    @abstractmethod
    def gradient(self, summary: Summary, params: Any) -> Array:
        """The objective's gradient in these coordinates at `params`, whose summary is given."""

    @property
    @abstractmethod
    def radius(self) -> Array:
        """How far each coordinate may go before a chart around a nearer point is called for."""

    def observed(self, summary: Summary, params: Any, lost: Array) -> Array:
        """The observed information of all rows at the centre, (size, size).

        `params` are those of the centre, with their summary, and `lost` is what a sweep's
        `information_lost` says of them. Asked of charts only whose sweeps say it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no information in one pass")

"""The records that cross the two waists: statistics, summaries and parameters.

A `Summary` is all that an algorithm ever sees of the data. Summaries add, so where the rows live
(memory, threads, files, a cluster) is nobody's business but the engine's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
AnyArray = NDArray[Any]
RandomNumbers = np.random.RandomState | np.random.Generator


@dataclass(frozen=True)
class Statistics:
    """Additive sums over rows; every field of a subclass is an array."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def scale(self, factor: float) -> Self:
        """The statistics of the same rows with every weight multiplied by `factor`."""
        return type(self)(*(getattr(self, f.name) * factor for f in fields(self)))


@dataclass(frozen=True)
class Summary:
    """What one pass over some rows returns.

    loglik      sum_i w_i log p(x_i), natural logarithm
    weight      sum_i w_i (the number of rows when there are no weights)
    components  the family's statistics
    """

    loglik: float
    weight: float
    components: Statistics

    def __add__(self, other: Summary) -> Summary:
        return Summary(
            self.loglik + other.loglik,
            self.weight + other.weight,
            self.components + other.components,
        )

    def scale(self, factor: float) -> Summary:
        """The summary of the same rows with every weight multiplied by `factor`."""
        return Summary(self.loglik * factor, self.weight * factor, self.components.scale(factor))


@dataclass(frozen=True)
class Equation:
    """The sum of weights times columns is `value` in every row; a constant column has weight 1."""

    columns: tuple[int, ...]
    weights: tuple[float, ...]
    value: float


class Params(ABC):
    """Parameters of a family or a model: a frozen record of named arrays."""

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """The parameters by name, in their natural (user's) shapes and units."""


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

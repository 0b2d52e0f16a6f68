"""Where a parameter may live: how it is checked, and how many free numbers describe it.

`pack` maps a value to unconstrained real numbers and `unpack` back, so that an optimiser which
knows nothing of simplices and positive definite matrices can move freely.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]

# What stands for 0 where a logarithm is taken: the smallest number with all its digits.
TINY = float(np.finfo(np.float64).tiny)
# A share smaller than this is on its way to 0, if slowly; its logarithm has no use as a coordinate.
EDGE = 1e-10
# One below this may be on its way there: whether it is, the log-likelihood at the edge tells.
NEAR = 0.03
# Matrices may come from float32, or from an inverse: each half then has its own rounding errors.
SYMMETRY = 1e-5
# Unit vectors may come from float32 too.
UNIT = 1e-5


# Beyond these exponents exp is 0 or infinite.
EXPONENT = 700.0


class Support(ABC):
    """A set of admissible values for an array of a given shape."""

    # What numbers on the edge of the support are.
    edge: ClassVar[str] = "0"

    @abstractmethod
    def check(self, value: Array, name: str) -> None:
        """Raise ValueError, naming the parameter, unless `value` lies in the support."""

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that the free numbers of a value of this shape have; often the same."""
        return shape

    def size(self, shape: tuple[int, ...]) -> int:
        """The number of free real numbers in a value of this shape."""
        return int(np.prod(self.free_shape(shape)))

    def at_edge(self, value: Array) -> NDArray[np.bool_]:
        """Which numbers lie on the edge of the support, where logarithms end."""
        return np.zeros(value.shape, dtype=bool)

    def edged(self, value: Array, near: float) -> Array:
        """The numbers, those no farther than `near` from an edge moved onto it."""
        return value

    def inside(self, value: Array) -> Array:
        """How far inside its edge each number is."""
        return value

    def lifted(self, value: Array, cells: NDArray[np.bool_], by: float) -> Array:
        """The numbers, those in `cells` so far inside their edge."""
        return np.where(cells, by, value)

    @abstractmethod
    def pack(self, value: Array) -> Array:
        """Unconstrained coordinates, shape (size,)."""

    @abstractmethod
    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        """The inverse of `pack`."""

    @abstractmethod
    def slope(self, value: Array, gradient: Array) -> Array:
        """The gradient in the packed numbers at `value` of a function whose gradient in the value,
        each of its numbers taken as free, is given; shape (size,)."""


def _first(value: Array, right: NDArray[np.bool_]) -> str:
    """The first number that is not right, for messages."""
    return f"{np.asarray(value)[~np.asarray(right)].flat[0]:.6g}"


@cache
def declared(record: Any) -> dict[str, Support]:
    """The supports in a record's field types, `rates: Annotated[Array, Positive()]`, by name."""
    found: dict[str, Support] = {}
    for name, kind in get_type_hints(record, include_extras=True).items():
        if get_origin(kind) is Annotated:
            found.update((name, part) for part in get_args(kind)[1:] if isinstance(part, Support))
    return found


def edged(
    supports: Mapping[str, Support], arrays: Mapping[str, Array], near: float
) -> dict[str, Array] | None:
    """The arrays with numbers `near` an edge moved onto it; None where none is."""
    moved = {name: support.edged(arrays[name], near) for name, support in supports.items()}
    return moved if any((moved[name] != arrays[name]).any() for name in moved) else None


@dataclass(frozen=True)
class Real(Support):
    """Any finite numbers."""

    def check(self, value: Array, name: str) -> None:
        if not np.all(np.isfinite(value)):
            raise ValueError(f"The parameter '{name}' should be finite, but has NaN or infinity")

    def pack(self, value: Array) -> Array:
        return value.ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        return free.reshape(shape)

    def slope(self, value: Array, gradient: Array) -> Array:
        return gradient.ravel()


@dataclass(frozen=True)
class Positive(Support):
    """Positive numbers, packed by their logarithms."""

    def check(self, value: Array, name: str) -> None:
        right = np.isfinite(value) & (value > 0)
        if not np.all(right):
            raise ValueError(f"'{name}' should be positive, but has {_first(value, right)}")

    def at_edge(self, value: Array) -> NDArray[np.bool_]:
        return np.asarray(value <= TINY)

    def pack(self, value: Array) -> Array:
        return np.log(value).ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        return np.exp(np.clip(free, -EXPONENT, EXPONENT)).reshape(shape)

    def slope(self, value: Array, gradient: Array) -> Array:
        return (value * gradient).ravel()


@dataclass(frozen=True)
class Rate(Positive):
    """Expected counts: positive, and as good as 0 where a count other than 0 is never met."""

    def at_edge(self, value: Array) -> NDArray[np.bool_]:
        return np.asarray(value <= EDGE)

    def edged(self, value: Array, near: float) -> Array:
        return np.where(value <= near, TINY, value)


@dataclass(frozen=True)
class UnitInterval(Support):
    """Numbers strictly between 0 and 1 (or on its ends), packed by their log-odds."""

    edge: ClassVar[str] = "0 or 1"

    def check(self, value: Array, name: str) -> None:
        right = (value >= 0) & (value <= 1)
        if not np.all(right):
            raise ValueError(
                f"'{name}' should be in the range [0, 1], but has {_first(value, right)}"
            )

    def at_edge(self, value: Array) -> NDArray[np.bool_]:
        return np.asarray((value <= EDGE) | (value >= 1.0 - EDGE))

    def edged(self, value: Array, near: float) -> Array:
        return np.where(value <= near, 0.0, np.where(value >= 1.0 - near, 1.0, value))

    def inside(self, value: Array) -> Array:
        return np.minimum(value, 1.0 - value)

    def lifted(self, value: Array, cells: NDArray[np.bool_], by: float) -> Array:
        return np.where(cells, np.where(value > 0.5, 1.0 - by, by), value)

    def pack(self, value: Array) -> Array:
        with np.errstate(divide="ignore"):
            return (np.log(value) - np.log1p(-value)).ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        return np.asarray(expit(free)).reshape(shape)

    def slope(self, value: Array, gradient: Array) -> Array:
        return (value * (1.0 - value) * gradient).ravel()


@dataclass(frozen=True)
class Simplex(Support):
    """Non-negative numbers that sum to one over the last axis, packed by log-ratios to its last.

    With `blocks`, the last axis holds several simplices side by side, of so many numbers each.
    """

    blocks: tuple[int, ...] | None = None

    def check(self, value: Array, name: str) -> None:
        if not np.all((value >= 0) & (value <= 1)):
            # scikit-learn prints the minimum as the maximum; tests written for it match that text.
            raise ValueError(
                f"The parameter '{name}' should be in the range [0, 1], but got max value "
                f"{value.min():.5f}, min value {value.max():.5f}"
            )
        tolerance = 1e-6 if value.dtype == np.float32 else 1e-8
        total = self.sums(value)
        if np.any(np.abs(1.0 - total) > tolerance):
            worst = total.flat[np.argmax(np.abs(1.0 - total))]
            raise ValueError(
                f"The parameter '{name}' should be normalized, but got sum({name}) = {worst:.5f}"
            )

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - len(self.sizes(shape[-1])))

    def sizes(self, last: int) -> tuple[int, ...]:
        """How many numbers each simplex has, the last axis holding so many."""
        return (last,) if self.blocks is None else self.blocks

    def starts(self, last: int) -> NDArray[np.int64]:
        """Where each simplex begins on the last axis."""
        return np.cumsum((0, *self.sizes(last)))[:-1]

    def sums(self, value: Array) -> Array:
        """The sum of each simplex."""
        return np.asarray(np.add.reduceat(value, self.starts(value.shape[-1]), axis=-1))

    def spread(self, sums: Array, last: int) -> Array:
        """One number for each simplex, repeated for each of its members."""
        return np.repeat(sums, self.sizes(last), axis=-1)

    def at_edge(self, value: Array) -> NDArray[np.bool_]:
        return np.asarray(value <= EDGE)

    def lifted(self, value: Array, cells: NDArray[np.bool_], by: float) -> Array:
        raised = np.where(cells, by, value)
        return np.asarray(raised / self.spread(self.sums(raised), value.shape[-1]))

    def pack(self, value: Array) -> Array:
        last = value.shape[-1]
        ends = self.starts(last) + np.array(self.sizes(last)) - 1
        with np.errstate(divide="ignore"):
            logs = np.log(value)
        ratios = logs - self.spread(logs[..., ends], last)
        return np.asarray(np.delete(ratios, ends, axis=-1)).ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        last, starts = shape[-1], self.starts(shape[-1])
        ends = starts + np.array(self.sizes(last)) - 1
        logits = np.zeros(shape)
        logits[..., np.delete(np.arange(last), ends)] = free.reshape(self.free_shape(shape))
        top = np.maximum.reduceat(logits, starts, axis=-1)
        odds = np.exp(logits - self.spread(top, last))
        return np.asarray(odds / self.spread(self.sums(odds), last))

    def slope(self, value: Array, gradient: Array) -> Array:
        last = value.shape[-1]
        ends = self.starts(last) + np.array(self.sizes(last)) - 1
        # A number at 0 has an infinite slope in itself and none in its logarithm.
        along = np.where(value > 0, value * np.where(value > 0, gradient, 0.0), 0.0)
        free = along - value * self.spread(self.sums(along), last)
        return np.asarray(np.delete(free, ends, axis=-1)).ravel()


@dataclass(frozen=True)
class Angle(Support):
    """Angles in radians, packed as they are: two that differ by a whole turn are one."""

    def check(self, value: Array, name: str) -> None:
        Real().check(value, name)

    def pack(self, value: Array) -> Array:
        return value.ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        return turned(free).reshape(shape)

    def slope(self, value: Array, gradient: Array) -> Array:
        return gradient.ravel()


def turned(angles: Array) -> Array:
    """The same angles from -pi to pi."""
    return np.asarray(angles - 2 * np.pi * np.round(angles / (2 * np.pi)))


@dataclass(frozen=True)
class Sphere(Support):
    """Unit vectors over the last axis, packed by stereographic projection from (0, ..., 0, -1)."""

    def check(self, value: Array, name: str) -> None:
        if not np.all(np.abs(np.linalg.norm(value, axis=-1) - 1.0) < UNIT):
            raise ValueError(f"'{name}' should be unit vectors")

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)

    def pack(self, value: Array) -> Array:
        above = np.maximum(1.0 + value[..., -1:], TINY)
        return np.asarray(value[..., :-1] / above).ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        flat = free.reshape(self.free_shape(shape))
        square = np.sum(flat**2, axis=-1, keepdims=True)
        whole = np.concatenate([2.0 * flat, 1.0 - square], axis=-1)
        return np.asarray(whole / (1.0 + square))

    def slope(self, value: Array, gradient: Array) -> Array:
        above = 1.0 + value[..., -1:]
        flat = value[..., :-1] / above
        # The derivative of `unpack`: (1 + x_last) (g - x (g . flat + g_last)) without the last.
        along = np.sum(flat * gradient[..., :-1], axis=-1, keepdims=True) + gradient[..., -1:]
        return np.asarray(above * (gradient[..., :-1] - value[..., :-1] * along)).ravel()


@dataclass(frozen=True)
class Covariance(Support):
    """Symmetric positive definite matrices over the last two axes, packed by log-Cholesky."""

    def check(self, value: Array, name: str) -> None:
        if not (np.all(np.isfinite(value)) and self._sound(value)):
            raise ValueError(f"'{name}' should be symmetric, positive-definite")

    @staticmethod
    def _sound(value: Array) -> bool:
        # Beside sqrt(c_ii c_jj), so that the answer does not depend on the columns' units.
        variance = np.diagonal(value, axis1=-2, axis2=-1)
        if not np.all(variance > 0):
            return False
        deviation = np.sqrt(variance)
        correlation = value / deviation[..., :, None] / deviation[..., None, :]
        gap = np.abs(correlation - np.swapaxes(correlation, -1, -2))
        return bool(np.all(gap <= SYMMETRY) and np.linalg.eigvalsh(correlation).min() > 0)

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1] * (shape[-1] + 1) // 2)

    def pack(self, value: Array) -> Array:
        root = np.linalg.cholesky(value)
        d = value.shape[-1]
        diagonal = np.arange(d)
        root[..., diagonal, diagonal] = np.log(root[..., diagonal, diagonal])
        return np.asarray(root[(..., *np.tril_indices(d))]).ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        d = shape[-1]
        root = np.zeros(shape)
        root[(..., *np.tril_indices(d))] = free.reshape(*shape[:-2], -1)
        diagonal = np.arange(d)
        root[..., diagonal, diagonal] = np.exp(root[..., diagonal, diagonal])
        return np.asarray(root @ np.swapaxes(root, -1, -2))

    def slope(self, value: Array, gradient: Array) -> Array:
        root, d = np.linalg.cholesky(value), value.shape[-1]
        change = (gradient + np.swapaxes(gradient, -1, -2)) @ root
        diagonal = np.arange(d)
        change[..., diagonal, diagonal] *= root[..., diagonal, diagonal]
        return np.asarray(change[(..., *np.tril_indices(d))]).ravel()

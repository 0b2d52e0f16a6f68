"""Where a parameter may live: how it is checked, and how many free numbers describe it.

`pack` maps a value to unconstrained real numbers and `unpack` back, so that an optimiser which
knows nothing of simplices and positive definite matrices can move freely.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from mixtura.records import Array

# Matrices may come from float32, or from an inverse: each half then has its own rounding errors.
SYMMETRY = 1e-5


class Support(ABC):
    """A set of admissible values for an array of a given shape."""

    @abstractmethod
    def check(self, value: Array, name: str) -> None:
        """Raise ValueError, naming the parameter, unless `value` lies in the support."""

    @abstractmethod
    def size(self, shape: tuple[int, ...]) -> int:
        """The number of free real numbers in a value of this shape."""

    @abstractmethod
    def pack(self, value: Array) -> Array:
        """Unconstrained coordinates, shape (size,)."""

    @abstractmethod
    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        """The inverse of `pack`."""


@dataclass(frozen=True)
class Real(Support):
    """Any finite numbers."""

    def check(self, value: Array, name: str) -> None:
        if not np.all(np.isfinite(value)):
            raise ValueError(f"The parameter '{name}' should be finite, but has NaN or infinity")

    def size(self, shape: tuple[int, ...]) -> int:
        return int(np.prod(shape))

    def pack(self, value: Array) -> Array:
        return value.ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        return free.reshape(shape)


@dataclass(frozen=True)
class Positive(Support):
    """Positive numbers, packed by their logarithms."""

    def check(self, value: Array, name: str) -> None:
        if not (np.all(np.isfinite(value)) and np.all(value > 0)):
            raise ValueError(f"'{name}' should be positive")

    def size(self, shape: tuple[int, ...]) -> int:
        return int(np.prod(shape))

    def pack(self, value: Array) -> Array:
        return np.log(value).ravel()

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        return np.exp(free).reshape(shape)


@dataclass(frozen=True)
class Simplex(Support):
    """Non-negative numbers that sum to one, packed by log-ratios to the last."""

    def check(self, value: Array, name: str) -> None:
        if not np.all((value >= 0) & (value <= 1)):
            # scikit-learn prints the minimum as the maximum; tests written for it match that text.
            raise ValueError(
                f"The parameter '{name}' should be in the range [0, 1], but got max value "
                f"{value.min():.5f}, min value {value.max():.5f}"
            )
        tolerance = 1e-6 if value.dtype == np.float32 else 1e-8
        if abs(1.0 - float(value.sum())) > tolerance:
            raise ValueError(
                f"The parameter '{name}' should be normalized, but got sum({name}) = "
                f"{value.sum():.5f}"
            )

    def size(self, shape: tuple[int, ...]) -> int:
        return shape[0] - 1

    def pack(self, value: Array) -> Array:
        return np.asarray(np.log(value[:-1]) - np.log(value[-1]))

    def unpack(self, free: Array, shape: tuple[int, ...]) -> Array:
        logits = np.append(free, 0.0)
        odds = np.exp(logits - logits.max())
        return np.asarray(odds / odds.sum())


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

    def size(self, shape: tuple[int, ...]) -> int:
        d = shape[-1]
        return int(np.prod(shape[:-2])) * d * (d + 1) // 2

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

"""Free numbers around one value of a support: what an optimiser moves.

Around a point of a simplex the free numbers are taken along an orthonormal basis of what a
multinomial tells, so that one draw has the identity for its information; elsewhere they are the
packed numbers, counted from the point's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.records import Array
from mixtura.supports import Simplex, Support

# A share below this is scaled as if it were this.
LEAST_SHARE = 1e-12


class Around(ABC):
    """The free numbers of values near `centre`, all 0 there."""

    centre: Array

    @abstractmethod
    def value(self, free: Array) -> Array:
        """The value at these numbers (size,)."""

    @abstractmethod
    def free(self, value: Array) -> Array:
        """The inverse of `value`."""

    @abstractmethod
    def slope(self, value: Array, gradient: Array) -> Array:
        """The gradient in the free numbers at `value`, from that in the value itself."""


def around(support: Support, centre: Array) -> Around:
    """Free numbers around `centre`."""
    if isinstance(support, Simplex):
        return AroundShares(support, centre)
    return AroundPacked(support, centre)


@dataclass(frozen=True)
class AroundPacked(Around):
    """Differences of the packed numbers."""

    support: Support
    centre: Array

    @cached_property
    def _packed(self) -> Array:
        return self.support.pack(self.centre)

    def value(self, free: Array) -> Array:
        return self.support.unpack(self._packed + free, self.centre.shape)

    def free(self, value: Array) -> Array:
        return self.support.pack(value) - self._packed

    def slope(self, value: Array, gradient: Array) -> Array:
        return self.support.slope(value, gradient)


@dataclass(frozen=True)
class AroundShares(Around):
    """p = softmax(log p0 + B z) for each simplex, B = diag(p0)^-1/2 Q.

    Q is an orthonormal basis of the complement of sqrt(p0), so the information of z in one draw,
    B' (diag p0 - p0 p0') B, is the identity. A share that is 0 stays 0.
    """

    support: Simplex
    centre: Array

    @cached_property
    def _bases(self) -> list[Array]:
        """B of each simplex, (..., L, L - 1)."""
        return [basis_of(part) for part in self._split(self.centre)]

    def _split(self, value: Array) -> list[Array]:
        return np.split(value, self.support.starts(value.shape[-1])[1:], axis=-1)

    def _free_parts(self, free: Array) -> list[Array]:
        shaped = free.reshape(self.support.free_shape(self.centre.shape))
        cuts = np.cumsum([basis.shape[-1] for basis in self._bases])[:-1]
        return np.split(shaped, cuts, axis=-1)

    def value(self, free: Array) -> Array:
        parts = []
        for p, basis, z in zip(
            self._split(self.centre), self._bases, self._free_parts(free), strict=True
        ):
            with np.errstate(divide="ignore"):
                logits = np.log(p) + np.einsum("...lz,...z->...l", basis, z)
            odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
            parts.append(odds / odds.sum(axis=-1, keepdims=True))
        return np.concatenate(parts, axis=-1)

    def free(self, value: Array) -> Array:
        parts = []
        for p0, p, basis in zip(
            self._split(self.centre), self._split(value), self._bases, strict=True
        ):
            both = (p > 0) & (p0 > 0)
            ratio = np.zeros(p.shape)
            np.divide(p, p0, out=ratio, where=both)
            np.log(ratio, out=ratio, where=both)
            # B is diag(p0)^-1/2 Q, so diag(p0) B is the transpose of its left inverse.
            parts.append(np.einsum("...lz,...l->...z", basis, p0 * ratio))
        return np.concatenate(parts, axis=-1).ravel()

    def slope(self, value: Array, gradient: Array) -> Array:
        parts = []
        for p, g, basis in zip(self._split(value), self._split(gradient), self._bases, strict=True):
            # A share at 0 has an infinite slope in itself and none in its logarithm.
            along = np.where(p > 0, p * np.where(p > 0, g, 0.0), 0.0)
            logits = along - p * along.sum(axis=-1, keepdims=True)
            parts.append(np.einsum("...lz,...l->...z", basis, logits))
        return np.concatenate(parts, axis=-1).ravel()


def basis_of(shares: Array) -> Array:
    """diag(p)^-1/2 Q for p (..., L): (..., L, L - 1)."""
    root = np.sqrt(shares)
    # A Householder reflection that sends the last axis to sqrt(p): its other columns are Q.
    mirror = root.copy()
    mirror[..., -1] += 1.0
    size = np.sum(mirror**2, axis=-1)[..., None, None]
    outer = mirror[..., :, None] * mirror[..., None, :]
    reflection = np.eye(shares.shape[-1]) - 2.0 * outer / size
    unit = np.sqrt(np.maximum(shares, LEAST_SHARE))[..., None]
    return np.asarray(reflection[..., :-1] / unit)

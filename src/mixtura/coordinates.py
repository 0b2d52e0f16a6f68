"""Free numbers around one value of a support: what an optimiser moves.

Around a point of a simplex the free numbers are taken along an orthonormal basis of what a
multinomial tells, so that one draw has the identity for its information; a number of the unit
interval is one of two such shares, and its free number counts in Bernoulli draws; around a unit
vector they are arcs along orthonormal directions; elsewhere they are the packed numbers, counted
from the point's own. `Family.information` is in these units.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mixtura.records import Array
from mixtura.supports import EDGE, Angle, Simplex, Sphere, Support, UnitInterval, turned

# A share below this is scaled as if it were this, and so is what a row tells of a number.
LEAST_SHARE, LEAST_TOLD = 1e-12, 1e-16


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
    def numbers(self, told: Array) -> Array:
        """Of an array in the shape of the free numbers (of a simplex: of its shares), the numbers
        that there are, (size,)."""

    @abstractmethod
    def slope(self, value: Array, gradient: Array) -> Array:
        """The gradient in the free numbers at `value`, from that in the value itself."""


def around(support: Support, centre: Array) -> Around:
    """Free numbers around `centre`."""
    if isinstance(support, Simplex):
        return AroundShares(support, centre)
    if isinstance(support, UnitInterval):
        return AroundOdds(AroundShares(Simplex(), both_shares(centre)))
    if isinstance(support, Sphere):
        return AroundDirection(centre)
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
        apart = self.support.pack(value) - self._packed
        return turned(apart) if isinstance(self.support, Angle) else apart

    def numbers(self, told: Array) -> Array:
        shape = self.support.free_shape(self.centre.shape)
        return np.broadcast_to(told, shape).ravel()

    def slope(self, value: Array, gradient: Array) -> Array:
        return self.support.slope(value, gradient)


@dataclass(frozen=True)
class AroundLinear(Around):
    """The packed numbers along the columns of a matrix, (numbers, size): some may be tied."""

    support: Support
    centre: Array
    map: Array

    @cached_property
    def _inverse(self) -> Array:
        return np.asarray(np.linalg.pinv(self.map))

    def value(self, free: Array) -> Array:
        return self.support.unpack(
            self.support.pack(self.centre) + self.map @ free, self.centre.shape
        )

    def free(self, value: Array) -> Array:
        return np.asarray(
            self._inverse @ (self.support.pack(value) - self.support.pack(self.centre))
        )

    def numbers(self, told: Array) -> Array:
        return np.broadcast_to(told, self.map.shape[1:])

    def slope(self, value: Array, gradient: Array) -> Array:
        return np.asarray(self.map.T @ self.support.slope(value, gradient))


@dataclass(frozen=True)
class AroundShares(Around):
    """p = softmax(log p0 + B z) for each simplex, B = diag(p0)^-1/2 Q.

    Q is an orthonormal basis of the complement of sqrt(p0), so the information of z in one draw,
    B' (diag p0 - p0 p0') B, is the identity. A share on the edge stays there and has no
    free number.
    """

    support: Simplex
    centre: Array

    @cached_property
    def _parts(self) -> list[tuple[slice, Array, NDArray[np.bool_]]]:
        """Of each simplex: where it stands on the last axis, B with a column for each share, and
        which of these columns there are."""
        found = []
        starts = self.support.starts(self.centre.shape[-1])
        for start, size in zip(starts, self.support.sizes(self.centre.shape[-1]), strict=True):
            where = slice(int(start), int(start) + size)
            found.append((where, *basis_of(self.centre[..., where])))
        return found

    @cached_property
    def _alive(self) -> NDArray[np.bool_]:
        return np.concatenate([alive for _, _, alive in self._parts], axis=-1)

    @property
    def basis(self) -> Array:
        """B of a single simplex, a column for each of its free numbers."""
        ((_, basis, alive),) = self._parts
        return np.asarray(basis[:, alive])

    def numbers(self, told: Array) -> Array:
        return np.broadcast_to(told, self.centre.shape)[self._alive]

    def value(self, free: Array) -> Array:
        whole = np.zeros(self.centre.shape)
        whole[self._alive] = free
        out = np.empty(self.centre.shape)
        for where, basis, _ in self._parts:
            with np.errstate(divide="ignore"):
                logits = np.log(self.centre[..., where])
            logits = logits + np.einsum("...lz,...z->...l", basis, whole[..., where])
            odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
            out[..., where] = odds / odds.sum(axis=-1, keepdims=True)
        return out

    def free(self, value: Array) -> Array:
        out = np.empty(self.centre.shape)
        for where, basis, _ in self._parts:
            p0, p = self.centre[..., where], value[..., where]
            both = (p > 0) & (p0 > 0)
            ratio = np.zeros(p.shape)
            np.divide(p, p0, out=ratio, where=both)
            np.log(ratio, out=ratio, where=both)
            # B is diag(p0)^-1/2 Q, so diag(p0) B is the transpose of its left inverse.
            out[..., where] = np.einsum("...lz,...l->...z", basis, p0 * ratio)
        return out[self._alive]

    def slope(self, value: Array, gradient: Array) -> Array:
        out = np.empty(self.centre.shape)
        for where, basis, _ in self._parts:
            p, g = value[..., where], gradient[..., where]
            # A share at 0 has an infinite slope in itself and none in its logarithm.
            along = np.where(p > 0, p * np.where(p > 0, g, 0.0), 0.0)
            logits = along - p * along.sum(axis=-1, keepdims=True)
            out[..., where] = np.einsum("...lz,...l->...z", basis, logits)
        return out[self._alive]


@dataclass(frozen=True)
class AroundOdds(Around):
    """Probabilities p as the shares (1 - p, p) of two: one that is 0 or 1 has no free number."""

    shares: AroundShares

    @property
    def centre(self) -> Array:  # type: ignore[override]
        return np.asarray(self.shares.centre[..., 1])

    def numbers(self, told: Array) -> Array:
        return self.shares.numbers(np.asarray(told)[..., None])

    def value(self, free: Array) -> Array:
        return np.asarray(self.shares.value(free)[..., 1])

    def free(self, value: Array) -> Array:
        return self.shares.free(both_shares(value))

    def slope(self, value: Array, gradient: Array) -> Array:
        whole = np.stack([np.zeros_like(gradient), gradient], axis=-1)
        return self.shares.slope(both_shares(value), whole)


def both_shares(probabilities: Array) -> Array:
    """(1 - p, p) over a new last axis."""
    return np.stack([1.0 - probabilities, probabilities], axis=-1)


@dataclass(frozen=True)
class AroundDirection(Around):
    """Unit vectors by the arc from the centre: cos |v| c + sin |v| v / |v|, v = B z.

    B is an orthonormal basis of what is orthogonal to c.
    """

    centre: Array

    @cached_property
    def _basis(self) -> Array:
        # A Householder reflection that sends the last axis to c, up to sign: its others are B.
        sign = np.where(self.centre[..., -1:] >= 0, 1.0, -1.0)
        mirror = self.centre.copy()
        mirror[..., -1:] += sign
        size = np.sum(mirror**2, axis=-1)[..., None, None]
        whole = np.eye(mirror.shape[-1]) - 2 * mirror[..., :, None] * mirror[..., None, :] / size
        return np.asarray(whole[..., :-1])

    def numbers(self, told: Array) -> Array:
        shape = self.centre.shape
        return np.broadcast_to(told, (*shape[:-1], shape[-1] - 1)).ravel()

    def value(self, free: Array) -> Array:
        z = free.reshape(*self.centre.shape[:-1], -1)
        arc = np.linalg.norm(z, axis=-1, keepdims=True)
        # numpy's sinc is that of pi x.
        off = np.sinc(arc / np.pi) * np.einsum("...dz,...z->...d", self._basis, z)
        found = np.cos(arc) * self.centre + off
        return np.asarray(found / np.linalg.norm(found, axis=-1, keepdims=True))

    def _arc(self, value: Array) -> tuple[Array, Array, Array]:
        """(arc from the centre (..., 1), its sine, coordinates of `value` along the basis)."""
        flat = np.einsum("...dz,...d->...z", self._basis, value)
        sine = np.linalg.norm(flat, axis=-1, keepdims=True)
        cosine = np.sum(self.centre * value, axis=-1, keepdims=True)
        return np.arctan2(sine, cosine), sine, flat

    def free(self, value: Array) -> Array:
        arc, sine, flat = self._arc(value)
        longer = np.divide(arc, sine, out=np.ones_like(arc), where=sine > 0)
        return np.asarray(flat * longer).ravel()

    def slope(self, value: Array, gradient: Array) -> Array:
        arc, sine, flat = self._arc(value)
        ahead = np.divide(flat, sine, out=np.zeros_like(flat), where=sine > 0)
        across = np.einsum("...dz,...d->...z", self._basis, gradient)
        inward = np.sum(self.centre * gradient, axis=-1, keepdims=True)
        along = np.sum(ahead * across, axis=-1, keepdims=True)
        # Along the arc one moves at full speed, across it by sin(arc) / arc.
        slower = np.sinc(arc / np.pi)
        onward = np.cos(arc) * along - np.sin(arc) * inward
        return np.asarray(slower * (across - along * ahead) + onward * ahead).ravel()


@dataclass(frozen=True)
class Fields:
    """The free numbers of several named arrays, one array's after the other's.

    Each array's are multiplied by its `scales`, roots of what one row tells of them.
    """

    parts: dict[str, Around]
    scales: dict[str, Array]

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return sum(scale.size for scale in self.scales.values())

    def arrays(self, free: Array) -> dict[str, Array]:
        """The arrays at these numbers."""
        cuts = np.cumsum([scale.size for scale in self.scales.values()])[:-1]
        each = zip(self.parts.items(), self.scales.values(), np.split(free, cuts), strict=True)
        return {name: part.value(numbers / scale) for (name, part), scale, numbers in each}

    def free(self, arrays: dict[str, Array]) -> Array:
        """The inverse of `arrays`."""
        return np.concatenate(
            [part.free(arrays[name]) * self.scales[name] for name, part in self.parts.items()]
        )

    def slope(self, arrays: dict[str, Array], gradient: dict[str, Array]) -> Array:
        """The gradient in the free numbers, from that in the arrays."""
        return np.concatenate(
            [
                part.slope(arrays[name], gradient[name]) / self.scales[name]
                for name, part in self.parts.items()
            ]
        )


def fields_around(
    supports: dict[str, Support], centre: dict[str, Array], told: dict[str, Array] | None = None
) -> Fields:
    """The free numbers around `centre`; `told` is the information of each, 1 by default."""
    parts = {name: around(support, centre[name]) for name, support in supports.items()}
    each = {
        name: part.numbers(np.ones(()) if told is None else told[name])
        for name, part in parts.items()
    }
    scales = {name: np.sqrt(np.maximum(one, LEAST_TOLD)) for name, one in each.items()}
    return Fields(parts, scales)


def basis_of(shares: Array) -> tuple[Array, NDArray[np.bool_]]:
    """(diag(p)^-1/2 Q with a column for each of p (..., L), which of the columns are of Q).

    All are but that of the last share (where it is nearly 0, of the largest); those of shares that
    are 0 or nearly so move nothing.
    """
    root = np.sqrt(shares)
    pivot = np.zeros(shares.shape, dtype=bool)
    last = np.full(shares.shape[:-1], shares.shape[-1] - 1)
    chosen = np.where(shares[..., -1] > EDGE, last, shares.argmax(axis=-1))
    np.put_along_axis(pivot, chosen[..., None], True, axis=-1)
    # A Householder reflection that sends the pivot's axis to sqrt(p): its other columns are Q.
    mirror = root + pivot
    size = np.sum(mirror**2, axis=-1)[..., None, None]
    reflection = np.eye(shares.shape[-1]) - 2.0 * mirror[..., :, None] * mirror[..., None, :] / size
    basis = reflection / np.sqrt(np.maximum(shares, LEAST_SHARE))[..., None]
    return np.where(pivot[..., None, :], 0.0, basis), ~pivot & (shares > EDGE)

"""Rows by which of their cells are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.records import AnyArray


@dataclass(frozen=True)
class Patterns:
    """Rows by what is missing of them.

    seen (P, d) says which columns the rows of each pattern have; order (n,) has the rows of one
    after those of the other, and slices where each lies therein.
    """

    seen: NDArray[np.bool_]
    order: NDArray[np.int64]
    slices: tuple[slice, ...]

    @property
    def index(self) -> NDArray[np.int64]:
        """The pattern of each row of `order`."""
        return np.repeat(np.arange(len(self.seen)), [s.stop - s.start for s in self.slices])


def patterns(X: AnyArray) -> Patterns:
    """Those of the rows of X."""
    missing = np.isnan(X)
    packed = np.packbits(missing, axis=1)
    # As whole numbers, where they are that short: these are sorted sooner than bytes are.
    size = next((size for size in (1, 2, 4, 8) if size >= packed.shape[1]), packed.shape[1])
    padded = np.zeros((len(X), size), np.uint8)
    padded[:, : packed.shape[1]] = packed
    keys = padded.view(f"{'u' if size <= 8 else 'V'}{size}").ravel()
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    new = np.ones(len(X), bool)
    new[1:] = ranked[1:] != ranked[:-1]
    starts = np.flatnonzero(new)
    cuts = tuple(map(slice, starts, (*starts[1:], len(X))))
    return Patterns(~missing[order[starts]], order, cuts)

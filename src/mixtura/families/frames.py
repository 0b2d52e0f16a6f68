"""Rows as numbers without units, in which near rows are alike: where starts are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array

# Rows (n, d) as numbers (n, q) without units, in which near rows are alike.
Frame = Callable[[AnyArray], Array]


@dataclass(frozen=True)
class Affine:
    """The frame B (x - centre); B is (d, d), or (d,) for a diagonal one."""

    centre: Array
    map: Array

    def __call__(self, X: AnyArray) -> Array:
        moved = X - self.centre
        return np.asarray(moved * self.map if self.map.ndim == 1 else moved @ self.map.T)


@dataclass(frozen=True)
class Filled:
    """A frame of rows whose gaps are filled first."""

    fill: Callable[[AnyArray], Array]
    frame: Frame

    def __call__(self, X: AnyArray) -> Array:
        return self.frame(self.fill(X))


@dataclass(frozen=True)
class Leading:
    """A frame of the first columns, without what stands behind them."""

    frame: Frame
    columns: int

    def __call__(self, X: AnyArray) -> Array:
        return self.frame(X[:, : self.columns])


def standardised(X: AnyArray) -> Array:
    """Columns with mean 0 and deviation 1, gaps at the mean, constant columns at 0."""
    X = np.asarray(X, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        centred = X - np.nanmean(X, axis=0)
    centred[np.isnan(centred)] = 0.0
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))

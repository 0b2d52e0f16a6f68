"""Records of families with heavy tails: Gaussian ones, of rows that are weighed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.families.gaussian.gaps import GapsLook
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.records import AnyArray, Array, Params, Statistics


@dataclass(frozen=True)
class HeavyParams(Params):
    """Centres and matrices, as means and covariances of a Gaussian."""

    gaussian: GaussianParams


@dataclass(frozen=True)
class HeavyStatistics(Statistics):
    """counts (K,), sum_i r_ik; weighed: Gaussian sums with r_ik u_ik in place of r_ik."""

    counts: Array
    weighed: GaussianStatistics


@dataclass(frozen=True)
class HeavyLook:
    """Squared whitened distances of some rows, looked at once for densities and sums."""

    X: AnyArray
    params: Any

    @cached_property
    def distances(self) -> Array:
        """delta, (n, K)."""
        g = self.params.gaussian
        out = np.empty((len(self.X), len(g.means)))
        for k in range(len(g.means)):
            y = g.form.residuals(self.X, g.means, g.whiten, k)
            out[:, k] = np.einsum("ij,ij->i", y, y)
        return out


@dataclass(frozen=True)
class HeavyGapsLook:
    """The same of rows with missing cells, by those that are there."""

    X: AnyArray
    params: Any

    @cached_property
    def gaussian(self) -> GapsLook:
        """What the Gaussians of the same matrices say of the rows."""
        return GapsLook(self.X, self.params.gaussian)

    @cached_property
    def cells(self) -> Array:
        """How many cells of each row are there, (n, 1)."""
        return np.asarray((~np.isnan(self.X)).sum(axis=1, keepdims=True), dtype=np.float64)

    @cached_property
    def distances(self) -> Array:
        """delta of the cells that are there, (n, K)."""
        look, out = self.gaussian, np.empty((len(self.X), len(self.params.gaussian.means)))
        for k, (_, z) in enumerate(look.known):
            out[look.kinds.order, k] = np.einsum("ij,ij->i", z, z)
        return out


def with_gaussian(params: Any, made: Callable[[GaussianParams], GaussianParams]) -> Any:
    """The same with what is made of its centres and matrices; itself where nothing changed."""
    found = made(params.gaussian)
    return params if found is params.gaussian else replace(params, gaussian=found)

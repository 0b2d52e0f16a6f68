"""Starts beside parameters that are known in advance: which group is which component."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.fitting.seeding import nearest
from mixtura.models.responsibilities import one_hot
from mixtura.records import AnyArray, Array

# The least part that a component has of a row whose nearest mean is also its own.
SOFT = 1e-3


class Anchors(NamedTuple):
    """Shares of the rows (K,) and means (K, d) that are known, NaN where one is not."""

    shares: Array
    means: Array

    def placed(
        self, resp: Array, X: AnyArray, w: Array, frame: Callable[[AnyArray], Array]
    ) -> Array:
        """The groups (n, K) of a start, in the order of the components that are nearest to them.

        Where means are known rows then go to the nearest of these and the other groups' centres.
        """
        weighed = resp * w[:, None]
        seen = ~np.isnan(X)
        rows = np.maximum(weighed.T @ seen, 1e-300)
        centres = weighed.T @ np.where(seen, X, 0.0) / rows
        cost = self._apart(centres, weighed.sum(axis=0) / w.sum(), np.nanstd(X, axis=0))
        order = linear_sum_assignment(cost)[1]
        if np.isnan(self.means).all():
            return resp[:, order]
        centres = np.where(np.isnan(self.means), centres[order], self.means)
        first, same = np.unique(centres, axis=0, return_index=True, return_inverse=True)[1:]
        near = one_hot(nearest(frame(X), frame(centres[first])), len(first))[:, same.ravel()]
        # Components with one mean have its rows in common: as the start had parted them.
        own = np.maximum(resp[:, order], SOFT) * near
        return np.asarray(own / own.sum(axis=1, keepdims=True))

    def _apart(self, centres: Array, shares: Array, deviations: Array) -> Array:
        """How far groups are from components, (K, K): in deviations of columns, and in logarithms
        of shares."""
        unit = np.where(deviations > 0, deviations, 1.0)
        off = (self.means[:, None, :] - centres[None, :, :]) / unit
        logs = np.log(self.shares)[:, None] - np.log(np.maximum(shares, 1e-9))[None, :]
        return np.asarray(np.nansum(off**2, axis=2) + np.nan_to_num(logs) ** 2)

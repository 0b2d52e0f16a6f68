"""Starts beside parameters that are known in advance: which group is which component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import expit

from mixtura.fitting.roles import Roles
from mixtura.fitting.seeding import nearest
from mixtura.models.responsibilities import normalise, one_hot
from mixtura.records import AnyArray, Array

# The least part that a component has of a row whose nearest mean is also its own.
SOFT = 1e-3


# So many rows are tried as the mean of a component whose covariance is known.
TRIED = 256
# Of the rows (n, d), were component k at these means (m, d): log-densities (n, m).
Heights = Callable[[AnyArray, int, Array], Array]


class Anchors(NamedTuple):
    """Shares of the rows (K,) and means (K, d) that are known, NaN where one is not.

    shaped   components whose covariance is known, and their mean is not; heights are their
             densities wherever they may be
    roles    one number of each component, the same where bounds and ties treat them alike; none
             where they do so of all
    alike    whether that is the same of all, and of any number of them
    """

    shares: Array
    means: Array
    shaped: Sequence[int] = ()
    heights: Heights | None = None
    roles: Roles = ()
    alike: bool = False

    def placed(
        self, resp: Array, X: AnyArray, w: Array, frame: Callable[[AnyArray], Array], *, seek: bool
    ) -> Array:
        """The groups (n, K) of a start, in the order of the components that are nearest to them.

        Where means are known rows then go to the nearest of these and the other groups' centres. To
        `seek` puts components of known covariance where they are worth most beside the others.
        """
        own = self._nearest(resp, X, w, frame)
        if seek and own.shape[1] > 1 and not np.isnan(X).any():
            for k in self.shaped:
                own = self._sought(own, np.asarray(X, dtype=np.float64), w, k)
        return own

    def _sought(self, own: Array, X: Array, w: Array, k: int) -> Array:
        """The same with component k at the row where the likelihood gains most.

        The other groups are normal, without correlations, about their own means.
        """
        assert self.heights is not None
        others = np.delete(np.arange(own.shape[1]), k)
        weighed = own[:, others] * w[:, None]
        rows = np.maximum(weighed.sum(axis=0), 1e-300)
        Z = X - X.mean(axis=0)
        means = weighed.T @ Z / rows[:, None]
        off = (Z[:, None, :] - means) ** 2
        variances = np.einsum("ik,ikj->kj", weighed, off) / rows[:, None]
        variances += 1e-6 * Z.var(axis=0) + 1e-300
        off = off / variances + np.log(2 * np.pi * variances)
        beside = np.log(rows / rows.sum()) - 0.5 * off.sum(axis=2)
        log_p, parts = normalise(beside)
        share = 1.0 / own.shape[1] if np.isnan(self.shares[k]) else self.shares[k]
        tried = X[np.unique(np.linspace(0, len(X) - 1, min(TRIED, len(X))).astype(int))]
        tried = np.where(np.isnan(self.means[k]), tried, self.means[k])
        with_it = np.log(share) + self.heights(X, k, tried)
        without = np.log1p(-share) + log_p
        best = int(np.argmax(w @ np.logaddexp(without[:, None], with_it)))
        part = expit(with_it[:, best] - without)
        found = np.empty_like(own)
        found[:, k], found[:, others] = part, (1 - part)[:, None] * parts
        return found

    def _nearest(
        self, resp: Array, X: AnyArray, w: Array, frame: Callable[[AnyArray], Array]
    ) -> Array:
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
        # In one scale, as a frame may be that of the numbers it is given.
        framed = frame(np.vstack([X, centres[first]]))
        near = one_hot(nearest(framed[: len(X)], framed[len(X) :]), len(first))[:, same.ravel()]
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

"""A look at some rows by factor analysers: their densities, then, given responsibilities, sums.

By Woodbury's identity the squared distance of a row is a weighted sum of squares less the squared
length of its projection onto q directions. Where factors are so strong that this difference would
lose digits, it is the squared length of what the factors leave of the row, and of their scores:
a minimum over the scores, so that their rounding counts squared.

Rows are centred once for all components that lie close enough together (`factor.records.Group`), so
everything is a product of the rows, or of their squares, with a thin matrix: about 4 n K d (q + 2)
operations of a pass, nearly all of them BLAS's, and no array larger than the rows, or than K d q.
Rows are taken in blocks that stay in the cache.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mixtura.families.factor.records import FactorParams, FactorStatistics, Group
from mixtura.records import AnyArray, Array

# Rows of a block.
_BLOCK = 256
_held = threading.local()


@dataclass
class Sums:
    """The sums of one group's members (m of them) about the group's centre, as they grow."""

    products: Array
    factors: Array
    inner: Array
    square: Array


class FactorLook:
    """The rows X under the components `params`; `scores` are the projections for each group."""

    def __init__(self, X: AnyArray, params: FactorParams) -> None:
        self.X, self.params = X, params
        self.log_density = np.empty((len(X), len(params.means)))
        self.scores = [
            np.empty((len(X), len(group.members), params.loadings.shape[2]))
            for group in params.groups
        ]
        isotropic = params.noise.shape[1] == 1
        for group, scores in zip(params.groups, self.scores, strict=True):
            for where, rows, squares in _blocks(X, group, isotropic):
                distances = _distances(rows, squares, group, scores[where])
                if group.strong:
                    distances = _lengths(rows, group, scores[where])
                log_density = params.log_norm[group.members] - 0.5 * distances
                self.log_density[where, group.members] = log_density

    def statistics(self, resp: Array) -> FactorStatistics:
        """The sums at these responsibilities (n, K), which include the row weights."""
        params = self.params
        K, d = params.means.shape
        q, columns = params.loadings.shape[2], params.noise.shape[1]
        counts = resp.sum(axis=0)
        out = FactorStatistics(
            counts,
            np.empty((K, d)),
            np.empty((K, q)),
            np.empty((K, q, d)),
            np.empty((K, q, q)),
            np.empty((K, columns)),
        )
        for group, scores in zip(params.groups, self.scores, strict=True):
            m = len(group.members)
            sums = Sums(
                np.zeros((m * (q + 1), d)),
                np.zeros((m, q)),
                np.zeros((m, q, q)),
                np.zeros((m, columns)),
            )
            r = resp[:, group.members]
            for where, rows, squares in _blocks(self.X, group, columns == 1):
                _add(sums, rows, squares, scores[where], r[where])
            _place(sums, group, out)
        return out


def _blocks(X: AnyArray, group: Group, isotropic: bool) -> Iterator[tuple[slice, Array, Array]]:
    """(where, rows about the group's centre, their squares) block by block.

    The squares of isotropic noise are summed over columns, (n, 1). Both are overwritten by the
    next block.
    """
    d = X.shape[1]
    buffers: Array | None = getattr(_held, "buffers", None)
    if buffers is None or buffers.shape[2] != d:
        # New memory for every block would cost more than its arithmetic.
        buffers = _held.buffers = np.empty((2, _BLOCK, d))
    for first in range(0, len(X), _BLOCK):
        where = slice(first, min(first + _BLOCK, len(X)))
        rows, squares = buffers[:, : where.stop - first]
        np.subtract(X[where], group.centre, out=rows)
        if isotropic:
            yield where, rows, np.einsum("ij,ij->i", rows, rows)[:, None]
        else:
            yield where, rows, np.multiply(rows, rows, out=squares)


def _distances(rows: Array, squares: Array, group: Group, scores: Array) -> Array:
    """Squared distances (n, m) of a block from a group's members; `scores` is filled."""
    n, m, q = scores.shape
    if squares.shape[1] == 1:
        distances = squares * group.precisions[:, 0]
    else:
        distances = squares @ group.precisions.T
    products = rows @ group.projections
    distances = distances - 2.0 * products[:, m * q :] + group.lengths
    np.subtract(products[:, : m * q], group.offsets, out=scores.reshape(n, m * q))
    distances -= np.einsum("nmq,nmq->nm", scores, scores)
    return distances


def _lengths(rows: Array, group: Group, scores: Array) -> Array:
    """The same distances (n, m) without a difference of large numbers."""
    distances = np.empty(scores.shape[:2])
    for k in range(scores.shape[1]):
        factors = scores[:, k] @ group.inverses[k]
        left = rows - group.shifts[k] - factors @ group.loadings[k].T
        noise = group.precisions[min(k, len(group.precisions) - 1)]
        distances[:, k] = (left**2 * noise).sum(axis=1) + (factors**2).sum(axis=1)
    return distances


def _add(sums: Sums, rows: Array, squares: Array, scores: Array, r: Array) -> None:
    """Add a block to the sums about the centre."""
    n, m, q = scores.shape
    both = np.empty((n, m * (q + 1)))
    weighed = both[:, : m * q].reshape(n, m, q)
    np.multiply(r[:, :, None], scores, out=weighed)
    both[:, m * q :] = r
    sums.products += both.T @ rows
    sums.factors += weighed.sum(axis=0)
    sums.square += r.T @ squares
    for k in range(m):
        sums.inner[k] += weighed[:, k].T @ scores[:, k]


def _place(sums: Sums, group: Group, out: FactorStatistics) -> None:
    """Put a group's sums in their places, about the members' own means."""
    members, shifts = group.members, group.shifts
    m, q = sums.factors.shape
    of_rows, total = sums.products[m * q :], out.counts[members][:, None]
    of_scores = sums.products[: m * q].reshape(m, q, -1)
    out.first[members] = of_rows - total * shifts
    out.factors[members] = sums.factors
    out.cross[members] = of_scores - sums.factors[:, :, None] * shifts[:, None, :]
    out.inner[members] = sums.inner
    moved = shifts * (2.0 * of_rows - total * shifts)
    if sums.square.shape[1] == 1:
        moved = moved.sum(axis=1, keepdims=True)
    out.square[members] = sums.square - moved

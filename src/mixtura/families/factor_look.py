"""A look at some rows by factor analysers: their densities, then, given responsibilities, sums.

By Woodbury's identity the squared distance of a row is a weighted sum of squares less the squared
length of its projection onto q directions. Rows are centred once for all components that lie close
enough together (`factor_records.Group`), so everything is a product of the rows, or of their
squares, with a thin matrix: about 4 n K d (q + 2) operations of a pass, nearly all of them BLAS's,
and no array larger than the rows or than K d q.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.families.factor_records import FactorParams, FactorStatistics, Group
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class Seen:
    """What one group makes of the rows.

    rows     (n, d) centred
    squares  (n, d) of them, or (n, 1) their sums where the noise is isotropic
    scores   (n, m, q) projections y about each member's own mean
    """

    group: Group
    rows: Array
    squares: Array
    scores: Array


class FactorLook:
    """The rows X under the components `params`."""

    def __init__(self, X: AnyArray, params: FactorParams) -> None:
        self.params = params
        self.seen: list[Seen] = []
        self.log_density = np.empty((len(X), len(params.means)))
        for group in params.groups:
            seen, distances = _seen(X, group, params)
            self.seen.append(seen)
            self.log_density[:, group.members] = params.log_norm[group.members] - 0.5 * distances

    def statistics(self, resp: Array) -> FactorStatistics:
        """The sums at these responsibilities (n, K), which include the row weights."""
        params = self.params
        K, d = params.means.shape
        q = params.loadings.shape[2]
        columns = params.noise.shape[1]
        first, cross = np.empty((K, d)), np.empty((K, d, q))
        factors, inner, square = np.empty((K, q)), np.empty((K, q, q)), np.empty((K, columns))
        counts = resp.sum(axis=0)
        for seen in self.seen:
            _gather(seen, resp, counts, (first, factors, cross, inner, square))
        for k, gram in enumerate(params.gram):
            # From projections to factor scores.
            factors[k] = solve_triangular(gram, factors[k], lower=True, trans="T")
            cross[k] = solve_triangular(gram, cross[k].T, lower=True, trans="T").T
            half = solve_triangular(gram, inner[k], lower=True, trans="T")
            inner[k] = solve_triangular(gram, half.T, lower=True, trans="T")
        return FactorStatistics(counts, first, factors, cross, inner, square)


def _seen(X: AnyArray, group: Group, params: FactorParams) -> tuple[Seen, Array]:
    """(what a group makes of the rows, their squared distances (n, m))."""
    m, q = len(group.members), params.loadings.shape[2]
    rows = X - group.centre
    squares = rows * rows
    if params.noise.shape[1] == 1:
        squares = squares.sum(axis=1, keepdims=True)
        distances = squares * group.precisions[:, 0]
    else:
        distances = squares @ group.precisions.T
    products = rows @ group.projections
    distances = distances - 2.0 * products[:, m * q :] + group.lengths
    scores = (products[:, : m * q] - group.offsets).reshape(len(rows), m, q)
    distances -= np.einsum("nmq,nmq->nm", scores, scores)
    return Seen(group, rows, squares, scores), distances


def _gather(seen: Seen, resp: Array, counts: Array, out: tuple[Array, ...]) -> None:
    """Put the sums of one group's members in their places, about the members' own means.

    `cross` and `inner` are those of the projections.
    """
    first, factors, cross, inner, square = out
    group, members = seen.group, seen.group.members
    n, m, q = seen.scores.shape
    r = resp[:, members]
    weighed = r[:, :, None] * seen.scores
    both = np.concatenate([weighed.reshape(n, m * q), r], axis=1)
    products = both.T @ seen.rows
    sums = weighed.sum(axis=0)
    of_rows, shifts, total = products[m * q :], group.shifts, counts[members][:, None]
    first[members] = of_rows - total * shifts
    factors[members] = sums
    of_scores = products[: m * q].reshape(m, q, -1)
    cross[members] = np.swapaxes(of_scores, 1, 2) - shifts[:, :, None] * sums[:, None, :]
    moved = shifts * (2.0 * of_rows - total * shifts)
    if square.shape[1] == 1:
        moved = moved.sum(axis=1, keepdims=True)
    square[members] = r.T @ seen.squares - moved
    for k in range(m):
        inner[members[k]] = weighed[:, k].T @ seen.scores[:, k]

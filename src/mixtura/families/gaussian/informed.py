"""The information about a Gaussian chart's numbers: the complete data's, and what labels take.

The complete data's is minus the second derivative of their expected log-likelihood at fixed sums
(Oakes 1999, J. Royal Statistical Society B 61): exact also where EM does not stand still. With f
and M the sums r y and r y y' of a component and n its rows, at m = m0 + L0 u and L = L0 C that is
-n log det C - tr(C^-1 M C'^-1) / 2 + u' (C C')^-1 f - n u' (C C')^-1 u / 2. With numbers E, lower
triangular, of which those on the diagonal D are logarithms, C = I + E + D^2 / 2 to second order,
where minus that is n u'u / 2 + u' (E + E') f + tr(E^2 M) - tr(D^2 M) / 2 + tr(E M E') / 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.records import AnyArray, Array


def complete(chart: Any, stats: GaussianStatistics, prior: CovariancePrior) -> Array:
    """What rows of known label would tell in all, and the prior does, (size, size)."""
    (K, d), cut, scales = chart.centre.means.shape, chart.centre.means.size, _scales(chart)
    _, second = prior.with_rows(chart.centre.whiten, stats.counts, stats.second, d)
    across, roots = _derivatives(chart.form.correlates, stats.first, second)
    p, size = roots.shape[-1], len(scales)
    found = np.zeros((size, size))
    found.ravel()[: cut * size : size + 1] = stats.counts.repeat(d)
    means = np.arange(cut).reshape(K, d, 1)
    # All components have the roots' numbers of one, or each has its own.
    places = np.arange(cut, size).reshape(-1, 1, p)
    found[means, places], found[places, means] = across, across
    found[np.swapaxes(places, 1, 2), places] = roots
    found /= scales
    found /= scales[:, None]
    return _tied(chart, found)


def _derivatives(correlates: bool, first: Array, second: Array) -> tuple[Array, Array]:
    """(means by roots (K, d, p), roots by roots (K or 1, p, p)) of p numbers of a root."""
    K, d = first.shape
    if not correlates:
        logs = second.reshape(K, -1)
        across = 2.0 * first[:, :, None]
        if logs.shape[1] == d:
            return across * np.eye(d), 2.0 * logs[:, :, None] * np.eye(d)
        return across, 2.0 * logs[:, :, None]
    M, t = second.reshape(-1, d, d), _triangle(d)
    across = t.in_row * first[:, None, t.column] + t.in_column * first[:, None, t.row]
    turned = t.follows * M[:, t.column, t.row[:, None]]
    roots = turned + np.swapaxes(turned, 1, 2) + t.beside * M[:, t.column[:, None], t.column]
    return across, roots - t.logarithms * M[:, t.row[:, None], t.row]


class _Triangle(NamedTuple):
    """The numbers (p,) of a lower triangle, row by row: where each lies; for each pair whether the
    first one's column is the other's row, both are of one row, and both are one logarithm; and for
    each mean (d,) whether it is that of their row or column."""

    row: AnyArray
    column: AnyArray
    follows: Array
    beside: Array
    logarithms: Array
    in_row: Array
    in_column: Array


@lru_cache
def _triangle(d: int) -> _Triangle:
    row, column = np.tril_indices(d)
    each = np.arange(d)[:, None]
    told = (
        column[:, None] == row,
        row[:, None] == row,
        np.diag(row == column),
        each == row,
        each == column,
    )
    return _Triangle(row, column, *(one.astype(np.float64) for one in told))


def lost(chart: Any, told: Array) -> tuple[Array, Array, Array]:
    """What labels take of (the counts (K, K), counts and numbers (K, size), the numbers).

    `told` is a sweep's, (K, q, K, q): of each component its label, residual and root's slopes.
    """
    K, q = told.shape[:2]
    d = chart.centre.means.shape[1]
    found, cut = np.empty((K * q, K * q)), K * (d + 1)
    for rows in (slice(0, 1), slice(1, d + 1), slice(d + 1, q)):
        for columns in (slice(0, 1), slice(1, d + 1), slice(d + 1, q)):
            tile = told[:, rows, :, columns]
            place = found[K * rows.start : K * rows.stop, K * columns.start : K * columns.stop]
            place.reshape(tile.shape)[...] = tile
    if chart.form.shared:
        found = _added(_added(found, cut, K).T, cut, K).T
    scales = np.concatenate([np.ones(K), _scales(chart)])
    found /= scales
    found /= scales[:, None]
    counts, across, own = found[:K, :K], found[:K, K:], found[K:, K:]
    if chart.basis is not None:
        means = K * d
        roots = across[:, means:] @ chart.basis
        across = np.concatenate([across[:, :means], roots], axis=1)
    return counts, across, _tied(chart, own)


def _added(found: Array, cut: int, K: int) -> Array:
    """With the columns from `cut` on, those of K components, added."""
    roots = found[:, cut:].reshape(len(found), K, -1).sum(axis=1)
    return np.concatenate([found[:, :cut], roots], axis=1)


def _scales(chart: Any) -> Array:
    """What each number is multiplied by, those of roots before they are tied."""
    means = np.broadcast_to(chart.mean_scale, chart.centre.means.shape)
    return np.concatenate([means.ravel(), chart.root_scale.ravel()])


def _tied(chart: Any, found: Array) -> Array:
    """A matrix of numbers, those of roots where a structure ties them."""
    if chart.basis is None:
        return found
    cut, basis = chart.centre.means.size, chart.basis
    across = found[:cut, cut:] @ basis
    own = basis.T @ (found[cut:, cut:] @ basis)
    return np.block([[found[:cut, :cut], across], [across.T, own]])

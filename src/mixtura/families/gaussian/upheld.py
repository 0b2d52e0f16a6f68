"""Which components are as wide as they are only by what was added to them, and ordinary widths."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import null_space

from mixtura.families.collapse import (
    MOST,
    ONE_ROW,
    ORDINARY_SHARE,
    PENALTY_SHARE,
    ROUNDED_SPREAD,
    SPURIOUS_SPREAD,
    THIN_SPREAD,
    few_rows,
    spikes,
)
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.records import AnyArray, Array, Spike

# How near eigenvalues lie to a bound at which they were cut off, relative.
AT = 1e-9


def upheld(prior: Any, params: GaussianParams, counts: Array) -> AnyArray:
    """By the penalty or a floor for more than half, or by a bound of eigenvalues; bool (K,)."""
    K = len(params.means)
    if prior.bounds is not None:
        values, _ = prior.bounds.spectrum(params.form, params.covariances)
        least = values.min()
        cut = values.max() >= prior.bounds.ratio.c * least * (1 - AT)
        return np.broadcast_to(cut & (values <= least * (1 + AT)).any(axis=1), K).copy()
    if np.any(prior.absolute):
        return np.asarray(prior.floor > MOST * varying(prior, params)[1])
    if prior.strength == 0:
        return np.zeros(K, dtype=bool)
    more = 2 * prior.strength
    rows = np.broadcast_to(counts.sum() if params.form.shared else counts, K)
    parts = params.form.whitened(params.whiten, prior.target)
    return mostly(parts, params.form, more / (rows + more))


def mostly(parts: Array, form: Form, times: Array) -> AnyArray:
    """Where so often a matrix, in components' whitened units, is most of some variance; (K,)."""
    K = len(times)
    values = np.linalg.eigvalsh(parts) if form.correlates else parts
    most = np.full(K, values.max()) if form.shared else values.reshape(K, -1).max(axis=1)
    return np.asarray(times * most > MOST)


def sobered(prior: Any, params: GaussianParams, counts: Array, narrow: list[int]) -> GaussianParams:
    """The components, those that are `narrow` as wide as the others are in the mean."""
    if prior.form.shared:
        return params
    if prior.grain is not None and len(prior.grain.columns) == params.means.shape[1]:
        # Rows that lie on whole numbers are as wide as those are written; a few are a spike.
        few = prior.holds_few(counts * prior.count_scale, params.means.shape[1])
        narrow = [k for k in narrow if few[k]]
        if not narrow:
            return params
    lenders = np.setdiff1d(np.flatnonzero(counts > 0), narrow)
    if len(lenders):
        cov = params.covariances.copy()
        cov[narrow] = np.average(cov[lenders], axis=0, weights=counts[lenders])
    else:
        cov = widened(prior, params, counts)
    return gaussian_params(params.means, cov, prior.form)


def widened(prior: Any, params: GaussianParams, counts: Array) -> Array:
    """The covariances, ordinarily wide wherever a component has no width of its own."""
    a, form = prior.strength, prior.form
    floor = 2 * a / (np.maximum(counts + 2 * a, 1e-300) * PENALTY_SHARE)
    least = np.maximum(floor, SPURIOUS_SPREAD)
    if not form.correlates:
        cov, scale = params.covariances, np.broadcast_to(prior.scale, params.covariances.shape)
        least = least.reshape((-1,) + (1,) * (cov.ndim - 1))
        return np.where(cov < least * scale, ORDINARY_SHARE * scale, cov)
    root = np.linalg.cholesky(prior.scale)
    values, vectors = np.linalg.eigh(form.whitened(np.linalg.inv(root), params.covariances))
    values = np.where(values < least[:, None], ORDINARY_SHARE, values)
    axes = root @ vectors
    return np.asarray((axes * values[:, None, :]) @ np.swapaxes(axes, 1, 2))


def at_the_floor(prior: Any, params: GaussianParams, counts: Array) -> list[Spike]:
    """The components whose smallest variance is what the prior adds to all."""
    low = (prior.floor > PENALTY_SHARE * smallest(params)) & (counts >= ONE_ROW)
    return spikes(low, counts, prior.spread(params))


def fallen(prior: Any, params: GaussianParams, counts: Array) -> AnyArray:
    """Which components have next to no width but the floor that was asked for, (K,)."""
    if not np.any(prior.absolute):
        return np.zeros(len(counts), dtype=bool)
    spread, least = varying(prior, params)
    # Of the smallest variance what is not the floor, as a share of the table's.
    own = spread * np.maximum(1.0 - prior.floor / least, 0.0)
    few = (counts < few_rows(prior.width(params))) & (not params.form.shared)
    none = (own < THIN_SPREAD) | few & (own < SPURIOUS_SPREAD)
    # A row by itself counts as one but for rounding; less than half of one is an empty component.
    return np.asarray(none & (prior.floor > PENALTY_SHARE * least) & (counts >= 0.5))


def varying(prior: Any, params: GaussianParams) -> tuple[Array, Array]:
    """(the smallest variance as a share of the table's (K,), the smallest one (K,)), both in the
    directions in which the table varies: elsewhere all components have the floor alone."""
    if not prior.equations:
        return prior.spread(params), smallest(params)
    form, (K, d) = params.form, params.means.shape
    if not form.correlates:
        some = np.setdiff1d(np.arange(d), [j for each in prior.equations for j in each.columns])
        variances = form.variances(params.covariances, K, d)[:, some]
        table = form.variances(form.repeat(prior.scale, 1), 1, d)[:, some]
        return np.min(variances / table, axis=1, initial=np.inf), np.min(
            variances, axis=1, initial=np.inf
        )
    equal = np.zeros((len(prior.equations), d))
    for row, each in zip(equal, prior.equations, strict=True):
        row[list(each.columns)] = each.weights
    free = null_space(equal)
    inner = free.T @ form.dense(params.covariances, K, d) @ free
    table = free.T @ form.dense(form.repeat(prior.scale, 1), 1, d)[0] @ free
    root = np.linalg.inv(np.linalg.cholesky(table))
    shares, variances = np.linalg.eigvalsh(root @ inner @ root.T), np.linalg.eigvalsh(inner)
    return shares.min(axis=1, initial=np.inf), variances.min(axis=1, initial=np.inf)


def constant_inside(
    prior: Any, params: GaussianParams, counts: Array
) -> dict[int, tuple[tuple[int, float], ...]]:
    """(column, value) of those that do not vary at all inside a component, by component."""
    a, rows, (K, d) = prior.strength, counts[:, None], params.means.shape
    if prior.common:
        a, rows = (a if prior.form.shared else K * a), counts.sum(keepdims=True)[None]

    def of_all(matrix: Array) -> Array:
        return np.asarray(prior.form.variances(prior.form.repeat(matrix, K), K, d))

    own = prior.form.variances(params.covariances, K, d) - of_all(prior.held + prior.absolute)
    own = own * (rows + 2 * a) - 2 * a * of_all(prior.target)
    found = own <= THIN_SPREAD * rows * of_all(prior.scale)
    found[:, [each.columns[0] for each in prior.equations if len(each.columns) == 1]] = False
    rest = np.maximum(own / np.maximum(rows, 1e-100), ROUNDED_SPREAD * of_all(prior.scale))
    means = np.where(params.means**2 <= rest, 0.0, params.means)  # But for rounding.
    return {
        k: tuple((int(j), float(means[k, j])) for j in np.flatnonzero(columns))
        for k, columns in enumerate(found)
    }


def smallest(params: GaussianParams) -> Array:
    """The smallest variance in any direction, (K,)."""
    form, shape = params.form, params.means.shape
    if form.correlates:
        values = np.linalg.eigvalsh(form.dense(params.covariances, *shape))
    else:
        values = form.variances(params.covariances, *shape)
    return np.asarray(values.min(axis=1))

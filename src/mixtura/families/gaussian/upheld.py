"""Which components are as wide as they are only by what was added to them, and ordinary widths."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.families.collapse import ORDINARY_SHARE, PENALTY_SHARE, SPURIOUS_SPREAD, spikes
from mixtura.families.gaussian.records import GaussianParams
from mixtura.records import AnyArray, Array, Spike

# A share of the smallest variance above which what was added is most of it.
MOST = 0.5
# How near eigenvalues lie to a bound at which they were cut off, relative.
AT = 1e-9


def upheld(prior: Any, params: GaussianParams, counts: Array) -> AnyArray:
    """By the penalty or a floor for more than half, or by a bound of eigenvalues; bool (K,)."""
    K, d = params.means.shape
    if prior.bounds is not None:
        values, _ = prior.bounds.spectrum(params.form, params.covariances)
        least = values.min()
        cut = values.max() >= prior.bounds.ratio.c * least * (1 - AT)
        return np.broadcast_to(cut & (values <= least * (1 + AT)).any(axis=1), K).copy()
    if np.any(prior.absolute):
        if params.form.correlates:
            values = np.linalg.eigvalsh(params.form.dense(params.covariances, K, d))
        else:
            values = params.form.variances(params.covariances, K, d)
        return np.asarray(prior.floor > MOST * values.min(axis=1))
    if prior.strength == 0 or prior.reference is None:
        return np.zeros(K, dtype=bool)
    more = 2 * prior.strength
    rows = counts.sum() if params.form.shared else counts
    share = more / np.maximum((rows + more) * prior.spread(params), 1e-300)
    return np.asarray(share > MOST)


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
    form, shape = prior.form, params.means.shape
    if form.correlates:
        smallest = np.linalg.eigvalsh(form.dense(params.covariances, *shape)).min(axis=1)
    else:
        smallest = form.variances(params.covariances, *shape).min(axis=1)
    return spikes((prior.floor > PENALTY_SHARE * smallest) & (counts >= 1), counts, smallest)

"""Bounds and ties of Gaussian components: an M-step within them.

Of a covariance the eigenvalues have bounds. Given the scatter S of a component's rows,
log det V + tr V^-1 S has its minimum among V with eigenvalues between two bounds at the axes of S,
each eigenvalue cut off at the bound (von Neumann's trace inequality: no other axes have a smaller
trace, and along them the sum of log v + s / v falls up to s and rises from there). A mean has a box
where columns do not correlate: there each cell has one peak whatever the variances are.
"""

from __future__ import annotations

import numpy as np

from mixtura.families.gaussian.forms import Form
from mixtura.families.limits import Limits
from mixtura.records import Array


def refuse_limits(form: Form, alone: bool, limits: Limits) -> None:
    """ValueError for what no exact step keeps; `alone`: each covariance is estimated alone."""
    if "covariances" in {**limits.low, **limits.tied} and (form.shared or not alone):
        raise ValueError(
            "fixed: bounds and ties of covariances are kept where each is estimated alone: with "
            "covariance_type 'full', 'diag' or 'spherical' and no constraint"
        )
    if "means" in limits.low and form.correlates:
        raise ValueError(
            "fixed: bounds of means are kept where columns do not correlate, with covariance_type "
            "'diag' or 'spherical': a box about a mean of others is no single step"
        )
    if "means" in limits.tied:
        raise ValueError(
            "fixed: means tied within groups of components are not known to covariance types: use "
            "{'means': 'common'}, or family='normal'"
        )


def refuse_outside(limits: Limits, means: Array | None) -> None:
    """ValueError for a known mean that is not within its bounds."""
    if means is None or "means" not in limits.low:
        return
    low, high = limits.low["means"], limits.high["means"]
    for k, j in np.argwhere((means < low) | (means > high)):
        raise ValueError(
            f"fixed: the mean of component {k} is known to be {means[k, j]:g} in column {j}, "
            f"outside its bounds {low[k, j]:g} and {high[k, j]:g}: widen these, or leave one out"
        )


def pooled(limits: Limits, scatter: Array, counts: Array) -> tuple[Array, Array]:
    """(scatter, rows) of each component, the mean of its group where covariances are tied: these
    have one root, so that their whitened units are the same."""
    # Means over the group, beside which a penalty for each component weighs what it should.
    size = limits.summed("covariances", np.ones(len(counts)))
    sums = limits.summed("covariances", scatter), limits.summed("covariances", counts)
    return np.asarray(sums[0] / _like(size, scatter)), np.asarray(sums[1] / size)


def cut_roots(limits: Limits, form: Form, roots: Array) -> Array:
    """The roots of covariances whose eigenvalues are cut off at their bounds."""
    if "covariances" not in limits.low:
        return roots
    low, high = (
        np.sqrt(np.maximum(each["covariances"], 0.0)) for each in (limits.low, limits.high)
    )
    if not form.correlates:
        return np.asarray(np.clip(roots, *(_like(each, roots) for each in (low, high))))
    values, vectors = np.linalg.eigh(roots @ np.swapaxes(roots, 1, 2))
    kept = np.clip(values, (low**2)[:, None], (high**2)[:, None])
    cut = (kept != values).any(axis=1)
    covariances = (vectors * kept[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return np.where(cut[:, None, None], np.linalg.cholesky(covariances), roots)


def _like(each: Array, roots: Array) -> Array:
    return each.reshape((-1,) + (1,) * (roots.ndim - 1))


def imposed_roots(limits: Limits, form: Form, covariances: Array) -> Array:
    """The roots of covariances within the limits: those that are tied at their mean."""
    size = limits.summed("covariances", np.ones(len(covariances)))
    mean = limits.summed("covariances", covariances) / _like(size, covariances)
    return cut_roots(limits, form, form.root_of(mean))

"""The information about a Gaussian chart's numbers: the complete data's, and what labels take.

The complete data's is the change of the gradient at fixed sums, which are told anew in the units
of each point (Oakes 1999, J. Royal Statistical Society B 61): exact also where EM does not stand
still. No component's numbers change another's slope, so one step moves a number of every one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.records import Array

# Steps of central differences, in a component's deviations.
STEP = 1e-5

Transported = Callable[[GaussianStatistics, GaussianParams, GaussianParams], GaussianStatistics]


def complete(
    chart: Any, stats: GaussianStatistics, prior: CovariancePrior, transported: Transported
) -> Array:
    """What rows of known label would tell in all, and the prior does, (size, size)."""
    whole, scales = replace(chart, basis=None), _scales(chart)
    (K, d), cut, size = chart.centre.means.shape, chart.centre.means.size, len(scales)

    def change(at: Array) -> Array:
        """That of the gradient with the numbers `at`, all moved by a step."""
        sides = []
        for step in (STEP, -STEP):
            free = np.zeros(size)
            free[at] = step * scales[at]
            there = whole.params(free)
            sides.append(whole.gradient(transported(stats, chart.centre, there), there, prior))
        return np.asarray((sides[1] - sides[0]) / (2 * STEP))

    means = np.arange(cut).reshape(K, d)
    roots = np.arange(cut, size).reshape(chart.root_scale.shape)
    own = means if chart.form.shared else np.concatenate([means, roots], axis=1)
    found = np.zeros((size, size))
    for at in own.T:
        found[own, at[:, None]] = change(at)[own] / scales[at, None]
    for at in roots.T if chart.form.shared else ():
        found[:, at] = change(at)[:, None] / scales[at]
        found[at] = found[:, at].T
    return _tied(chart, 0.5 * (found + found.T))


def lost(chart: Any, told: Array) -> tuple[Array, Array, Array]:
    """What labels take of (the counts (K, K), counts and numbers (K, size), the numbers).

    `told` is a sweep's, (K, q, K, q): of each component its label, residual and root's slopes.
    """
    K, q = told.shape[:2]
    d = chart.centre.means.shape[1]
    place = np.arange(K * q).reshape(K, q)
    order = np.concatenate([place[:, 0], place[:, 1 : d + 1].ravel(), place[:, d + 1 :].ravel()])
    found, cut = told.reshape(K * q, K * q)[np.ix_(order, order)], K * (d + 1)
    if chart.form.shared:
        found = _added(_added(found, cut, K).T, cut, K).T
    scales = np.concatenate([np.ones(K), _scales(chart)])
    found = found / scales / scales[:, None]
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

"""How far two mixtures are apart when their components are matched: numbers have no meaning."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.families.base import Family
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Params


def difference(params: MixtureParams, reference: MixtureParams, family: Family) -> float:
    """The largest difference between matched components, free of units.

    The largest of three: a mean's shift in standard deviations of the reference's component, the
    relative change of a variance in whatever direction it is largest, the change of a weight. Where
    the family tells no means, in place of the first two the largest change of a parameter, relative
    to those above 1. Components are matched so that the sum over components is least.
    """
    apart = distances(params, reference, family)
    return float(apart[linear_sum_assignment(apart)].max())


def distances(params: MixtureParams, reference: MixtureParams, family: Family) -> Array:
    """The same for every pair: component j of `params` and k of `reference`, (K, K)."""
    weights = np.abs(params.weights[:, None] - reference.weights)
    try:
        between = _by_moments(params.components, reference.components, family)
    except NotImplementedError:
        between = _by_parameters(params.components, reference.components)
    return np.maximum(weights, between)


def _by_moments(params: Params, reference: Params, family: Family) -> Array:
    means, centres = family.means(params), family.means(reference)
    K, d = centres.shape
    columns = np.arange(d)
    covariances = family.covariances(params, columns)
    roots = np.linalg.cholesky(family.covariances(reference, columns))
    apart = np.empty((K, K))
    for k, root in enumerate(roots):
        shift = np.linalg.solve(root, (means - centres[k]).T)
        half = np.linalg.solve(root, covariances)
        whitened = np.linalg.solve(root, np.swapaxes(half, 1, 2))
        change = np.linalg.norm(whitened - np.eye(d), ord=2, axis=(1, 2))
        apart[:, k] = np.maximum(np.linalg.norm(shift, axis=0), change)
    return apart


def _by_parameters(params: Params, reference: Params) -> Array:
    theirs = reference.arrays()
    changes = [
        np.abs(own[:, None] - theirs[name]) / np.maximum(np.abs(theirs[name]), 1.0)
        for name, own in params.arrays().items()
    ]
    return np.asarray(np.max([c.reshape(*c.shape[:2], -1).max(axis=2) for c in changes], axis=0))

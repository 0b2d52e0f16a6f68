"""How far two mixtures are apart when their components are matched: numbers have no meaning."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.families.gaussian.forms import Form
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


def difference(params: MixtureParams, reference: MixtureParams, form: Form) -> float:
    """The largest difference between matched components, free of units.

    The largest of three: a mean's shift in standard deviations of the reference's component, the
    relative change of a variance in whatever direction it is largest, the change of a weight.
    Components are matched so that the sum over components is least.
    """
    apart = distances(params, reference, form)
    return float(apart[linear_sum_assignment(apart)].max())


def distances(params: MixtureParams, reference: MixtureParams, form: Form) -> Array:
    """The same for every pair: component j of `params` and k of `reference`, (K, K)."""
    K, d = reference.components.means.shape
    covariances = form.dense(params.components.covariances, K, d)
    roots = np.linalg.cholesky(form.dense(reference.components.covariances, K, d))
    apart = np.abs(params.weights[:, None] - reference.weights)
    for k, root in enumerate(roots):
        shift = np.linalg.solve(root, (params.components.means - reference.components.means[k]).T)
        half = np.linalg.solve(root, covariances)
        whitened = np.linalg.solve(root, np.swapaxes(half, 1, 2))
        change = np.linalg.norm(whitened - np.eye(d), ord=2, axis=(1, 2))
        apart[:, k] = np.max([apart[:, k], np.linalg.norm(shift, axis=0), change], axis=0)
    return apart

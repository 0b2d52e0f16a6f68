"""The Gaussian family's records: parameters with their factors, statistics about current means."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mixtura.families.gaussian.forms import Form
from mixtura.records import AnyArray, Array, Params, Statistics

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class GaussianStatistics(Statistics):
    """Sums about the current means, in whitened units y = L_k^-1 (x - m_k).

    counts (K,)    sum_i r_ik
    first  (K, d)  sum_i r_ik y_ik
    second         sum_i r_ik y_ik y_ik' in the form's shape
    """

    counts: Array
    first: Array
    second: Array


@dataclass(frozen=True)
class GaussianParams(Params):
    """means (K, d) and covariances in the form's shape; positive definite by construction.

    root is the lower Cholesky factor (or standard deviation), whiten its inverse, log_norm (K,)
    the logarithm of each density at its mean. They are derived: build with `gaussian_params`.
    Covariances that were not given are worked out whenever they are asked for: few steps need them,
    and those of many starts would fill the memory.
    """

    means: Array
    root: Array = field(repr=False)
    whiten: Array = field(repr=False)
    log_norm: Array = field(repr=False)
    form: Form = field(repr=False)
    given: Array | None = field(default=None, repr=False)

    @property
    def covariances(self) -> Array:
        """In the form's shape."""
        return self.form.square(self.root) if self.given is None else self.given

    def arrays(self) -> dict[str, Array]:
        return {"means": self.means, "covariances": self.covariances}


def gaussian_sums(X: AnyArray, weights: Array, params: GaussianParams) -> GaussianStatistics:
    """The sums of rows (n, d) with weights (n, K)."""
    first, seconds = gaussian_moments(X, weights, params)
    return GaussianStatistics(weights.sum(axis=0), first, params.form.gather(seconds))


def gaussian_moments(
    X: AnyArray, weights: Array, params: GaussianParams
) -> tuple[Array, list[Array]]:
    """First moments (K, d) of rows with weights (n, K), and each component's second ones."""
    form, first, seconds = params.form, np.empty_like(params.means), []
    for k in range(len(params.means)):
        y = form.residuals(X, params.means, params.whiten, k)
        first[k] = weights[:, k] @ y
        seconds.append(form.second(y, weights[:, k]))
    return first, seconds


def gaussian_params(means: Array, covariances: Array, form: Form) -> GaussianParams:
    """Factorise once; raises IllDefined naming a component without a positive definite matrix."""
    root, whiten = form.factorise(covariances)
    return _assembled(means, root, whiten, form, covariances)


def gaussian_params_from_root(means: Array, root: Array, form: Form) -> GaussianParams:
    """The same from the lower Cholesky factors (or standard deviations)."""
    return _assembled(means, root, form.invert_root(root), form)


def gaussian_params_from_whiten(means: Array, whiten: Array, form: Form) -> GaussianParams:
    """The same from the inverse roots, as scikit-learn's `precisions_cholesky_` stores them."""
    return _assembled(means, form.invert_root(whiten), whiten, form)


def _assembled(
    means: Array, root: Array, whiten: Array, form: Form, covariances: Array | None = None
) -> GaussianParams:
    K, d = means.shape
    log_norm = form.half_log_det(whiten, d) - 0.5 * form.columns(d) * LOG_2PI
    if len(log_norm) != K:
        log_norm = np.full(K, log_norm[0])
    return GaussianParams(means, root, whiten, log_norm, form, covariances)

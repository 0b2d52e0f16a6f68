"""The mixtures a caller gives: `weights_init`, `means_init`, `precisions_init`, with its checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from mixtura.data.door import as_numbers
from mixtura.families.gaussian.covariance import Structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.supports import Real, Simplex

# What components share may differ by this much, relative: given numbers are often rounded.
SHARED = 1e-4


def check_shape(value: Array, shape: tuple[int, ...], name: str) -> None:
    """ValueError, in scikit-learn's words, unless `value` has that shape."""
    if value.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {value.shape}"
        )


def check_weights(weights: Any, K: int) -> Array:
    """Mixture weights as an array (K,) on the simplex."""
    value = _as_array(weights, "weights")
    check_shape(value, (K,), "weights")
    Simplex().check(value, "weights")
    return value


def check_means(means: Any, K: int, d: int) -> Array:
    """Means as an array (K, d)."""
    value = _as_array(means, "means")
    check_shape(value, (K, d), "means")
    Real().check(value, "means")
    return value


def check_matrices(value: Any, form: Form, K: int, d: int, what: str) -> Array:
    """Covariances or precisions in the form's shape, positive definite."""
    array = _as_array(value, what)
    check_shape(array, form.shape(K, d), f"{form.name} {what}")
    form.support.check(array, f"{form.name} {what}")
    return array


def check_structure(cov: Array, shape: Structure, means: Array, name: str) -> None:
    """ValueError where covariances do not share what the structure says they share."""
    if shape.factors is not None:
        raise ValueError(
            f"{name}: covariances of covariance_type={shape.name!r} are found by a fit and cannot "
            "be given: leave them out, or use 'full'"
        )
    found = gaussian_params(means, cov, shape.form)
    size = np.abs(cov).reshape(len(cov), -1).max(axis=1).reshape((-1,) + (1,) * (cov.ndim - 1))
    if np.any(np.abs(shape.imposed(found) - cov) > SHARED * size):
        raise ValueError(
            f"{name} are not of covariance_type={shape.name!r}: its components share what these do "
            "not. Give those of a fit of that type, or use a type that shares less"
        )


def given(
    weights: Any, means: Any, covariances: Any, precisions: Any, shape: Structure
) -> MixtureParams:
    """The mixture of these parameters, with exactly one of covariances and precisions."""
    means = np.atleast_2d(as_numbers(means, "means"))
    K, d = means.shape[0], means.shape[-1]
    means = check_means(means, K, d).astype(np.float64)
    weights = check_weights(weights, K).astype(np.float64)
    if (covariances is None) == (precisions is None):
        raise ValueError("from_parameters: give exactly one of covariances and precisions")
    if covariances is None:
        cov = invert(check_matrices(precisions, shape.form, K, d, "precision"), shape.form)
    else:
        cov = check_matrices(covariances, shape.form, K, d, "covariance").astype(np.float64)
    check_structure(cov, shape, means, "covariances")
    return MixtureParams(weights, gaussian_params(means, cov, shape.form))


def invert(matrices: Array, form: Form) -> Array:
    """Covariances from precisions or back, in the form's shape."""
    matrices = np.asarray(matrices, dtype=np.float64)
    return np.asarray(np.linalg.inv(matrices) if form.correlates else 1.0 / matrices)


def precision_cholesky(whiten: Array, form: Form) -> Array:
    """scikit-learn's upper factor U with precision = U U'."""
    return np.swapaxes(whiten, -1, -2).copy() if form.correlates else whiten


def precisions(factor: Array, form: Form) -> Array:
    """U U' from `precision_cholesky`."""
    return factor @ np.swapaxes(factor, -1, -2) if form.correlates else factor**2


def _as_array(value: Any, name: str) -> Array:
    if getattr(value, "dtype", None) != np.float32:
        value = np.atleast_1d(as_numbers(value, name))
    return np.asarray(
        check_array(value, dtype=[np.float64, np.float32], ensure_2d=False, allow_nd=True)
    )


def hold(estimator: Any, params: MixtureParams, form: Form, dtype: np.dtype[Any]) -> None:
    """Set the attributes that scikit-learn's mixtures have."""
    parts = params.components
    estimator.weights_ = params.weights.astype(dtype)
    estimator.means_ = parts.means.astype(dtype)
    estimator.covariances_ = parts.covariances.astype(dtype)
    factor = precision_cholesky(parts.whiten, form)
    estimator.precisions_cholesky_ = factor.astype(dtype)
    estimator.precisions_ = precisions(factor, form).astype(dtype)

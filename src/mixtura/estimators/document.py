"""A fitted estimator as plain data, and back: what `save` writes and `load` reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.estimators import factored, initial
from mixtura.estimators.solver_document import restored_solver, solver_document
from mixtura.families.covariance import structure
from mixtura.families.factor.structure import FactorAnalytic, parsed
from mixtura.families.forms import Form
from mixtura.fit.result import Fit
from mixtura.records import AnyArray, Array
from mixtura.store import StoreError

# Fitted attributes, beside `fit_result_`, that make an estimator usable.
ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
SCALARS = ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_")
# How far, relative to the spreads, redundant arrays may be apart beyond their rounding.
AGREEMENT = {"float64": 1e-6, "float32": 1e-3}


def to_document(estimator: Any) -> dict[str, Any]:
    """Constructor parameters, fitted attributes and the Fit, as plain data and arrays.

    A `random_state` that is a generator rather than a number is not kept, nor is a solver of the
    user's own.
    """
    settings: dict[str, Any] = {
        name: np.asarray(value) if isinstance(value, (list, tuple)) else value
        for name, value in estimator.get_params(deep=False).items()
    }
    settings["solver"] = solver_document(settings["solver"], to_document)
    if not isinstance(settings["random_state"], (int, np.integer)):
        settings["random_state"] = None
    names = getattr(estimator, "feature_names_in_", None)
    fit = estimator.fit_result_
    held = _arrays_of(estimator.covariance_type)
    return {
        "kind": type(estimator).__name__,
        "settings": {name: _plain(value) for name, value in settings.items()},
        "arrays": {name: getattr(estimator, name) for name in held},
        "scalars": {name: _plain(getattr(estimator, name)) for name in SCALARS},
        "feature_names": None if names is None else [str(name) for name in names],
        "fit": None if fit is None else fit.to_dict(),
    }


def restore(document: dict[str, Any], kind: type[Any]) -> Any:
    """The estimator of class `kind` that `to_document` described."""
    _refuse_missing(document)
    try:
        solver = restored_solver(document["settings"]["solver"], lambda inner: restore(inner, kind))
        estimator = kind(**{**document["settings"], "solver": solver})
        for name in _arrays_of(estimator.covariance_type):
            setattr(estimator, name, document["arrays"][name])
        for name in SCALARS:
            setattr(estimator, name, document["scalars"][name])
        if document["feature_names"] is not None:
            estimator.feature_names_in_ = np.array(document["feature_names"], dtype=object)
        fit = document["fit"]
        estimator.fit_result_ = None if fit is None else Fit.from_dict(fit)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"the model file lacks or garbles a part ({type(error).__name__}: {error}): "
            "save the model again"
        ) from error
    try:
        _check(estimator)
    except ValueError as error:
        raise StoreError(f"the model file is damaged: {error}") from None
    return estimator


def _refuse_missing(document: dict[str, Any]) -> None:
    """StoreError that names the first part that is not there, or is not of its kind."""
    for part in ("settings", "arrays", "scalars", "feature_names", "fit"):
        if part not in document:
            raise StoreError(f"the model file is damaged: its part {part!r} is missing")
    for part in ("settings", "arrays", "scalars"):
        if not isinstance(document[part], dict):
            raise StoreError(f"the model file is damaged: its part {part!r} is not an object")
    held = _arrays_of(document["settings"].get("covariance_type"))
    for part, names in (("arrays", held), ("scalars", SCALARS)):
        for name in names:
            if name not in document[part]:
                raise StoreError(f"the model file is damaged: {part} has no {name!r}")
    for name in held:
        value = document["arrays"][name]
        if not isinstance(value, np.ndarray) or value.dtype.name not in AGREEMENT:
            raise StoreError(f"the model file is damaged: {name} is not an array of floats")


def _arrays_of(covariance_type: Any) -> tuple[str, ...]:
    """The fitted arrays of a covariance type; those of most for one that is unknown."""
    factors = isinstance(covariance_type, FactorAnalytic) or parsed(str(covariance_type))
    return ("weights_", "means_", *factored.HELD) if factors else ARRAYS


def _check(estimator: Any) -> None:
    """ValueError, saying which part, unless the restored parts belong together.

    What is stored is only looked at: loading must not change a bit of it.
    """
    K, d = estimator.n_components, estimator.n_features_in_
    for name, size in (("n_components", K), ("n_features_in_", d)):
        if type(size) is not int or size < 1:
            raise ValueError(f"{name} is {size!r}, not a number from 1")
    form = structure(estimator.covariance_type).form
    initial.check_weights(estimator.weights_, K)
    initial.check_means(estimator.means_, K, d)
    kind = factored.factors_of(estimator)
    if kind is None:
        _check_matrices(estimator, form, K, d)
    else:
        factored.check(estimator, kind, K, d)
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and (len(names) != d or not all(isinstance(n, str) for n in names)):
        raise ValueError(f"feature_names has {len(names)} entries, not {d} names")
    if estimator.fit_result_ is not None:
        _check_fit(estimator.fit_result_, K, d)


def _check_fit(fit: Fit, K: int, d: int) -> None:
    """ValueError unless a report can be made of the fit."""
    for name in ("loglik", "weight", "gradient_norm", "gap"):
        if not isinstance(getattr(fit, name), (int, float)):
            raise ValueError(f"fit: {name} is {getattr(fit, name)!r}, not a number")
    if not fit.weight > 0:
        raise ValueError(f"fit: weight is {fit.weight!r}, not above 0")
    for each in fit.equations:
        numbers = (*each.weights, each.value)
        if len(each.weights) != len(each.columns) or not np.isfinite(numbers).all():
            raise ValueError("fit: equations are not of as many finite weights as columns")
    floored = [part.component for part in fit.floored]
    tied = [column for each in fit.equations for column in each.columns]
    told = [j for part in fit.floored for j in (*part.columns, *(j for j, _ in part.constant))]
    for name, found, size in (
        ("held", fit.held, d),
        ("columns of equations", tied, d),
        ("columns of floored", told, d),
        ("empty", fit.empty, K),
        ("floored", floored, K),
    ):
        if not all(type(index) is int and 0 <= index < size for index in found):
            raise ValueError(f"fit: {name} is {list(found)}, not indices below {size}")


def _check_matrices(estimator: Any, form: Form, K: int, d: int) -> None:
    """ValueError unless covariances, precisions and factor are those of the same Gaussians."""
    stored = estimator.covariances_, estimator.precisions_, estimator.precisions_cholesky_
    what = ("covariances_", "precisions_", "precisions_cholesky_")
    for name, array in zip(what, stored, strict=True):
        if array.shape != form.shape(K, d):
            raise ValueError(
                f"{name} has the shape {array.shape}, not {form.shape(K, d)}, that of "
                f"covariance_type {form.name!r} with {K} components in {d} columns"
            )
    covariances, factor = (np.asarray(array, dtype=np.float64) for array in stored[::2])
    if np.isnan(covariances).any():
        raise ValueError("covariances_ has NaN")
    _check_factor(factor, form)
    whiten = initial.precision_cholesky(factor, form)
    root = form.invert_root(whiten)
    # How the rounding of the factor's entries grows on the way back to the covariances.
    eps = float(np.finfo(estimator.precisions_cholesky_.dtype).eps)
    if form.correlates:
        grown = np.abs(root) @ np.abs(whiten) @ np.abs(root) @ np.swapaxes(np.abs(root), -1, -2)
        slack = 4 * eps * (grown + np.swapaxes(grown, -1, -2))
    else:
        slack = 4 * eps * root**2
    if not _agree(estimator.covariances_, form.square(root), slack, form):
        # A matrix that agrees with a factor is positive definite; this is for the better message.
        initial.check_matrices(_unit_free(covariances, form), form, K, d, "covariance")
        raise ValueError(
            "precisions_cholesky_ is not the factor of the inverse of covariances_: save the "
            "model again, or use from_parameters"
        )
    if not _agree(estimator.precisions_, initial.precisions(factor, form), np.zeros(1), form):
        raise ValueError("precisions_ is not the product of precisions_cholesky_ with itself")


def _check_factor(factor: Array, form: Form) -> None:
    pivots = np.diagonal(factor, axis1=-2, axis2=-1) if form.correlates else factor
    upper = not form.correlates or not np.tril(factor, -1).any()
    if not (np.isfinite(factor).all() and upper and (pivots > 0).all()):
        shape = "upper triangles with a positive diagonal" if form.correlates else "positive"
        raise ValueError(f"precisions_cholesky_ is not finite and {shape}")


def _agree(stored: AnyArray, expected: Array, slack: Array, form: Form) -> bool:
    """Whether `stored` is `expected`, to its own precision and range."""
    limits = np.finfo(stored.dtype)
    scale = _scale(expected, form)
    with np.errstate(over="ignore", under="ignore"):
        rounded = expected.astype(stored.dtype).astype(np.float64)
    bound = AGREEMENT[stored.dtype.name] * scale + slack + float(limits.tiny)
    values = stored.astype(np.float64)
    with np.errstate(invalid="ignore"):
        # Beyond the range of float32 both are infinite.
        return bool(np.all((values == rounded) | (np.abs(values - rounded) <= bound)))


def _scale(matrices: Array, form: Form) -> Array:
    """The product of the two columns' standard deviations, for every entry."""
    if not form.correlates:
        return np.abs(matrices)
    sds = np.sqrt(np.abs(np.diagonal(matrices, axis1=-2, axis2=-1)))
    return np.asarray(sds[..., :, None] * sds[..., None, :])


def _unit_free(covariances: Array, form: Form) -> Array:
    """Correlations, whose eigenvalues do not drown in the columns' units."""
    scale = _scale(covariances, form) if form.correlates else np.ones(1)
    return covariances / np.where(scale > 0, scale, 1.0)


def _plain(value: Any) -> Any:
    if isinstance(value, FactorAnalytic):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value

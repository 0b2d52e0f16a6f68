"""A fitted estimator as plain data, and back: what `save` writes and `load` reads."""

from __future__ import annotations

import reprlib
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from mixtura.estimators import factored, initial
from mixtura.estimators.family_document import family_document
from mixtura.estimators.fixed import plain_fixed, restored_fixed
from mixtura.estimators.known import restore_names, stored_names
from mixtura.estimators.noisy import n_weights, restore_noise, stored_noise
from mixtura.estimators.prior_setting import restored_prior, stored_prior
from mixtura.estimators.robust import restored_constraint, stored_limits
from mixtura.estimators.solver_document import restored_solver, solver_document
from mixtura.families.base import Family
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import Structure, structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.ratio import EigenvalueRatio
from mixtura.models.noise import Uniform
from mixtura.ranges import Count, Size
from mixtura.records import AnyArray, Array
from mixtura.result import Fit
from mixtura.schema import Floats, ShapeMismatch, check_floats, read, read_arrays
from mixtura.solvers.settings import check_seed
from mixtura.store import StoreError
from mixtura.supports import Real, Simplex

# Fitted attributes, beside `fit_result_`, that make an estimator usable.
ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
# What the file says of itself: `mixtura.store` has read it.
_HEAD = ("format", "version", "mixtura", "kind")
# How far, relative to the spreads, redundant arrays may be apart beyond their rounding.
AGREEMENT = {"float64": 1e-6, "float32": 1e-3}


@dataclass(frozen=True)
class Scalars:
    """The fitted attributes that are no arrays."""

    converged_: bool
    n_iter_: Count
    lower_bound_: float
    lower_bounds_: list[float]
    n_features_in_: Size


SCALARS = tuple(each.name for each in fields(Scalars))


@dataclass(frozen=True)
class Stored:
    """A model file, beside its head; family says what the components of a `Mixture` are, posterior
    the numbers of a variational one, noise what rows of no component are,
    trim_threshold below which log-density they are none, classes the names of components,
    told what the fit was told of its rows."""

    settings: dict[str, Any]
    arrays: dict[str, Any]
    scalars: Scalars
    feature_names: tuple[str, ...] | None
    fit: Fit | None
    family: dict[str, Any] | None = None
    posterior: dict[str, Any] | None = None
    noise: Uniform | None = None
    trim_threshold: float | None = None
    classes: tuple[str, ...] | None = None
    told: tuple[str, ...] | None = None


def to_document(estimator: Any) -> dict[str, Any]:
    """Constructor parameters, fitted attributes and the Fit, as plain data and arrays.

    A `random_state` that is a generator rather than a number is not kept, nor is a solver of the
    user's own.
    """
    settings: dict[str, Any] = {
        name: np.asarray(value) if isinstance(value, (list, tuple)) else value
        for name, value in estimator.get_params(deep=False).items()
    }
    if settings.pop("prior", None) is not None:
        settings["prior"] = stored_prior(estimator.prior)
    if "solver" in settings:
        settings["solver"] = solver_document(settings["solver"], to_document)
    if settings.get("fixed"):
        settings["fixed"] = plain_fixed(settings["fixed"])
    if not isinstance(settings["random_state"], (int, np.integer)):
        settings["random_state"] = None
    names = getattr(estimator, "feature_names_in_", None)
    fit = estimator.fit_result_
    return {
        "kind": type(estimator).__name__,
        "settings": {name: _plain(value) for name, value in settings.items()},
        "arrays": estimator._stored_arrays(),
        "scalars": {name: _plain(getattr(estimator, name)) for name in SCALARS},
        "feature_names": None if names is None else [str(name) for name in names],
        "fit": None if fit is None else fit.to_dict(),
        **estimator._stored_beside(),
        **stored_noise(estimator),
        **stored_limits(estimator),
        **stored_names(estimator),
    }


def restore(document: dict[str, Any], kind: type[Any]) -> Any:
    """The estimator of class `kind` that `to_document` described; StoreError if damaged."""
    try:
        if document.get("kind") != kind.__name__:
            raise ValueError(f"kind is {reprlib.repr(document.get('kind'))}, not {kind.__name__!r}")
        stored = read(Stored, {k: v for k, v in document.items() if k not in _HEAD}, "")
        estimator = _with_settings(stored.settings, kind)
        estimator._check_stored(stored)
        restore_noise(estimator, stored.noise)
        if stored.trim_threshold is not None:
            estimator.trim_threshold_ = stored.trim_threshold
        restore_names(estimator, stored.classes, stored.told)
        _set_fitted(estimator, stored)
        _check(estimator, stored)
    except StoreError:
        raise
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise StoreError(f"the model file is damaged: {reason}") from None
    return estimator


def _with_settings(settings: dict[str, Any], kind: type[Any]) -> Any:
    """An estimator with these constructor parameters, which are checked as before a fit."""
    for name in settings:
        if name not in kind._parameter_constraints:
            raise ValueError(f"settings has an unknown {reprlib.repr(name)}")
    solved = "solver" in kind._parameter_constraints
    for name in (kind._groups, kind._components, *(["solver"] if solved else [])):
        if name not in settings:
            raise ValueError(f"settings has no {name!r}")
    # Before it is asked for.
    read(Size, settings[kind._groups], kind._groups)
    components = kind._restored_components(settings[kind._components])
    given = {**settings, kind._components: components}
    if "prior" in given:
        given["prior"] = restored_prior(given["prior"])
    if solved:
        given["solver"] = restored_solver(given["solver"], lambda inner: restore(inner, kind))
    if "constraint" in given:
        given["constraint"] = restored_constraint(given["constraint"])
    if "fixed" in given:
        given["fixed"] = restored_fixed(given["fixed"])
    estimator = kind(**given)
    estimator._validate_params()
    if estimator.random_state is not None:
        check_seed(estimator.random_state)
    return estimator


def _set_fitted(estimator: Any, stored: Stored) -> None:
    for name, value in stored.arrays.items():
        setattr(estimator, name, value)
    for name in SCALARS:
        setattr(estimator, name, getattr(stored.scalars, name))
    if stored.feature_names is not None:
        estimator.feature_names_in_ = np.array(stored.feature_names, dtype=object)
    estimator.fit_result_ = stored.fit


def names_of(covariance_type: str | FactorAnalytic) -> tuple[str, ...]:
    """The names of the fitted arrays of a covariance type."""
    factors = structure(covariance_type).factors
    return ARRAYS if factors is None else ("weights_", "means_", *factored.HELD)


def _arrays_of(shape: Structure, K: int, d: int, noise: Uniform | None = None) -> dict[str, Floats]:
    """The fitted arrays of K components over d columns, by name."""
    common = {
        "weights_": Floats((n_weights(K, noise),), Simplex()),
        "means_": Floats((K, d), Real()),
    }
    if shape.factors is not None:
        return common | factored.arrays_of(shape.factors, K, d)
    # Whether they are sound is seen together, in `check_matrices`.
    return common | {name: Floats(shape.form.shape(K, d)) for name in ARRAYS[2:]}


def check_arrays(stored: Stored, shape: Structure, K: int) -> None:
    """ValueError unless there are the arrays of K components, each of its shape and support."""
    d = stored.scalars.n_features_in_
    if shape.columns not in (None, d):
        raise ValueError(
            f"covariance_type={shape.name!r} is for {shape.columns} column, and n_features_in_ "
            f"is {d}"
        )
    try:
        read_arrays(_arrays_of(shape, K, d, stored.noise), stored.arrays, "arrays")
    except ShapeMismatch as error:
        raise ValueError(
            f"{error}, that of covariance_type {shape.name!r} with {K} components in {d} columns"
        ) from None


def _check(estimator: Any, stored: Stored) -> None:
    """ValueError, saying which part, unless the restored parts belong together.

    What is stored is only looked at: loading must not change a bit of it.
    """
    K, d = getattr(estimator, estimator._groups), estimator.n_features_in_
    estimator._check_restored()
    names = stored.feature_names
    if names is not None and len(names) != d:
        raise ValueError(f"feature_names has {len(names)} entries, not {d} names")
    if stored.fit is not None:
        _check_fit(stored.fit, K, d)


def check_gaussian(estimator: Any) -> None:
    """ValueError unless the arrays of a restored `GaussianMixture` belong together."""
    shape = structure(estimator.covariance_type)
    _check_initial(estimator, shape, estimator.n_components, estimator.n_features_in_)
    if shape.factors is None:
        check_matrices(estimator, shape.form)
    else:
        factored.check(estimator, shape.factors)
    if estimator.fixed:
        # What is known must be of these components.
        estimator._fitted()


def _check_initial(estimator: Any, shape: Structure, K: int, d: int) -> None:
    """ValueError unless the mixture that fits are to begin from has the sizes of this one."""
    for name, sizes in (
        ("weights_init", (K,)),
        ("means_init", (K, d)),
        ("precisions_init", shape.form.shape(K, d)),
    ):
        value = getattr(estimator, name)
        if value is None:
            continue
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fi":
            raise ValueError(f"{name} is not an array of numbers")
        check_floats(Floats(sizes, Real()), value, name)


def _check_fit(fit: Fit, K: int, d: int) -> None:
    """ValueError unless the indices in the fit are those of components and columns."""
    for each in fit.equations:
        if len(each.weights) != len(each.columns):
            raise ValueError("fit: equations are not of as many weights as columns")
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
        if not all(index < size for index in found):
            raise ValueError(f"fit: {name} is {list(found)}, not indices below {size}")


def check_matrices(estimator: Any, form: Form) -> None:
    """ValueError unless covariances, precisions and factor are those of the same Gaussians."""
    stored = estimator.covariances_, estimator.precisions_, estimator.precisions_cholesky_
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
        form.support.check(_unit_free(covariances, form), f"{form.name} covariance")
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
    if isinstance(value, EigenvalueRatio):
        return asdict(value)
    if isinstance(value, Family):
        return family_document(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return value.item() if isinstance(value, np.generic) else value

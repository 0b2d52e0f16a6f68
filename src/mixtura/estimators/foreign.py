"""Fitted mixtures of other packages as ours: scikit-learn's, and those of mclust in R."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.estimators.bayesian import BayesianGaussianMixture
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.scikit_learn import copy_fitted, settings_of
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.records import Array

# What mclust calls a structure of one group.
OF_ONE = {"X": "E", "XII": "EII", "XXI": "EEI", "XXX": "EEE"}

# Covariances that differ by less than so much of the columns' variances are one.
SAME = 1e-6


def from_sklearn(mixture: Any) -> GaussianMixture | BayesianGaussianMixture:
    """A fitted mixture of scikit-learn as one of this package, bit for bit and without a fit.

    Parameters
    ----------
    mixture : fitted sklearn.mixture.GaussianMixture or sklearn.mixture.BayesianGaussianMixture

    Returns
    -------
    `GaussianMixture` or `BayesianGaussianMixture`, with the settings that say what the mixture is:
        n_components, covariance_type, random_state and the prior. How it is looked for (tol,
        reg_covar, ...) is as by default here. `fit_result_` is None, `elbo_` -inf: they are not
        known without the rows.

    Raises
    ------
    ValueError
        For anything else, or parameters that are no mixture.
    sklearn.exceptions.NotFittedError
        For one that was not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn import mixture
    >>> from mixtura import from_sklearn
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> theirs = mixture.GaussianMixture(2, random_state=0).fit(X)
    >>> bool(np.allclose(from_sklearn(theirs).score_samples(X), theirs.score_samples(X)))
    True
    """
    from sklearn import mixture as sklearn_mixture

    kinds: dict[Any, type[GaussianMixture] | type[BayesianGaussianMixture]] = {
        sklearn_mixture.GaussianMixture: GaussianMixture,
        sklearn_mixture.BayesianGaussianMixture: BayesianGaussianMixture,
    }
    kind = next((ours for theirs, ours in kinds.items() if isinstance(mixture, theirs)), None)
    if kind is None:
        given = (
            mixture.__name__ + " itself" if isinstance(mixture, type) else type(mixture).__name__
        )
        raise ValueError(
            "from_sklearn: mixture must be a fitted GaussianMixture or BayesianGaussianMixture of "
            f"scikit-learn, got {given}"
        )
    check_is_fitted(mixture)
    settings = settings_of(mixture, kind is BayesianGaussianMixture)
    found = kind(covariance_type=mixture.covariance_type, **settings)
    # For what is no mixture.
    GaussianMixture.from_parameters(
        mixture.weights_,
        mixture.means_,
        mixture.covariances_,
        covariance_type=mixture.covariance_type,
    )
    copy_fitted(mixture, found)
    # Of tied posteriors these are arrays of one number there.
    found.lower_bound_ = float(np.ravel(mixture.lower_bound_)[0])
    steps = getattr(mixture, "lower_bounds_", [])
    found.lower_bounds_ = [float(np.ravel(value)[0]) for value in steps]
    found.fit_result_ = None
    if isinstance(found, BayesianGaussianMixture):
        found.elbo_ = -np.inf
        found.n_components_posterior_ = None
        K = len(found.means_)
        found.degrees_of_freedom_ = np.full(K, mixture.degrees_of_freedom_)
        found.covariance_prior_ = np.asarray(mixture.covariance_prior_)
        found._shape_as_theirs(K)
    return found


def from_mclust(model: str | Path | Mapping[str, Any]) -> GaussianMixture:
    """A mixture that R's mclust has fitted, with its covariance structure and without a fit.

    In R, with ``m <- Mclust(X)``::

        p <- m$parameters; v <- p$variance; if (m$d > 1) v$sigma <- aperm(v$sigma, c(3, 1, 2))
        jsonlite::write_json(list(colnames = colnames(m$data), best = list(modelName = m$modelName,
          G = m$G, d = m$d, pro = p$pro, mean = t(p$mean), variance = v[c("sigma", "sigmasq")])),
          "model.json", auto_unbox = TRUE, digits = NA, null = "null")

    Parameters
    ----------
    model : path of a JSON file, or what it holds
        An object, or an object whose ``best`` it is, of ``modelName`` (mclust's letters), ``G``
        groups, ``d`` columns, ``pro`` (G,), ``mean`` (G, d) and ``variance``, which has ``sigma``
        (G, d, d) or, with one column, ``sigmasq`` (G,), or one number. Names of columns stand in
        ``colnames`` beside ``best``. What else there is, is not read.

    Returns
    -------
    GaussianMixture; `fit_result_` is None

    Raises
    ------
    ValueError
        For a file that is no JSON or has another layout, noise (``pro`` has a part more than there
        are groups), or covariances that are not of the structure.
    OSError
        Where the file cannot be read.
    """
    held = _read(model)
    best = held.get("best", held)
    try:
        name, G, d = str(best["modelName"]), int(best["G"]), int(best["d"])
        weights, means, variance = best["pro"], best["mean"], best["variance"]
        one = d == 1 and variance.get("sigma") is None
        matrices = variance["sigmasq" if one else "sigma"]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"from_mclust: model is not laid out as from_mclust's docstring says ({error!r}): "
            "write it by the lines there"
        ) from None
    if name in OF_ONE and G != 1:
        raise ValueError(f"from_mclust: modelName {name!r} is of one group, and G is {G}: check G")
    name = OF_ONE.get(name, name)
    if name not in STRUCTURES:
        raise ValueError(f"from_mclust: modelName is {name!r}, which is none of mclust's")
    shares = _shares(weights, G)
    sigma = _shaped(matrices, (-1, 1, 1) if one else (G, d, d), "variance")
    columns = held.get("colnames")
    return GaussianMixture.from_parameters(
        shares,
        _shaped(means, (G, d), "mean"),
        _covariances(name, np.broadcast_to(sigma, (G, d, d))),
        covariance_type=name,
        feature_names=columns if isinstance(columns, list) else None,
    )


def _shares(weights: Any, G: int) -> Array:
    """The groups' shares; ValueError where there are others, or they are none."""
    if np.size(weights) == G + 1:
        raise ValueError(
            f"from_mclust: pro has {G + 1} parts for G={G} groups, so the last is noise: fit "
            "without it in R, or here with GaussianMixture(noise=True)"
        )
    shares = _shaped(weights, (G,), "pro")
    if (shares < 0).any() or abs(shares.sum() - 1.0) > SAME:
        raise ValueError(
            f"from_mclust: pro must be shares of 0 or more whose sum is 1, got {shares.tolist()}"
        )
    return shares


def _covariances(name: str, sigma: Array) -> Array:
    """Matrices (G, d, d) in the shape of a structure; ValueError where they are not of it."""
    form, (G, d, _) = structure(name).form, sigma.shape
    for k, j in np.argwhere(np.diagonal(sigma, axis1=1, axis2=2) <= 0):
        raise ValueError(
            f"from_mclust: variance of component {k}, column {j} (counted from 0) is "
            f"{sigma[k, j, j]:g}, and variances are above 0: bring those of a fitted model"
        )
    parts = [form.restrict(each) for each in sigma]
    found = parts[0] if form.shared else np.stack(parts)
    _refuse_other(name, sigma, form.dense(found, G, d))
    return found


def _read(model: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(model, Mapping):
        return model
    if not isinstance(model, str | Path):
        raise ValueError(
            "from_mclust: model must be the path of a JSON file or a dictionary, got "
            f"{type(model).__name__}"
        )
    if not Path(model).is_file():
        raise FileNotFoundError(
            f"from_mclust: model: {model} is no file: give the path of the JSON file that R wrote"
        )
    try:
        held = json.loads(Path(model).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"from_mclust: {model} is not JSON: {error}") from None
    if not isinstance(held, dict):
        raise ValueError(f"from_mclust: {model} holds no JSON object, but {type(held).__name__}")
    return held


def _refuse_other(name: str, given: Array, kept: Array) -> None:
    """ValueError where a structure would drop some of the covariances (G, d, d) that were given."""
    scale = np.sqrt(np.abs(np.diagonal(given, axis1=1, axis2=2)))
    if not (np.abs(given - kept) <= SAME * scale[:, :, None] * scale[:, None, :]).all():
        raise ValueError(
            f"from_mclust: covariances are not of covariance_type={name!r}: bring variance and "
            "modelName of one model"
        )


def _shaped(value: Any, shape: tuple[int, ...], name: str) -> Array:
    """`value` in a shape; a single number or row may have lost its brackets on the way."""
    try:
        array = np.asarray(value, dtype=np.float64)
        # R's own order of a matrix would fit too where it has as many numbers.
        if array.ndim == len(shape) and -1 not in shape and array.shape != shape:
            raise ValueError(f"it has shape {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("it holds nothing, or what is not finite")
        return array.reshape(shape)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"from_mclust: {name} is not an array of shape {shape} of numbers: {error}"
        ) from None

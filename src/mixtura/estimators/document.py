"""A fitted estimator as plain data, and back: what `save` writes and `load` reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.fit.result import Fit
from mixtura.store import StoreError

# Fitted attributes, beside `fit_result_`, that make an estimator usable.
ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
SCALARS = ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_")


def to_document(estimator: Any) -> dict[str, Any]:
    """Constructor parameters, fitted attributes and the Fit, as plain data and arrays.

    A `random_state` that is a generator rather than a number is not kept.
    """
    settings = {
        name: np.asarray(value) if isinstance(value, (list, tuple)) else value
        for name, value in estimator.get_params(deep=False).items()
    }
    if not isinstance(settings["random_state"], (int, np.integer)):
        settings["random_state"] = None
    names = getattr(estimator, "feature_names_in_", None)
    fit = estimator.fit_result_
    return {
        "kind": type(estimator).__name__,
        "settings": {name: _plain(value) for name, value in settings.items()},
        "arrays": {name: getattr(estimator, name) for name in ARRAYS},
        "scalars": {name: _plain(getattr(estimator, name)) for name in SCALARS},
        "feature_names": None if names is None else [str(name) for name in names],
        "fit": None if fit is None else fit.to_dict(),
    }


def restore(document: dict[str, Any], kind: type[Any]) -> Any:
    """The estimator of class `kind` that `to_document` described."""
    try:
        estimator = kind(**document["settings"])
        for name in ARRAYS:
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
    _check(estimator)
    return estimator


def _check(estimator: Any) -> None:
    """StoreError unless the restored arrays belong together."""
    K, d = len(estimator.weights_), estimator.n_features_in_
    if estimator.means_.shape != (K, d) or estimator.n_components != K:
        raise StoreError(
            f"the model file has {K} weights, n_components={estimator.n_components} and means of "
            f"shape {estimator.means_.shape} for {d} columns: it is damaged"
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

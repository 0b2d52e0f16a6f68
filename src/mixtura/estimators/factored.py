"""What a fitted mixture with covariances of factors holds, and what is worked out from it.

Held are loadings and noise, which grow with the number of columns. The covariances, which grow
with its square, are made when they are asked for. Products with a side of a few factors are too
short for BLAS's threads: they wait for each other, in a pool of processes for ever.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from mixtura.engines.threads import single_blas
from mixtura.errors import IllDefined
from mixtura.estimators import initial
from mixtura.estimators.inherited import equations_of
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.gaps import FactorGapsLook
from mixtura.families.factor.look import FactorLook
from mixtura.families.factor.prior import no_noise_prior
from mixtura.families.factor.records import FactorParams, canonical, factor_params
from mixtura.families.factor.structure import LETTERS, FactorAnalytic, parsed
from mixtura.families.gaussian.covariance import structure
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array
from mixtura.schema import Floats
from mixtura.supports import Positive, Real

# The fitted arrays in place of the covariances.
HELD = ("loadings_", "noise_variance_")
# Those that are worked out.
DENSE = ("covariances_", "precisions_", "precisions_cholesky_")
# Rows whose factor scores are worked out at once.
_ROWS = 2048


class CovarianceNames(StrOptions):  # type: ignore[misc]
    """The names of the structures; factors, by a name such as "UUU:10" or as FactorAnalytic."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether `val` is one of these."""
        if isinstance(val, FactorAnalytic):
            return True
        spelt = isinstance(val, str) and parsed(val) is not None
        return spelt or bool(super().is_satisfied_by(val))

    def __str__(self) -> str:
        # Scikit-learn's names come first, then those of three letters.
        names = sorted(self.options, key=lambda name: (name.isupper(), name))
        return (
            f"one of {', '.join(map(repr, names))}; or factors, as 'UUU:10' or FactorAnalytic(10), "
            f"10 being their number, from 1, with the letters {', '.join(reversed(LETTERS))}"
        )


def factors_of(estimator: Any) -> FactorAnalytic | None:
    """What factors an estimator's covariances have; None where they have none."""
    return structure(estimator.covariance_type).factors


def excess(estimator: Any) -> str:
    """What is to be said of more factors than covariances determine; empty where there are none."""
    kind = structure(getattr(estimator, "covariance_type", "full")).factors
    return kind.excess(*estimator.means_.shape) if kind else ""


def hold(estimator: Any, params: MixtureParams, dtype: np.dtype[Any]) -> None:
    """Set the fitted arrays, the loadings in their canonical rotation."""
    for name in DENSE:
        estimator.__dict__.pop(name, None)
    with single_blas:
        parts = canonical(params.components)
    estimator.weights_ = params.weights.astype(dtype)
    estimator.means_ = parts.means.astype(dtype)
    estimator.loadings_ = parts.loadings.astype(dtype)
    estimator.noise_variance_ = parts.noise.astype(dtype)


def forget(estimator: Any) -> None:
    """Take away what only a mixture with factors has."""
    for name in HELD:
        estimator.__dict__.pop(name, None)


def fitted(estimator: Any, kind: FactorAnalytic) -> tuple[Mixture, MixtureParams]:
    """The model and its parameters, from the fitted arrays, in float64."""
    weights, means, loadings, noise = (
        np.asarray(getattr(estimator, name), dtype=np.float64)
        for name in ("weights_", "means_", *HELD)
    )
    family = FactorAnalysers(kind, equations=equations_of(estimator))
    model = Mixture(family, no_noise_prior(kind, noise.shape[1]))
    with single_blas:
        return model, MixtureParams(weights, factor_params(means, loadings, noise))


def dense(estimator: Any, name: str) -> AnyArray:
    """One of DENSE, in the precision of the loadings."""
    parts: FactorParams = estimator._fitted()[1].components
    if name == "covariances_":
        value = parts.covariances
    elif name == "precisions_":
        value = parts.precisions
    else:
        form = structure(estimator.covariance_type).form
        value = initial.precision_cholesky(form.invert_root(parts.root), form)
    return np.asarray(value.astype(estimator.loadings_.dtype))


def scores(params: FactorParams, X: AnyArray) -> Array:
    """E[z | x, k] for each row and component, (n, K, q)."""
    out = np.empty((len(X), len(params.means), params.loadings.shape[2]))
    for first in range(0, len(X), _ROWS):
        x = np.asarray(X[first : first + _ROWS], dtype=np.float64)
        if np.isnan(x).any():
            told = FactorGapsLook(x, params).scores.transpose(1, 0, 2) @ params.gram
            out[first : first + _ROWS] = told.transpose(1, 0, 2)
            continue
        for group, found in zip(params.groups, FactorLook(x, params).scores, strict=True):
            out[first : first + _ROWS, group.members] = found
    # From projections: z = G^-T y.
    return np.asarray(out.transpose(1, 0, 2) @ np.linalg.inv(params.gram)).transpose(1, 0, 2)


def arrays_of(kind: FactorAnalytic, K: int, d: int) -> dict[str, Floats]:
    """The HELD arrays of K components over d columns; ValueError for too many factors."""
    kind.check_columns(d)
    return {
        "loadings_": Floats(kind.loadings_shape(K, d), Real()),
        "noise_variance_": Floats(kind.noise_shape(K, d), Positive()),
    }


def check(estimator: Any, kind: FactorAnalytic) -> None:
    """ValueError unless there are covariances of the restored loadings and noise."""
    try:
        with np.errstate(all="ignore"):
            fitted(estimator, kind)
    except IllDefined as error:
        raise ValueError(
            f"loadings_ and noise_variance_ of component {error.component} are too far apart for "
            "a covariance"
        ) from None

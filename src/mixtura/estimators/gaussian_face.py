"""The Gaussian estimator as the files beside it see it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.estimators.stream import Stream
from mixtura.families.base import Family
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.fitting.mixture_fit import Found
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Weights
from mixtura.result import Fit


class GaussianFace(Protocol):
    """Settings, fitted attributes and what a fit is made of: see `GaussianMixture`."""

    n_components: int
    covariance_type: str | FactorAnalytic
    reg_covar: float | None
    weights: str
    engine: str
    weights_init: Any
    means_init: Any
    precisions_init: Any
    n_features_in_: int
    means_: AnyArray
    precisions_cholesky_: AnyArray
    converged_: bool
    n_iter_: int
    lower_bound_: float
    lower_bounds_: list[float]
    fit_result_: Fit | None
    _stream: Stream | None

    def _validate_params(self) -> None: ...

    def _names(self) -> list[str]: ...

    def _weights_for(self, sample_weight: Weights, X: AnyArray) -> Array: ...

    def _family(self) -> Family: ...

    def _fitted(self) -> tuple[Mixture, MixtureParams]: ...

    def _fit(self, X: Any, sample_weight: Weights) -> Source: ...

    def _find(self, rows: Rows, family: Family) -> Found: ...

    def _keep(self, found: Found, dtype: np.dtype[Any]) -> None: ...

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None: ...

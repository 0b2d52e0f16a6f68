"""What a fitted `BayesianGaussianMixture` holds and answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.estimators import initial
from mixtura.estimators.document import ARRAYS, Stored, check_matrices
from mixtura.estimators.exports import Exports
from mixtura.estimators.hyperparameters import weight_prior
from mixtura.estimators.posterior_mixture import PosteriorMixture, PosteriorNumbers
from mixtura.families.base import Family
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.posterior import PosteriorGaussian, gaussian_posterior_from_whiten
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.fitting.mixture_fit import Found
from mixtura.fitting.variational_fit import VariationalFound
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.ranges import Positive as PositiveNumber
from mixtura.records import AnyArray, Array
from mixtura.schema import Floats, read, read_arrays
from mixtura.supports import Positive, Simplex
from mixtura.supports import Real as RealNumbers

# Fitted arrays beside those of a Gaussian mixture.
BESIDE = (
    "weight_concentration_",
    "mean_precision_",
    "degrees_of_freedom_",
    "mean_prior_",
    "covariance_prior_",
)


@dataclass(frozen=True)
class GaussianNumbers(PosteriorNumbers):
    """And of Gaussian components."""

    mean_precision_prior_: PositiveNumber
    degrees_of_freedom_prior_: PositiveNumber


class FittedPosterior(PosteriorMixture, Exports):
    """The methods of `BayesianGaussianMixture` after the fit."""

    covariance_type: str
    reg_covar: float
    mean_precision_prior: float | None
    mean_prior: Any
    degrees_of_freedom_prior: float | None
    covariance_prior: Any
    degrees_of_freedom_: Any
    degrees_of_freedom_prior_: float
    covariance_prior_: Any
    _numbers = GaussianNumbers

    @property
    def _form(self) -> Form:
        return structure(self.covariance_type).form

    def _family(self) -> Family:
        return PosteriorGaussian(structure(self.covariance_type))

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        super()._hold(found, dtype)
        assert isinstance(found, VariationalFound)
        self.lower_bounds_ = list(found.lower_bounds)
        self.lower_bound_ = self.lower_bounds_[-1] if self.lower_bounds_ else -np.inf
        prior: NormalWishart = found.model.prior
        self.mean_precision_prior_ = prior.mean_precision
        self.degrees_of_freedom_prior_ = prior.freedom
        self.mean_prior_ = prior.mean.astype(dtype)
        self.covariance_prior_ = prior.scale.astype(dtype)
        self._shape_as_theirs(found.active)

    def _shape_as_theirs(self, active: int) -> None:
        """Arrays as scikit-learn has them, and which components there are."""
        self._count(active)
        self.covariance_prior_ = self.covariance_prior_[()]
        if self._form.shared:
            self.degrees_of_freedom_ = self.degrees_of_freedom_[0]

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        assert isinstance(params, VariationalParams)
        initial.hold(self, params, self._form, dtype)
        parts = params.components
        self.weight_concentration_ = params.concentration.astype(dtype)
        self.mean_precision_ = parts.mean_precision.astype(dtype)
        self.degrees_of_freedom_ = parts.freedom.astype(dtype)

    def _stored_arrays(self) -> dict[str, AnyArray]:
        arrays = {name: np.asarray(getattr(self, name)) for name in (*ARRAYS, *BESIDE)}
        whole = np.broadcast_to(arrays["degrees_of_freedom_"], len(self.means_))
        return arrays | {"degrees_of_freedom_": whole.copy()}

    def _stored_beside(self) -> dict[str, Any]:
        return {"posterior": self._stored_numbers()}

    @staticmethod
    def _restored_components(stored: Any) -> Any:
        return read(str, stored, "settings.covariance_type")

    def _check_stored(self, stored: Stored) -> None:
        if stored.family is not None:
            raise ValueError("it has an unknown 'family'")
        self._restore_numbers(stored)
        K, d, form = self.n_components, stored.scalars.n_features_in_, self._form
        own = {name: Floats(form.shape(K, d)) for name in ARRAYS[2:]}
        kinds = {
            "weights_": Floats((K,), Simplex()),
            "means_": Floats((K, d), RealNumbers()),
            **own,
            "weight_concentration_": Floats((2, K) if self._process else (K,), Positive()),
            "mean_precision_": Floats((K,), Positive()),
            "degrees_of_freedom_": Floats((K,), Positive()),
            "mean_prior_": Floats((d,), RealNumbers()),
            "covariance_prior_": Floats(np.shape(form.identity(d)), form.support),
        }
        read_arrays(kinds, stored.arrays, "arrays")
        least = min(self.degrees_of_freedom_prior_, stored.arrays["degrees_of_freedom_"].min())
        if not least > d - 1:
            raise ValueError(f"degrees_of_freedom_ has {least}, which is not above {d - 1}")

    def _check_restored(self) -> None:
        check_matrices(self, self._form)
        self._shape_as_theirs(int(self.active_))

    def _fitted(self) -> tuple[VariationalMixture, VariationalParams]:
        prior = NormalWishart(
            self._form,
            np.asarray(self.mean_prior_, dtype=np.float64),
            self.mean_precision_prior_,
            self.degrees_of_freedom_prior_,
            np.asarray(self.covariance_prior_, dtype=np.float64),
            self.reg_covar,
            structure(self.covariance_type).one_covariance,
        )
        family = PosteriorGaussian(structure(self.covariance_type))
        model = VariationalMixture(family, prior, weight_prior(self, len(self.means_)))
        concentration = np.asarray(self.weight_concentration_, dtype=np.float64)
        params = model.assembled(concentration, self._components_of(slice(None)))
        logs = np.where(self.active_, params.expected, -np.inf)
        return model, replace(params, expected=logs)

    def _posterior(self, active: int) -> VariationalParams:
        """That of the first components, which are active."""
        model = self._fitted()[0]
        some = slice(active)
        concentration = np.asarray(self.weight_concentration_, dtype=np.float64)[..., some]
        return model.assembled(concentration, self._components_of(some))

    def _components_of(self, some: slice | AnyArray) -> Any:
        form, double = self._form, np.float64
        factor = np.asarray(self.precisions_cholesky_, dtype=double)
        means: Array = np.asarray(self.means_, dtype=double)[some]
        freedom = np.broadcast_to(self.degrees_of_freedom_, len(self.means_)).astype(double)
        return gaussian_posterior_from_whiten(
            means,
            initial.precision_cholesky(factor if form.shared else factor[some], form),
            form,
            np.asarray(self.mean_precision_, dtype=double)[some],
            freedom[some],
        )

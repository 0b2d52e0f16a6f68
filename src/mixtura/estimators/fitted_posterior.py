"""What a fitted `BayesianGaussianMixture` holds and answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from mixtura.estimators import initial
from mixtura.estimators.answering import ANSWERED_ROWS
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.hyperparameters import PROCESS, weight_prior
from mixtura.families.base import Family
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.posterior import (
    PosteriorGaussian,
    gaussian_posterior_from_whiten,
)
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.fitting.mixture_fit import Found
from mixtura.fitting.variational_fit import VariationalFound
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.records import AnyArray, Array

# Components with fewer rows do not count.
HALF = 0.5


class FittedPosterior(ClimbedMixture):
    """The methods of `BayesianGaussianMixture` after the fit."""

    covariance_type: str
    reg_covar: float
    weight_concentration_prior_type: str
    weight_concentration_prior: float | None
    mean_precision_prior: float | None
    mean_prior: Any
    degrees_of_freedom_prior: float | None
    covariance_prior: Any
    solver = "em"

    @property
    def _form(self) -> Form:
        return structure(self.covariance_type).form

    @property
    def _process(self) -> bool:
        return self.weight_concentration_prior_type == PROCESS

    def _family(self) -> Family:
        return PosteriorGaussian(structure(self.covariance_type))

    def score_samples(self, X: Any, *, predictive: bool = False) -> AnyArray:
        """log of sum_k exp(E[log pi_k] + E[log p(x | k)]), as in scikit-learn: below a density's.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        predictive : bool, default False
            The posterior predictive log-density instead: a mixture of t densities, which
            integrates to one.

        Returns
        -------
        array of shape (n_samples,), natural logarithm in the inverse units of X
        """
        if not predictive:
            return super().score_samples(X)
        check_is_fitted(self)
        params, rows = self._fitted()[1], self._asked(X)
        logs = np.log(params.weights)
        found = [
            logsumexp(params.components.predictive(x) + logs, axis=1)
            for x, *_ in rows.chunks(ANSWERED_ROWS)
        ]
        return np.concatenate(found).astype(rows.dtype)

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, predictive: bool = False
    ) -> float:
        """The mean of `score_samples` per row (per unit of weight)."""
        if not predictive:
            return super().score(X, y, sample_weight)
        log_p = self.score_samples(X, predictive=True)
        w = None if sample_weight is None else self._weights_for(sample_weight, log_p)
        return float(np.average(log_p.astype(np.float64), weights=w))

    @property
    def bic(self) -> Any:
        """A posterior has none: AttributeError, as in scikit-learn."""
        raise AttributeError("a posterior has no BIC: compare elbo_, or score(X, predictive=True)")

    @property
    def aic(self) -> Any:
        """A posterior has none: AttributeError, as in scikit-learn."""
        raise AttributeError("a posterior has no AIC: compare elbo_, or score(X, predictive=True)")

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        super()._hold(found, dtype)
        assert isinstance(found, VariationalFound)
        self.lower_bounds_ = list(found.lower_bounds)
        self.lower_bound_ = self.lower_bounds_[-1] if self.lower_bounds_ else -np.inf
        self.elbo_ = found.fit.loglik
        prior: NormalWishart = found.model.prior
        self.weight_concentration_prior_ = found.model.weight_prior.alpha
        self.mean_precision_prior_ = prior.mean_precision
        self.degrees_of_freedom_prior_ = prior.freedom
        self.mean_prior_ = prior.mean.astype(dtype)
        # A number where components are spherical.
        self.covariance_prior_ = prior.scale.astype(dtype)[()]
        rows = found.params.components.mean_precision - prior.mean_precision
        self.n_components_ = int(np.count_nonzero(rows >= HALF))
        self.active_ = np.arange(len(rows)) < found.active

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        assert isinstance(params, VariationalParams)
        form, parts = self._form, params.components
        self.weights_ = params.weights.astype(dtype)
        self.means_ = parts.means.astype(dtype)
        self.covariances_ = parts.covariances.astype(dtype)
        factor = initial.precision_cholesky(parts.whiten, form)
        self.precisions_cholesky_ = factor.astype(dtype)
        self.precisions_ = initial.precisions(factor, form).astype(dtype)
        concentration = params.concentration.astype(dtype)
        self.weight_concentration_: Any = tuple(concentration) if self._process else concentration
        self.mean_precision_ = parts.mean_precision.astype(dtype)
        freedom = parts.freedom.astype(dtype)
        self.degrees_of_freedom_ = freedom[0] if form.shared else freedom

    def _fitted(self) -> tuple[VariationalMixture, VariationalParams]:
        prior = NormalWishart(
            self._form,
            np.asarray(self.mean_prior_, dtype=np.float64),
            self.mean_precision_prior_,
            self.degrees_of_freedom_prior_,
            np.asarray(self.covariance_prior_, dtype=np.float64),
            self.reg_covar,
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

    def _components_of(self, some: slice) -> Any:
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

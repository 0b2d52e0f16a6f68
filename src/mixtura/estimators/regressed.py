"""What a fitted mixture of regressions answers: expectations, labels, likelihoods, reports."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mixtura.data.door import as_numbers, column_names, host, refuse_no_partitions, refuse_unfit
from mixtura.data.lazy import collected, is_dask
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.data.streamed import Streamed
from mixtura.estimators.answering import answers, totals
from mixtura.estimators.known import refuse_told
from mixtura.estimators.lazily import responded
from mixtura.estimators.mixture import Mixture
from mixtura.estimators.weighing import weighed
from mixtura.families.domain import refuse_asked
from mixtura.families.regression.family import Regression
from mixtura.records import AnyArray, Array, Seed, Weights
from mixtura.report.digits import counted
from mixtura.report.view import MixtureView
from mixtura.result import Fit

# What is asked of the mixture where y is known, by method.
ANSWERS: dict[str, dict[str, Any]] = {
    "predict_proba": {"what": "responsibilities", "wide": True},
    "classify": {"what": "labels", "dtype": np.dtype(np.int64)},
    "score_samples": {"what": "log_density"},
}
# Rows without a response that a message names.
_SHOWN = 5


def response_name(y: Any) -> str:
    """What the column of the response is called; Dask arrays have names for Dask alone."""
    return "y" if hasattr(y, "chunks") else str(getattr(y, "name", None) or "y")


def refuse_no_response(y: Any) -> None:
    if y is None:
        raise ValueError("y is None, and a regression needs a response: give one for each row")


def refuse_missing(y: Any) -> None:
    """ValueError, naming the rows, where a response is missing or infinite."""
    response = np.asarray(y)
    if response.dtype.kind not in "fO":
        return
    bad = np.flatnonzero(~np.isfinite(as_numbers(response, "y")).reshape(len(response), -1).all(1))
    if len(bad):
        first = ", ".join(map(str, bad[:_SHOWN])) + (", ..." if len(bad) > _SHOWN else "")
        raise ValueError(
            f"{response_name(y)!r} is missing or infinite in {counted(len(bad), 'row')} ({first}, "
            "counted from 0): a row without its response tells a regression nothing, so leave it "
            "out, of X and y"
        )


class FittedRegression(BaseEstimator):  # type: ignore[misc]
    """The methods of `MixtureRegression` after the fit."""

    random_state: Seed
    n_features_in_: int
    feature_names_in_: AnyArray
    weights_: Array
    mixture_: Mixture
    fit_result_: Fit

    @staticmethod
    def _kind(mixture: Mixture) -> Regression:
        assert isinstance(mixture.family_, Regression)
        return mixture.family_

    def _names(self) -> list[str]:
        return column_names(getattr(self, "feature_names_in_", None), self.n_features_in_)

    def _table(self, X: Any, y: Any = None, *, reset: bool = False) -> Array:
        """X, checked, and y as the last column; zeros where there is no y."""
        X, y = collected(host(X)), collected(host(y))
        refuse_unfit(X)
        if not reset:
            check_is_fitted(self)
        if y is None:
            rows = validate_data(self, X, reset=reset, dtype=np.float64, ensure_all_finite=False)
            self._refuse_gaps(rows)
            table, kind = np.column_stack([rows, np.zeros(len(rows))]), self._kind(self.mixture_)
            if kind.trials is not None:
                # No success is a response whatever they are.
                kind.refuse(table, self.mixture_._names())
            return table
        refuse_unfit(y, "y")
        text = next((value for value in np.ravel(np.asarray(y)) if isinstance(value, str)), None)
        if text is not None:
            raise ValueError(f"y holds text ({str(text)!r}): a response is a number; code it first")
        refuse_missing(y)
        rows, response = validate_data(
            self,
            X,
            np.asarray(y),
            reset=reset,
            dtype=np.float64,
            y_numeric=True,
            ensure_all_finite=False,
        )
        self._refuse_gaps(rows)
        return np.column_stack([rows, np.asarray(response, dtype=np.float64)])

    def _apart(self, X: Any, y: Any, sample_weight: Weights, *, reset: bool = False) -> Streamed:
        """The rows of a Dask collection where they lie, with y as the last column."""
        from mixtura.data.dask_blocks import with_response

        refuse_no_partitions(X)
        if reset:
            self.n_features_in_ = X.shape[1]
            self.__dict__.pop("feature_names_in_", None)
            if hasattr(X, "columns"):
                self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        elif not hasattr(X, "columns") and X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return with_response(X, y, (*self._names(), response_name(y)), sample_weight)

    def _refuse_gaps(self, rows: Array) -> None:
        """ValueError, naming the column, where a number is missing or infinite."""
        gaps = np.argwhere(~np.isfinite(rows))
        if len(gaps):
            i, j = gaps[0]
            raise ValueError(
                f"column {self._names()[j]!r} has {rows[i, j]} in {row_at(i)}: a regression cannot "
                "leave a covariate, offset or concomitant out, so fill it in or leave the row out"
            )

    def _shares(self, table: Array) -> Array:
        """P(k), or P(k | x), of each row, (n, K)."""
        model, params = self.mixture_._fitted()
        shares = np.exp(model.log_weights(table, params))
        return np.broadcast_to(shares, (len(table), len(params.weights)))

    def predict(self, X: Any) -> Array:
        """The expected response of the whole mixture, sum_k P(k | x) E(y | x, k), (n_samples,).

        In the response's units; with `trials` the expected number of successes. Between components
        that are far apart this is a response that none of them gives: see `predict_components`.
        """
        if is_dask(X):
            return self._lazily("predict", X, wide=False)
        table = self._table(X)
        return np.asarray((self._shares(table) * self.predict_components(X)).sum(axis=1))

    def predict_components(self, X: Any) -> Array:
        """The expected response within each component, (n_samples, n_components)."""
        if is_dask(X):
            return self._lazily("predict_components", X)
        table = self._table(X)
        return self._kind(self.mixture_).expected(table, self.mixture_._fitted()[1].components)

    def predict_weights(self, X: Any) -> Array:
        """P(k), or P(k | x) with concomitants, before y is seen, (n_samples, n_components)."""
        if is_dask(X):
            return self._lazily("predict_weights", X)
        return np.array(self._shares(self._table(X)))

    def predict_proba(self, X: Any, y: Any) -> AnyArray:
        """P(k | x, y): the responsibility of each component for each row, rows summing to one."""
        return self._answers("predict_proba", X, y)

    def classify(self, X: Any, y: Any) -> AnyArray:
        """The component with the largest responsibility for each row, (n_samples,)."""
        return self._answers("classify", X, y)

    def score_samples(self, X: Any, y: Any) -> AnyArray:
        """log p(y | x) of each row under the whole mixture, (n_samples,)."""
        return self._answers("score_samples", X, y)

    def score(self, X: Any, y: Any, sample_weight: Weights = None) -> float:
        """The mean log-likelihood of y given x per row (per unit of weight); not R squared."""
        total, weight = self._total(X, y, sample_weight)
        return total / weight

    def bic(self, X: Any, y: Any, sample_weight: Weights = None) -> float:
        """Bayesian information criterion, -2 log-likelihood + p log n; lower is better.

        n is the sum of the weights. ValueError where the fit was given labels.
        """
        refuse_told("bic", self)
        total, weight = self._total(X, y, sample_weight)
        return -2.0 * total + self.fit_result_.n_parameters * math.log(weight)

    def aic(self, X: Any, y: Any, sample_weight: Weights = None) -> float:
        """Akaike information criterion, -2 log-likelihood + 2 p; lower is better.

        ValueError where the fit was given labels.
        """
        refuse_told("aic", self)
        total, _ = self._total(X, y, sample_weight)
        return -2.0 * total + 2.0 * self.fit_result_.n_parameters

    def _lazily(self, method: str, X: Any, y: Any = None, *, wide: bool = True) -> AnyArray:
        """A Dask array of what a method answers about each row, (n, K) where `wide`, else (n,)."""
        check_is_fitted(self)
        found: AnyArray = responded(self, method, X, y, len(self.weights_) if wide else 0)
        return found

    def _answers(self, method: str, X: Any, y: Any) -> AnyArray:
        """What the mixture says of each row."""
        how = ANSWERS[method]
        refuse_no_response(y)
        if is_dask(X):
            return self._lazily(method, X, y, wide=how.get("wide", False))
        table = self._table(X, y)
        refuse_asked(self._kind(self.mixture_), table, self.mixture_._names())
        return answers(self.mixture_, Rows(table), **how)

    def _total(self, X: Any, y: Any, sample_weight: Weights) -> tuple[float, float]:
        """(log-likelihood, weight) of these rows."""
        if is_dask(X):
            check_is_fitted(self)
            refuse_no_response(y)
            source = self._apart(X, y, sample_weight)
            self._kind(self.mixture_).refuse_source(source)
            return totals(self.mixture_, weighed(source, self.mixture_.weights))
        log_p = self.score_samples(X, y)
        if sample_weight is None:
            return float(log_p.sum()), float(len(log_p))
        w = self.mixture_._weights_for(sample_weight, log_p)
        return float(w @ log_p), float(w.sum())

    def sample(self, X: Any, random_state: Seed = None) -> tuple[Array, AnyArray]:
        """A response drawn for each row of X, and the component of each, both (n_samples,).

        `random_state` is an int, a RandomState, or None for the estimator's own.
        """
        table = self._table(X)
        model, params = self.mixture_._fitted()
        rng = check_random_state(self.random_state if random_state is None else random_state)
        drawn, labels = model.sample_given(table, params, rng)
        return drawn[:, -1], labels

    def view(self) -> MixtureView:
        """The fitted mixture as reports and figures see it, over the columns of X and y."""
        check_is_fitted(self)
        return self.mixture_.view()

    def summary(self) -> str:
        """The coefficients of each component, what the weights hang on, and how sure the fit is."""
        check_is_fitted(self)
        return self.mixture_.summary()

    def plot(self, X: Any, y: Any, sample_weight: Weights = None, title: str | None = None) -> Any:
        """The rows and each component's line over the covariate in which these differ most.

        Other covariates are at their means. Points have the components' colours, mixed by
        responsibility. A Matplotlib figure.
        """
        from mixtura.report.figures import draw

        table = self._table(X, y)
        resp = self.predict_proba(X, y)
        return draw(
            self.view(), table, responsibilities=resp, sample_weight=sample_weight, title=title
        )

    def table(self, X: Any, y: Any) -> Array:
        """The rows that `mixture_` is a mixture of, y last: what `bootstrap_lrt` takes."""
        return self._table(X, y)

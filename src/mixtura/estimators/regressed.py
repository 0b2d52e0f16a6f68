"""What a fitted mixture of regressions answers: expectations, labels, likelihoods, reports."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mixtura.data.door import column_names, host, refuse_unfit
from mixtura.data.lazy import collected
from mixtura.data.rows import Rows
from mixtura.estimators.answering import answers
from mixtura.estimators.known import refuse_told
from mixtura.estimators.mixture import Mixture
from mixtura.families.regression.family import Regression
from mixtura.records import AnyArray, Array
from mixtura.report.view import MixtureView
from mixtura.result import Fit


class FittedRegression(BaseEstimator):  # type: ignore[misc]
    """The methods of `MixtureRegression` after the fit."""

    random_state: Any
    n_features_in_: int
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

    def _refuse_gaps(self, rows: Array) -> None:
        """ValueError, naming the column, where a number is missing or infinite."""
        gaps = np.argwhere(~np.isfinite(rows))
        if len(gaps):
            i, j = gaps[0]
            raise ValueError(
                f"column {self._names()[j]!r} has {rows[i, j]} in row {i}: a regression cannot "
                "leave a covariate, offset or concomitant out, so fill it in or leave the row out"
            )

    def _shares(self, table: Array) -> Array:
        """P(k), or P(k | x), of each row, (n, K)."""
        model, params = self.mixture_._fitted()
        shares = np.exp(model.log_weights(table, params))
        return np.broadcast_to(shares, (len(table), len(params.weights)))

    def predict(self, X: Any) -> Array:
        """The expected response of the whole mixture, sum_k P(k | x) E(y | x, k).

        Between components that are far apart this is a response that none of them gives: see
        `predict_components`. With `trials` it is the expected number of successes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), in the response's units
        """
        table = self._table(X)
        return np.asarray((self._shares(table) * self.predict_components(X)).sum(axis=1))

    def predict_components(self, X: Any) -> Array:
        """The expected response within each component, (n_samples, n_components)."""
        table = self._table(X)
        return self._kind(self.mixture_).expected(table, self.mixture_._fitted()[1].components)

    def predict_weights(self, X: Any) -> Array:
        """P(k), or P(k | x) with concomitants, before y is seen, (n_samples, n_components)."""
        return np.array(self._shares(self._table(X)))

    def predict_proba(self, X: Any, y: Any) -> AnyArray:
        """P(k | x, y): the responsibility of each component for each row, rows summing to one."""
        return self._answers(X, y, "responsibilities", wide=True)

    def classify(self, X: Any, y: Any) -> AnyArray:
        """The component with the largest responsibility for each row, (n_samples,)."""
        return self._answers(X, y, "labels", dtype=np.dtype(np.int64))

    def score_samples(self, X: Any, y: Any) -> AnyArray:
        """log p(y | x) of each row under the whole mixture, (n_samples,)."""
        return self._answers(X, y, "log_density")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The mean log-likelihood of y given x per row (per unit of weight); not R squared."""
        total, weight = self._total(X, y, sample_weight)
        return total / weight

    def bic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion, -2 log-likelihood + p log n; lower is better.

        n is the sum of the weights. ValueError where the fit was given labels.
        """
        refuse_told("bic", self)
        total, weight = self._total(X, y, sample_weight)
        return -2.0 * total + self.fit_result_.n_parameters * math.log(weight)

    def aic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion, -2 log-likelihood + 2 p; lower is better.

        ValueError where the fit was given labels.
        """
        refuse_told("aic", self)
        total, _ = self._total(X, y, sample_weight)
        return -2.0 * total + 2.0 * self.fit_result_.n_parameters

    def _answers(self, X: Any, y: Any, what: str, **how: Any) -> AnyArray:
        """What the mixture says of each row."""
        table = self._table(X, y)
        self._kind(self.mixture_).refuse(table, self.mixture_._names())
        return answers(self.mixture_, Rows(table), what, **how)

    def _total(self, X: Any, y: Any, sample_weight: Any) -> tuple[float, float]:
        """(log-likelihood, weight) of these rows."""
        log_p = self.score_samples(X, y)
        if sample_weight is None:
            return float(log_p.sum()), float(len(log_p))
        w = self.mixture_._weights_for(sample_weight, log_p)
        return float(w @ log_p), float(w.sum())

    def sample(self, X: Any, random_state: Any = None) -> tuple[Array, AnyArray]:
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

    def plot(self, X: Any, y: Any, sample_weight: Any = None, title: str | None = None) -> Any:
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

"""What every fitted mixture can do, whatever was fitted and however."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mixtura.data.door import column_names, refuse_masked, refuse_unfit
from mixtura.data.opening import is_stream
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import fill, resolve
from mixtura.engines.sampling import draw, drawn
from mixtura.estimators import factored
from mixtura.estimators.after import AfterFit
from mixtura.estimators.document import to_document
from mixtura.estimators.intake import asked
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.fit.result import Fit
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array
from mixtura.report.text import to_text
from mixtura.report.view import MixtureView
from mixtura.store import write_document

# Rows of a table read in pieces that are answered at a time.
_ANSWERED_ROWS = 1 << 15


class MixtureEstimator(AfterFit, DensityMixin, BaseEstimator):  # type: ignore[misc]
    """Methods of a fitted mixture p(x) = sum_k P(k) p(x|k); see `docs/what-the-numbers-mean.md`."""

    engine: str
    random_state: Any
    covariance_type: str | FactorAnalytic
    n_features_in_: int
    fit_result_: Fit | None

    def __getattr__(self, name: str) -> Any:
        # Only asked for what is not held: covariances of factors are not.
        if name in factored.DENSE and "loadings_" in self.__dict__:
            return factored.dense(self, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @abstractmethod
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to X."""

    @abstractmethod
    def _fitted(self) -> tuple[Mixture, MixtureParams]:
        """The model and its parameters, from the fitted attributes, in float64."""

    def component_log_density(self, X: Any) -> AnyArray:
        """log P(x | k): the log-density of each row under each component.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_components)
        """
        return self._prepare(X, "component_log_density", wide=True)

    def predict_proba(self, X: Any) -> AnyArray:
        """P(k | x): the responsibility of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_components), rows summing to one
        """
        return self._prepare(X, "responsibilities", wide=True)

    def factors(self, X: Any) -> AnyArray:
        """E[z | x, k]: the factor scores of each row, were it of each component.

        What `sklearn.decomposition.FactorAnalysis.transform` gives for one component.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_components, n_factors); weighed with `predict_proba` it is the
            mean of the scores whichever the component

        Raises
        ------
        ValueError
            For a mixture without factors: use a `FactorAnalytic` covariance type.
        """
        check_is_fitted(self)
        if factored.factors_of(self) is None:
            raise ValueError(
                f"factors: covariance_type={self.covariance_type!r} has none: fit with "
                "covariance_type=FactorAnalytic(...)"
            )
        rows, params = self._asked(X), self._fitted()[1].components
        pieces = rows.chunks(rows.n if isinstance(rows, Rows) else _ANSWERED_ROWS)
        found = [factored.scores(params, piece).astype(rows.dtype) for piece, _, _ in pieces]
        return np.concatenate(found)

    def score_samples(self, X: Any) -> AnyArray:
        """log P(x): the log-density of each row under the whole mixture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,), natural logarithm of a density in the inverse
            units of X
        """
        return self._prepare(X, "log_density")

    def predict(self, X: Any) -> AnyArray:
        """The component with the largest responsibility for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        integer array of shape (n_samples,)
        """
        return self._prepare(X, "labels", dtype=np.dtype(np.int64))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean log-likelihood per row (per unit of weight).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A table that is read in pieces brings its own.
        """
        total, weight = self._total(X, sample_weight)
        return total / weight

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion, -2 log-likelihood + p log n; lower is better.

        n is the sum of the weights, so a weight of 2 counts as two rows.
        """
        total, n = self._total(X, sample_weight)
        return -2.0 * total + self._n_parameters() * math.log(n)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion, -2 log-likelihood + 2 p; lower is better."""
        total, _ = self._total(X, sample_weight)
        return -2.0 * total + 2.0 * self._n_parameters()

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Array, AnyArray]:
        """Draw rows from the mixture, in random order.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, RandomState or None
            None uses the estimator's own `random_state`: an int there gives the same rows at
            every call, as in scikit-learn.

        Returns
        -------
        X : float64 array of shape (n_samples, n_features)
        y : integer array of shape (n_samples,), the component of each row
        """
        return draw(*self._asked_to_draw(n_samples, random_state))

    def sample_chunks(
        self, n_samples: int, random_state: Any = None
    ) -> Iterator[tuple[Array, AnyArray]]:
        """The rows of `sample`, in chunks: for more of them than memory holds.

        Parameters are those of `sample`.

        Yields
        ------
        (X, y) : the next rows and the component of each; together they are what `sample` returns
        """
        return drawn(*self._asked_to_draw(n_samples, random_state))

    def _asked_to_draw(
        self, n_samples: int, random_state: Any
    ) -> tuple[Mixture, int, MixtureParams, np.random.RandomState]:
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . "
                "The sampling requires at least one sample."
            )
        model, params = self._fitted()
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return model, int(n_samples), params, rng

    def view(self) -> MixtureView:
        """The fitted mixture as reports and figures see it."""
        check_is_fitted(self)
        model, params = self._fitted()
        weights, names = params.weights, tuple(self._names())
        portrait = model.family.portrait(params.components, weights, names)
        return MixtureView(weights, names, portrait, self.fit_result_)

    def summary(self) -> str:
        """What was found and how sure the fit is, as text."""
        return to_text(self.view()).rstrip("\n")

    def save(self, path: str | Path) -> None:
        """Write the fitted mixture to a JSON file, atomically; `mixtura.load` reads it.

        Numbers survive bit for bit. The format is described in `docs/model-file.md`.
        """
        check_is_fitted(self)
        write_document(to_document(self), path)

    def _n_parameters(self) -> int:
        model, params = self._fitted()
        return model.n_parameters(params)

    def _names(self) -> list[str]:
        return column_names(getattr(self, "feature_names_in_", None), self.n_features_in_)

    def _prepare(
        self, X: Any, what: str, *, wide: bool = False, dtype: np.dtype[Any] | None = None
    ) -> AnyArray:
        """The wanted answer for each row, in the rows' precision."""
        check_is_fitted(self)
        return self._answer(self._asked(X), what, wide=wide, dtype=dtype)

    def _asked(self, X: Any) -> Source:
        """The rows of which something is asked."""
        if is_stream(X):
            return asked(self, X)
        refuse_unfit(X)
        return Rows(validate_data(self, X, reset=False, dtype=[np.float64, np.float32], order="C"))

    def _answer(
        self, rows: Source, what: str, *, wide: bool = False, dtype: np.dtype[Any] | None = None
    ) -> AnyArray:
        model, params = self._fitted()
        shape = (rows.n, len(params.weights)) if wide else (rows.n,)
        out = RowOutputs(**{what: np.empty(shape, dtype=dtype or rows.dtype)})
        engine = resolve(self.engine, model)
        for X, _, where, *_ in rows.chunks(rows.n if isinstance(rows, Rows) else _ANSWERED_ROWS):
            fill(engine, model, X, params, out.part(where))
        answer = getattr(out, what)
        assert isinstance(answer, np.ndarray)
        return answer

    def _weights_for(self, sample_weight: Any, X: AnyArray) -> Array:
        refuse_masked(sample_weight, "sample_weight")
        return np.asarray(
            _check_sample_weight(
                sample_weight, X.reshape(len(X), -1), dtype=np.float64, ensure_non_negative=True
            )
        )

    def _total(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        check_is_fitted(self)
        if is_stream(X):
            X = asked(self, X)
            if X.survey.weighted and sample_weight is None:
                parts = [
                    (float(w @ self._answer(Rows(x), "log_density")), float(w.sum()))
                    for x, w, *_ in X.chunks(_ANSWERED_ROWS)
                    if w is not None
                ]
                return sum(total for total, _ in parts), sum(weight for _, weight in parts)
        log_p = self.score_samples(X)
        if sample_weight is None:
            return float(log_p.sum(dtype=np.float64)), float(len(log_p))
        w = self._weights_for(sample_weight, log_p)
        return float(w @ log_p), float(w.sum())

"""`MixtureRegression`: the estimator for mixtures of generalised linear models."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mixtura.data.door import column_names, refuse_text, refuse_unfit
from mixtura.data.rows import Rows
from mixtura.estimators.answering import answers
from mixtura.estimators.column_positions import positions
from mixtura.estimators.mixture import Mixture
from mixtura.estimators.weighing import COUNTS
from mixtura.families.regression.family import Regression
from mixtura.families.regression.responses import RESPONSES
from mixtura.fitting.journal_file import removed
from mixtura.models.concomitant import ConcomitantParams
from mixtura.records import AnyArray, Array
from mixtura.report.regression_text import weights_text
from mixtura.report.view import MixtureView
from mixtura.solvers.problem import Solver


class MixtureRegression(BaseEstimator):  # type: ignore[misc]
    """A mixture of regressions: each component a generalised linear model of y given X.

    p(y | x) = sum_k P(k) p(y | x, k), or P(k | x) with concomitants. Columns of X are named by name
    (of a data frame) or position.

    Parameters
    ----------
    n_components : int, default 2
    family : {"gaussian", "poisson", "binomial", "gamma"}, default "gaussian"
        Of the response, with the identity, log, logit and log link; variances and shapes by maximum
        likelihood. A binomial response is 0 or 1, or a count of successes with `trials`.
    intercept : bool, default True
    covariates : columns, optional
        On which the response hangs; by default all that have no other part.
    offset : column, optional
        Added to every linear predictor, such as the logarithm of an exposure.
    trials : column, optional
        Of which a binomial response counts the successes.
    common : columns, default ()
        Covariates whose coefficient all components share.
    common_dispersion : bool, default False
        Whether all components share the variance (gaussian) or dispersion (gamma).
    concomitants : columns, optional
        On which the weights hang, by a multinomial logit. They are covariates too only where
        `covariates` names them.
    tol, max_iter, n_init, init_params, random_state, verbose, verbose_interval, weights, solver, \
            engine : as in `Mixture`

    Attributes
    ----------
    coef_ : array of shape (n_components, n_covariates)
        In units of the linear predictor per unit of the column.
    intercept_ : array of shape (n_components,), 0 without intercept
    dispersion_ : array of shape (n_components,), or None where the response has none
        Variances of a gaussian response; of a gamma one 1 / shape, the variance being
        dispersion times mean^2.
    weights_ : array of shape (n_components,)
        P(k); with concomitants the mean of P(k | x).
    concomitant_coef_, concomitant_intercept_ : arrays
        With concomitants: of log P(k | x) / P(0 | x).
    covariates_ : list of the covariates' names, in the order of `coef_`
    mixture_ : Mixture
        The mixture of the table of X and, last, y, with `fit_result_`, `parameters_`, ...
    fit_result_, converged_, n_iter_, n_features_in_, feature_names_in_

    References
    ----------
    DeSarbo & Cron (1988), J. of Classification 5; Grün & Leisch (2008), J. Statistical Software 28.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import MixtureRegression
    >>> x = np.linspace(0, 9, 40)
    >>> y = np.where(np.arange(40) % 2, 1 + 2 * x, 20 - x) + 0.1 * np.sin(40 * x)
    >>> lines = MixtureRegression(2, random_state=0).fit(x[:, None], y)
    >>> sorted(lines.coef_[:, 0].round(1).tolist())
    [-1.0, 2.0]
    """

    def __init__(
        self,
        n_components: int = 2,
        family: str = "gaussian",
        *,
        intercept: bool = True,
        covariates: Any = None,
        offset: Any = None,
        trials: Any = None,
        common: Any = (),
        common_dispersion: bool = False,
        concomitants: Any = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
        verbose_interval: int = 10,
        weights: str = COUNTS,
        solver: str | Solver = "auto",
        engine: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.family = family
        self.intercept = intercept
        self.covariates = covariates
        self.offset = offset
        self.trials = trials
        self.common = common
        self.common_dispersion = common_dispersion
        self.concomitants = concomitants
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.weights = weights
        self.solver = solver
        self.engine = engine

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, checkpoint: Any = None) -> Self:
        """Fit the regressions of y on the columns of X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 is the row twice.
        checkpoint : path, optional
            As in `Mixture.fit`.

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found: a response that is none of the
            family, covariates that are constant or sums of others, unknown columns.
        """
        table = self._table(X, y, reset=True)
        target = str(getattr(y, "name", None) or "y")
        names = (*self._names(), target)
        mixture = self._mixture(list(self._names()))
        mixture._fit(table, sample_weight, None, checkpoint, names)
        removed(checkpoint)
        self.mixture_ = mixture
        self._hold(mixture)
        return self

    def _mixture(self, names: list[str]) -> Mixture:
        """The mixture that is asked for, of the columns of X so named and of y."""
        if self.family not in RESPONSES:
            raise ValueError(f"family must be one of {list(RESPONSES)}, got {self.family!r}")
        offset, trials = self._one("offset", names), self._one("trials", names)
        concomitants = self._several("concomitants", names)
        taken = {offset, trials, *concomitants}
        covariates = self._several("covariates", names)
        if self.covariates is None:
            covariates = tuple(j for j in range(len(names)) if j not in taken)
        kind = Regression(
            self.family,
            len(names),
            covariates,
            offset,
            trials,
            bool(self.intercept),
            self._several("common", names),
            bool(self.common_dispersion),
        )
        return Mixture(
            kind,
            self.n_components,
            tol=self.tol,
            max_iter=self.max_iter,
            n_init=self.n_init,
            init_params=self.init_params,
            random_state=self.random_state,
            verbose=self.verbose,
            verbose_interval=self.verbose_interval,
            weights=self.weights,
            solver=self.solver,
            engine=self.engine,
            concomitants=concomitants or None,
        )

    def _several(self, what: str, names: list[str]) -> tuple[int, ...]:
        asked = getattr(self, what)
        if asked is None or (not isinstance(asked, str) and np.size(asked) == 0):
            return ()
        return tuple(positions(asked, names, what))

    def _one(self, what: str, names: list[str]) -> int | None:
        found = self._several(what, names)
        if len(found) > 1:
            raise ValueError(f"{what} is one column, got {getattr(self, what)!r}")
        return found[0] if found else None

    def _hold(self, mixture: Mixture) -> None:
        """Set the fitted attributes."""
        kind, lines = self._kind(mixture), mixture.parameters_["coefficients"]
        self.coef_ = lines[:, int(kind.intercept) :]
        self.intercept_ = lines[:, 0] if kind.intercept else np.zeros(len(lines))
        self.dispersion_ = mixture.parameters_.get("dispersions")
        self.covariates_ = [self._names()[j] for j in kind.columns(self.n_features_in_ + 1)]
        self.weights_ = mixture.weights_
        for name in ("concomitant_coef_", "concomitant_intercept_"):
            if hasattr(mixture, name):
                setattr(self, name, getattr(mixture, name))
        self.converged_, self.n_iter_ = mixture.converged_, mixture.n_iter_
        self.lower_bound_, self.fit_result_ = mixture.lower_bound_, mixture.fit_result_

    @staticmethod
    def _kind(mixture: Mixture) -> Regression:
        assert isinstance(mixture.family_, Regression)
        return mixture.family_

    def _names(self) -> list[str]:
        return column_names(getattr(self, "feature_names_in_", None), self.n_features_in_)

    def _table(self, X: Any, y: Any = None, *, reset: bool = False) -> Array:
        """X, checked, and y as the last column; zeros where there is no y."""
        refuse_unfit(X)
        refuse_text(X)
        if not reset:
            check_is_fitted(self)
        if y is None:
            rows = validate_data(self, X, reset=reset, dtype=np.float64)
            return np.column_stack([rows, np.zeros(len(rows))])
        refuse_unfit(y, "y")
        rows, answers = validate_data(
            self, X, np.asarray(y), reset=reset, dtype=np.float64, y_numeric=True
        )
        return np.column_stack([rows, np.asarray(answers, dtype=np.float64)])

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

        n is the sum of the weights.
        """
        total, weight = self._total(X, y, sample_weight)
        return -2.0 * total + self.fit_result_.n_parameters * math.log(weight)

    def aic(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion, -2 log-likelihood + 2 p; lower is better."""
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
        text = self.mixture_.summary()
        params = self.mixture_._fitted()[1]
        if not isinstance(params, ConcomitantParams):
            return text
        names = [self._names()[j] for j in self._several("concomitants", self._names())]
        return f"{text}\n\n{weights_text(names, params.logits)}"

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

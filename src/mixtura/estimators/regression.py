"""`MixtureRegression`: the estimator for mixtures of generalised linear models."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.data.column_positions import positions
from mixtura.data.lazy import is_dask
from mixtura.data.tables import NamedRows
from mixtura.estimators.document import to_document
from mixtura.estimators.mixture import Mixture
from mixtura.estimators.regressed import FittedRegression, refuse_no_response, response_name
from mixtura.estimators.untouched import untouched_on_failure
from mixtura.estimators.weighing import COUNTS
from mixtura.families.regression.family import Regression
from mixtura.families.regression.responses import RESPONSES
from mixtura.fitting.journal_file import removed
from mixtura.records import Seed, StrPath, Weights
from mixtura.solvers.problem import Solver
from mixtura.store import StoreError, write_document

# Settings of the search, which are `Mixture`'s.
SEARCH = (
    "tol", "max_iter", "n_init", "init_params", "random_state", "verbose", "verbose_interval",
    "weights", "solver", "engine",
)  # fmt: skip


@dataclass(eq=False, repr=False)
class MixtureRegression(FittedRegression):
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

    n_components: int = 2
    family: str = "gaussian"
    _: KW_ONLY
    intercept: bool = True
    covariates: Any = None
    offset: Any = None
    trials: Any = None
    common: Any = ()
    common_dispersion: bool = False
    concomitants: Any = None
    tol: float = 1e-6
    max_iter: int = 1000
    n_init: int | str = 1
    init_params: str = "auto"
    random_state: Seed = None
    verbose: int = 0
    verbose_interval: int = 10
    weights: str = COUNTS
    solver: str | Solver = "auto"
    engine: str = "auto"

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Weights = None,
        *,
        labels: Any = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit the regressions of y on the columns of X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Of a Dask array or frame the rows stay where they lie, and answers are Dask arrays.
        y : array-like of shape (n_samples,), or a Dask series or array partitioned as X is
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 is the row twice.
        labels, checkpoint : optional
        max_seconds : float, optional
            As in `Mixture.fit`.

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found: a response that is none of the
            family, covariates that are constant or sums of others, unknown columns; the estimator
            is left as it was.
        """
        with untouched_on_failure(self):
            mixture = self._found(X, y, sample_weight, checkpoint, labels, max_seconds)
        removed(checkpoint)
        self.mixture_ = mixture
        self._hold(mixture)
        return self

    def _found(
        self,
        X: Any,
        y: Any,
        sample_weight: Weights,
        checkpoint: StrPath | None,
        labels: Any,
        max_seconds: float | None,
    ) -> Mixture:
        """The mixture of the table of X and y, fitted."""
        refuse_no_response(y)
        rows: Any
        if is_dask(X):
            # Its weights lie beside it.
            rows, sample_weight = self._apart(X, y, sample_weight, reset=True), None
        else:
            table = self._table(X, y, reset=True)
            rows = NamedRows(table, (*self._names(), response_name(y)), None)
        mixture = self._mixture(self._names())
        mixture._fit(
            rows, sample_weight, checkpoint=checkpoint, labels=labels, max_seconds=max_seconds
        )
        return mixture

    def _mixture(self, names: list[str]) -> Mixture:
        """The mixture that is asked for, of the columns of X so named and of y."""
        if not isinstance(self.family, str) or self.family not in RESPONSES:
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
        search = {name: getattr(self, name) for name in SEARCH}
        return Mixture(kind, self.n_components, concomitants=concomitants or None, **search)

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

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a JSON file, atomically; `mixtura.load` reads it.

        It holds the mixture of the table of X and y, in which columns go by position.
        """
        check_is_fitted(self)
        told = {"kind": type(self).__name__, "named": hasattr(self, "feature_names_in_")}
        write_document(to_document(self.mixture_) | told, path)

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Self:
        """The model that `save` wrote; StoreError for a document that is damaged."""
        inner = {name: part for name, part in document.items() if name != "named"}
        mixture = Mixture.restored(inner | {"kind": Mixture.__name__})
        kind = mixture.family_
        if not isinstance(kind, Regression) or not isinstance(document.get("named"), bool):
            raise StoreError("the model file is damaged: it is no mixture of regressions")
        search = {name: getattr(mixture, name) for name in SEARCH}
        given = mixture.concomitants
        made = cls(
            mixture.n_components,
            kind.response,
            intercept=kind.intercept,
            covariates=None if kind.covariates is None else list(kind.covariates),
            offset=kind.offset,
            trials=kind.trials,
            common=list(kind.common),
            common_dispersion=kind.common_dispersion,
            concomitants=None if given is None else np.ravel(given).tolist(),
            **search,
        )
        made.n_features_in_ = mixture.n_features_in_ - 1
        if document["named"]:
            made.feature_names_in_ = mixture.feature_names_in_[:-1]
        made.mixture_ = mixture
        made._hold(mixture)
        return made

    def _hold(self, mixture: Mixture) -> None:
        """Set the fitted attributes."""
        kind, lines = self._kind(mixture), mixture.parameters_["coefficients"]
        self.coef_ = lines[:, int(kind.intercept) :]
        self.intercept_ = lines[:, 0] if kind.intercept else np.zeros(len(lines))
        self.dispersion_ = mixture.parameters_.get("dispersions")
        self.covariates_ = [self._names()[j] for j in kind.columns(self.n_features_in_ + 1)]
        self.weights_ = mixture.weights_
        for name in ("concomitant_coef_", "concomitant_intercept_", "classes_", "told_"):
            self.__dict__.pop(name, None)
            if hasattr(mixture, name):
                setattr(self, name, getattr(mixture, name))
        self.converged_, self.n_iter_ = mixture.converged_, mixture.n_iter_
        self.lower_bound_ = mixture.lower_bound_
        assert mixture.fit_result_ is not None
        self.fit_result_ = mixture.fit_result_

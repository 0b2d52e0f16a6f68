"""What `lower=` and `upper=` change of a mixture: cells of which only an interval is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import numpy as np

from mixtura.data.door import column_names
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import PLAIN, fill
from mixtura.estimators.answering import refuse_lost
from mixtura.estimators.beside import asked_beside
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.intake import validated
from mixtura.estimators.interval_cells import doubt_unbounded, placed, refuse_endless
from mixtura.estimators.known import refuse_told
from mixtura.estimators.opened import read
from mixtura.estimators.tables_beside import beside_rows, present
from mixtura.families.base import Family
from mixtura.families.domain import refuse_asked
from mixtura.families.intervals import Cells, censored
from mixtura.fitting.journal_file import removed
from mixtura.records import AnyArray, Array, Categories, StrPath, Weights

# Solvers that look at rows through the E-step alone, and engines that sweep by it.
_SOLVERS = ("auto", "em", "squarem", "anderson", "lbfgs", "newton")
_ENGINES = ("auto", *PLAIN)


class IntervalRows(ClimbedMixture):
    """Fits and answers that know intervals of cells; by `ClimbedMixture` where none are given."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Weights = None,
        *,
        labels: Any = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
        lower: Any = None,
        upper: Any = None,
        error: Any = None,
    ) -> Self:
        """Fit the mixture to the rows of X.

        Parameters
        ----------
        X, y, sample_weight, labels, checkpoint, max_seconds : as in `ClimbedMixture.fit`
            `labels` are the components of rows whose component is known, -1 of the others.
        lower, upper : array-like of shape (n_samples, n_features), optional
            In the units of X: of a cell with a bound only lower < x <= upper is known, whatever X
            holds there; NaN, -inf below and inf above are no bound, and a cell with two equal
            bounds is that number. For rows in memory of families with a distribution function,
            whose columns are independent within a component.
        error : array-like of shape (n_samples, n_features) or (n_samples, n_features, \
                n_features), optional
            In the units of X: standard deviations of the errors of cells, or in their squares the
            covariance of the errors of each row. The mixture is then of the numbers behind the
            rows (extreme deconvolution: Bovy, Hogg & Roweis 2011, Annals of Applied Statistics 5).
            Of `GaussianMixture` with covariances without factors, and rows in memory.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found; the estimator is left as it was.
        """
        self._refuse_beside(error, lower, upper)
        if checkpoint is not None and error is not None:
            raise ValueError("error: a checkpoint does not keep errors: leave checkpoint out")
        if checkpoint is not None and (lower is not None or upper is not None):
            raise ValueError(
                "lower, upper: a checkpoint does not keep intervals: leave checkpoint out"
            )
        with self._told_of(sample_weight, lower=lower, upper=upper, error=error):
            self._fit(X, sample_weight, None, checkpoint, labels, max_seconds)
        removed(checkpoint)
        return self

    def _refuse_beside(self, error: Any, *bounds: Any) -> None:
        """ValueError for what is given beside X that these components do not know."""
        refuse_error(error)

    @contextmanager
    def _told_of(
        self, sample_weight: Weights, *, lower: Any = None, upper: Any = None, error: Any = None
    ) -> Iterator[None]:
        if lower is not None or upper is not None:
            self._bounds: Any = lower, upper, present(sample_weight)
        try:
            yield
        finally:
            self.__dict__.pop("_bounds", None)

    def _stood_in(self, X: AnyArray, kind: Family, found: Categories) -> AnyArray:
        if "_bounds" not in self.__dict__:
            return X
        kind = kind.for_table(self._names(), found, X)
        lower, upper, there = self._bounds
        lower, upper = (
            None if each is None else self._beside(name, each, there, absent=np.nan)
            for name, each in (("lower", lower), ("upper", upper))
        )
        cells = placed(X, lower, upper, kind, self._names())
        refuse_endless(cells, X, there, self._names())
        self._bounds = cells, there
        return np.asarray(cells.x, dtype=X.dtype)

    def _search(self, rows: Source, task: Any, *others: Any) -> Any:
        if "_bounds" not in self.__dict__:
            return super()._search(rows, task, *others)
        refuse_settings(self, rows, "lower, upper")
        assert isinstance(rows, Rows)
        cells, there = self._bounds
        if not cells.bounded.any():
            return super()._search(rows, task, *others)
        # Of rows without weight some are left out at the door.
        wide = cells.wide if len(cells.x) == rows.n else cells.wide[there]
        counted = wide if rows.sample_weight is None else wide[rows.sample_weight > 0]
        K = 0 if getattr(self, "reg_covar", 0) else self.n_components
        doubt_unbounded(Cells.of(counted), task.family, self._names(), K)
        task = replace(task, family=censored(task.family))
        found = super()._search(replace(rows, X=wide), task, *others)
        plain = found.family.plain
        return replace(found, family=plain, model=replace(found.model, family=plain))

    def _beside(
        self, name: str, given: Any, there: AnyArray | None = None, *, absent: float
    ) -> Array:
        """The table `given` beside X."""
        columns = getattr(self, "feature_names_in_", None)
        return beside_rows(name, given, columns, there, absent)

    def bic(self, X: Any, sample_weight: Weights = None) -> float:
        """Bayesian information criterion; ValueError after a fit to more than X: see `summary`."""
        refuse_told("bic", self)
        return super().bic(X, sample_weight)

    def aic(self, X: Any, sample_weight: Weights = None) -> float:
        """Akaike information criterion; ValueError after a fit to more than X: see `summary`."""
        refuse_told("aic", self)
        return super().aic(X, sample_weight)

    def score_samples(
        self, X: Any, error: Any = None, *, lower: Any = None, upper: Any = None
    ) -> AnyArray:
        """log p(x) of each row as it is, with bounds the log-probability; all three as in `fit`."""
        if error is None and lower is None and upper is None:
            return super().score_samples(X)
        return self._knowing(X, error, lower, upper, "log_density")

    def score(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Weights = None,
        *,
        error: Any = None,
        lower: Any = None,
        upper: Any = None,
    ) -> float:
        """The mean of `score_samples` per unit of weight."""
        if error is None and lower is None and upper is None:
            return super().score(X, y, sample_weight)
        self._refuse_beside(error, lower, upper)
        who = "lower, upper" if error is None else "error"
        X, own = read(self, X, self.fitted_family(), who)
        log_p = self.score_samples(X, error, lower=lower, upper=upper)
        total, weight = self._summed(log_p, own if sample_weight is None else sample_weight)
        return total / weight

    def predict(
        self, X: Any, error: Any = None, *, lower: Any = None, upper: Any = None
    ) -> AnyArray:
        """The most probable component of each row; `error`, `lower` and `upper` as in `fit`."""
        if error is None and lower is None and upper is None:
            return super().predict(X)
        found = self._knowing(X, error, lower, upper, "responsibilities")
        return np.asarray(found.argmax(axis=1))

    def predict_proba(
        self,
        X: Any,
        top: int | None = None,
        error: Any = None,
        *,
        lower: Any = None,
        upper: Any = None,
    ) -> Any:
        """P(k | x): the responsibility of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top : int, optional
            Keep only so many of each row, the largest, as a sparse matrix.
        error, lower, upper : as in `fit`, optional
            Of these rows; not with `top`.
        """
        if error is None and lower is None and upper is None:
            return super().predict_proba(X, top)
        self._refuse_beside(error, lower, upper)
        if top is not None:
            who = "lower, upper: with them" if error is None else "error: with it"
            raise ValueError(f"{who} all responsibilities are worked out: leave top out")
        return self._knowing(X, error, lower, upper, "responsibilities")

    def _knowing(self, X: Any, error: Any, lower: Any, upper: Any, what: str) -> Array:
        """One of `RowOutputs` of rows of which more is known."""
        self._refuse_beside(error, lower, upper)
        return self._between(X, lower, upper, what)

    def _between(self, X: Any, lower: Any, upper: Any, what: str) -> Array:
        """One of `RowOutputs` of rows with intervals."""
        family = self.fitted_family()
        X, _ = read(self, X, family, "lower, upper")
        X, _ = validated(self, X, [family], reset=False, filling=True)
        names = column_names(getattr(self, "feature_names_in_", None), X.shape[1])
        lower, upper = (
            None if each is None else self._beside(name, each, absent=np.nan)
            for name, each in (("lower", lower), ("upper", upper))
        )
        cells = placed(X, lower, upper, family, names)
        refuse_asked(family, cells.x, names)
        refuse_settings(self, Rows(X), "lower, upper")
        return told(self, censored(family.filling(cells.x)), cells.wide, what)


def refuse_error(error: Any) -> None:
    """ValueError where errors are given to components that know none."""
    if error is not None:
        raise ValueError(
            "error: rows with errors are known to GaussianMixture and its search: use these, "
            "or leave error out"
        )


def told(mixture: Any, family: Family, wide: Array, what: str) -> Array:
    """One of `RowOutputs` of rows with more columns behind, which this family knows."""
    model, params = mixture._fitted()
    out = np.empty((len(wide),) if what == "log_density" else (len(wide), len(params.weights)))
    model, log_density = replace(model, family=family), np.empty(len(wide))
    fill("threads", model, wide, params, RowOutputs(**({"log_density": log_density} | {what: out})))
    if what != "log_density":
        refuse_lost(model, params, wide, log_density, 0)
    return out


def refuse_settings(mixture: Any, rows: Source, who: str) -> None:
    """ValueError for what rows with more columns behind, `who`, are not known to."""
    if not isinstance(rows, Rows):
        raise ValueError(f"{who}: X is read in pieces, and these are of rows in memory: load it")
    other = asked_beside(mixture)
    if other:
        raise ValueError(f"{who}: such rows know no {other}: leave {other} out")
    for name, known in (("solver", _SOLVERS), ("engine", _ENGINES)):
        value = getattr(mixture, name)
        if value not in known:
            raise ValueError(
                f"{who}: {name} must be one of {', '.join(known)} with it, found {value!r}"
            )

"""What `lower=` and `upper=` change of a mixture: cells of which only an interval is known."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mixtura.data.door import column_names
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import PLAIN, fill
from mixtura.estimators.answering import refuse_lost
from mixtura.estimators.beside import asked_beside
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.intake import validated
from mixtura.estimators.known import refuse_told
from mixtura.estimators.opened import read
from mixtura.estimators.tables_beside import beside_rows, present
from mixtura.families.base import Family
from mixtura.families.domain import refuse_asked
from mixtura.families.intervals import Cells, censored, knows, stranger, support, unbounded
from mixtura.families.registry import those
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
        _refuse_endless(cells, X, there, self._names())
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


def doubt_unbounded(cells: Cells, family: Family, names: list[str], K: int) -> None:
    """Warn of columns where nothing holds components; ValueError where rows are alike too, and K of
    them, if any, are to be told apart."""
    for j, why in unbounded(cells, family):
        said = (
            f"lower, upper: column {names[j]!r} has intervals alone, and {why}: "
            "give the numbers or other bounds of some cells, or leave the column out"
        )
        if K and len(np.unique(cells.x, axis=0)) < max(2, K):
            raise ValueError(said)
        warnings.warn(said, ConvergenceWarning, stacklevel=6)


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


def _refuse_endless(cells: Cells, X: AnyArray, there: AnyArray | None, names: list[str]) -> None:
    """ValueError for a row or a column that bounds have left without any cell."""
    gone = np.isnan(cells.x) & ~np.isnan(X)
    if there is None or len(there) != len(X):
        there = np.ones(len(X), dtype=bool)
    rows, columns = (np.isnan(cells.x).all(axis=axis) & gone.any(axis=axis) for axis in (1, 0))
    where = [row_at(i) for i in np.flatnonzero(rows & there)]
    where += [f"column {names[j]!r}" for j in np.flatnonzero(columns)]
    if where:
        raise ValueError(
            f"lower, upper: {where[0]} has only intervals of all numbers that the family knows, "
            "which are missing cells: leave it out, or give a bound that tells more"
        )


def placed(
    X: AnyArray, lower: Array | None, upper: Array | None, family: Family, names: list[str]
) -> Cells:
    """The cells, a number of their interval standing in for those with one; ValueError else."""
    x = np.array(X, dtype=np.float64)
    low, high = (_bound(name, each, x.shape) for name, each in (("lower", lower), ("upper", upper)))
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    for i, j in np.argwhere((low == np.inf) | (high == -np.inf)):
        end = "lower=inf" if low[i, j] == np.inf else "upper=-inf"
        raise ValueError(
            f"lower, upper: {row_at(i)}, column {names[j]!r} has {end}, and no number lies beyond: "
            "NaN, lower=-inf and upper=inf are no bound"
        )
    x[low == high] = low[low == high]
    bounded = (low != high) & (np.isfinite(low) | np.isfinite(high))
    who = stranger(family, bounded.any(axis=0))
    if who:
        more = those(lambda kind: knows(kind, 2))
        alone = those(lambda kind: knows(kind, 1) and not knows(kind, 2))
        raise ValueError(
            f"lower, upper: intervals are known to {more}, to one column alone of {alone}, and to "
            f"these as blocks of a product; found {who!r}: leave its columns out"
        )
    least, whole, _ = support(family, x.shape[1])
    given, low = low, np.maximum(low, least)
    # Above -0.01 are all counts, as above -1.
    first, last = (np.where(whole, np.floor(end), end) for end in (low, high))
    for i, j in np.argwhere(bounded & (last <= first)):
        told, beyond = f"upper={high[i, j]:g}", "so small"
        if given[i, j] > -np.inf:
            told = f"lower={given[i, j]:g} and {told}"
            beyond = "above the one and at most the other"
        raise ValueError(
            f"lower, upper: {row_at(i)}, column {names[j]!r} has {told}, and no number of family "
            f"{family.name!r} is {beyond}"
        )
    with np.errstate(invalid="ignore"):
        middle = np.where(high == np.inf, np.where(whole, first + 1, low), (low + high) / 2)
    middle = np.where(
        low == -np.inf, high, np.where(whole, np.minimum(np.ceil(middle), last), middle)
    )
    # All that a family has is no interval: such a cell is missing.
    nothing = bounded & (first == least) & (high == np.inf)
    x, bounded = np.where(nothing, np.nan, np.where(bounded, middle, x)), bounded & ~nothing
    return Cells(x, np.where(bounded, low, np.nan), np.where(bounded, high, np.nan))


def _bound(name: str, given: Array | None, shape: tuple[int, ...]) -> Array:
    """That of each cell, NaN where there is none; ValueError for another shape."""
    found = np.asarray(np.nan if given is None else given)
    if given is not None and found.shape != shape:
        raise ValueError(
            f"{name} must have the shape of X, {shape}, NaN where a cell has no such bound, found "
            f"{found.shape}"
        )
    return np.broadcast_to(found, shape)

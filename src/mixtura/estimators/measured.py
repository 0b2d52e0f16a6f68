"""What `error=` changes of a `GaussianMixture`: rows with known errors of measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import fill
from mixtura.estimators.beside import asked_beside
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.known import refuse_told
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.matrices import Full
from mixtura.families.gaussian.measured import Measured
from mixtura.records import AnyArray, Array

# Solvers that look at rows through the E-step alone, and engines that sweep by it.
_SOLVERS = ("auto", "em", "squarem", "anderson", "lbfgs", "newton")
_ENGINES = ("auto", "local", "threads")
# Of the largest variance: covariances may be so far from symmetric and positive.
_ROUNDING = 1e-10


class MeasuredRows(ClimbedMixture):
    """Fits and answers that know the errors of rows; by `ClimbedMixture` where none are given."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        labels: Any = None,
        checkpoint: Any = None,
        max_seconds: float | None = None,
        error: Any = None,
    ) -> Self:
        """Fit the mixture to the rows of X.

        Parameters
        ----------
        X, y, sample_weight, labels, checkpoint, max_seconds
            As in `Mixture.fit`; missing cells are NaN.
        error : array-like of shape (n_samples, n_features) or (n_samples, n_features, \
                n_features), optional
            In the units of X: standard deviations of the errors of cells, or in their squares the
            covariance of the errors of each row. The mixture is then of the numbers behind the
            rows (extreme deconvolution: Bovy, Hogg & Roweis 2011, Annals of Applied Statistics 5).
            For covariance_type="full" and rows in memory.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found; the estimator is left as it was.
        """
        if error is None:
            return super().fit(
                X, y, sample_weight, labels=labels, checkpoint=checkpoint, max_seconds=max_seconds
            )
        if checkpoint is not None:
            raise ValueError("error: a checkpoint does not keep errors: leave checkpoint out")
        self._error = error, sample_weight
        try:
            return super().fit(X, y, sample_weight, labels=labels, max_seconds=max_seconds)
        finally:
            del self._error

    def _search(self, rows: Source, task: Any, *others: Any) -> Any:
        if "_error" in self.__dict__:
            error, weight = self._error
            refuse_settings(self, task.family, rows)
            assert isinstance(rows, Rows)
            covered = np.asarray(error, dtype=np.float64)
            if weight is not None and len(covered) != rows.n:
                covered = covered[np.asarray(weight) > 0]
            task = replace(task, family=measured(task.family, rows.d))
            rows = replace(rows, X=with_errors(rows.X, covered))
        return super()._search(rows, task, *others)

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Bayesian information criterion; ValueError after a fit with `error`: see `summary`."""
        refuse_told("bic", self)
        return super().bic(X, sample_weight)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike information criterion; ValueError after a fit with `error`: see `summary`."""
        refuse_told("aic", self)
        return super().aic(X, sample_weight)

    def score_samples(self, X: Any, error: Any = None) -> AnyArray:
        """log p(x) of each row; `error` as in `fit`: then of the row as it was measured."""
        if error is None:
            return super().score_samples(X)
        return self._of_measured(X, error, "log_density")

    def predict(self, X: Any, error: Any = None) -> AnyArray:
        """The most probable component of each row; `error` as in `fit`."""
        if error is None:
            return super().predict(X)
        return np.asarray(self._of_measured(X, error, "responsibilities").argmax(axis=1))

    def predict_proba(self, X: Any, top: int | None = None, error: Any = None) -> Any:
        """P(k | x): the responsibility of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top : int, optional
            Keep only so many of each row, the largest, as a sparse matrix.
        error : as in `fit`, optional
            Of these rows; not with `top`.
        """
        if error is None:
            return super().predict_proba(X, top)
        if top is not None:
            raise ValueError("error: with it all responsibilities are worked out: leave top out")
        return self._of_measured(X, error, "responsibilities")

    def _of_measured(self, X: Any, error: Any, what: str) -> Array:
        """One of `RowOutputs` of rows with errors."""
        rows = self._asked(X, filling=True)
        model, params = self._fitted()
        assert isinstance(model.family, Gaussian)
        refuse_settings(self, model.family, rows)
        assert isinstance(rows, Rows)
        model = replace(model, family=measured(model.family, rows.d))
        shape = (rows.n,) if what == "log_density" else (rows.n, len(params.weights))
        out = np.empty(shape)
        table = with_errors(rows.X, np.asarray(error, dtype=np.float64))
        fill("threads", model, table, params, RowOutputs(**{what: out}))
        return out


def measured(family: Gaussian, d: int) -> Measured:
    """The family of d columns whose errors follow."""
    return Measured(family.structure, family.reg_covar, gaps=family.gaps, columns=d)


def refuse_settings(mixture: Any, family: Any, rows: Source) -> None:
    """ValueError for what errors are not known to."""
    if not isinstance(rows, Rows):
        raise ValueError("error: X is read in pieces, and errors are of rows in memory: load it")
    own = isinstance(family, Gaussian) and family.structure.inside
    if not own or type(family.form) is not Full:
        raise ValueError(
            "error: the M-step of rows with errors is known for covariance_type='full', found "
            f"{mixture.covariance_type!r}"
        )
    other = asked_beside(mixture)
    if other:
        raise ValueError(f"error: rows with errors know no {other}: leave {other} out")
    for name, known in (("solver", _SOLVERS), ("engine", _ENGINES)):
        value = getattr(mixture, name)
        if value not in known:
            raise ValueError(
                f"error: {name} must be one of {', '.join(known)} with it, found {value!r}"
            )


def with_errors(X: AnyArray, error: Array) -> Array:
    """The rows with the variances or covariances of their errors behind; ValueError says why not.

    Those of missing cells say nothing, and are 0.
    """
    n, d = X.shape
    if error.shape not in ((n, d), (n, d, d)):
        raise ValueError(
            f"error must have the shape {(n, d)}, standard deviations of cells, or {(n, d, d)}, "
            f"covariances of rows, found {error.shape}"
        )
    there = ~np.isnan(X)
    if error.ndim == 3:
        there = there[:, :, None] & there[:, None, :]
    error = np.where(there, error, 0.0)
    bad = np.argwhere(~np.isfinite(error))
    if len(bad):
        raise ValueError(
            f"error: row {bad[0, 0]}, column {bad[0, 1]} has {error[tuple(bad[0])]}: what is not "
            "known at all is a missing cell: write NaN into X there"
        )
    if error.ndim == 2:
        for i, j in np.argwhere(error < 0):
            raise ValueError(
                f"error: row {i}, column {j} has {error[i, j]}: a deviation is not negative"
            )
        return np.hstack([np.asarray(X, dtype=np.float64), error**2])
    scale = np.abs(error).max(axis=(1, 2))
    skew = np.abs(error - np.swapaxes(error, 1, 2)).max(axis=(1, 2))
    least = np.linalg.eigvalsh(error).min(axis=1)
    for i in np.flatnonzero((skew > _ROUNDING * scale) | (least < -_ROUNDING * scale)):
        raise ValueError(
            f"error: the covariance of row {i} is not symmetric and positive (its least eigenvalue "
            f"is {least[i]:.3g}): standard deviations have the shape {(n, d)}"
        )
    return np.hstack([np.asarray(X, dtype=np.float64), error.reshape(n, d * d)])

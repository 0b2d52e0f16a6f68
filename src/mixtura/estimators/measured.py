"""What `error=` changes of a `GaussianMixture`: rows with known errors of measurement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.door import column_names
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.estimators.interval_cells import placed
from mixtura.estimators.intervals import IntervalRows, refuse_error, refuse_settings, told
from mixtura.estimators.opened import read
from mixtura.estimators.tables_beside import present
from mixtura.families.base import Family
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.measured import Measured
from mixtura.families.intervals import censored
from mixtura.records import AnyArray, Array, Weights

# Of the largest variance: covariances may be so far from symmetric and positive.
_ROUNDING = 1e-10
# The square of a larger deviation, beside the variance of a component, is no number.
_WIDEST = 1e150


class MeasuredRows(IntervalRows):
    """Fits and answers that know the errors of rows; by `IntervalRows` where none are given."""

    def _refuse_beside(self, error: Any, *bounds: Any) -> None:
        if error is not None:
            refuse_both(*bounds)

    @contextmanager
    def _told_of(
        self, sample_weight: Weights, *, error: Any = None, **bounds: Any
    ) -> Iterator[None]:
        if error is not None:
            self._error = error, present(sample_weight)
        try:
            with super()._told_of(sample_weight, **bounds):
                yield
        finally:
            if error is not None:
                del self._error

    def _search(self, rows: Source, task: Any, *others: Any) -> Any:
        if "_error" in self.__dict__:
            error, there = self._error
            refuse_structure(self, task.family)
            refuse_settings(self, rows, "error")
            assert isinstance(rows, Rows)
            # What is said of a row that is not there does not matter.
            covered = self._beside("error", error, there, absent=0.0)
            if there is not None and len(covered) == len(there) != rows.n:
                covered = covered[there]
            wide = with_errors(rows.X, covered, self._names())
            # Where nothing is in error the moves and kernels of plain rows find more.
            if covered.any():
                task = replace(task, family=measured(task.family, rows.d))
                rows = replace(rows, X=wide)
        return super()._search(rows, task, *others)

    def _knowing(self, X: Any, error: Any, lower: Any, upper: Any, what: str) -> Array:
        if error is None:
            return super()._knowing(X, error, lower, upper, what)
        self._refuse_beside(error, lower, upper)
        family = self.fitted_family()
        rows = self._asked(read(self, X, family, "error")[0], filling=True)
        refuse_structure(self, family)
        refuse_settings(self, rows, "error")
        assert isinstance(rows, Rows)
        assert isinstance(family, Gaussian)
        wide = with_errors(rows.X, self._beside("error", error, absent=0.0), self._names())
        return told(self, measured(family, rows.d), wide, what)


def widened(mixture: Any, family: Family, rows: Rows) -> tuple[Family, Rows]:
    """The family and the rows in which what is known of cells stands behind; ValueError for a
    family that cannot know it."""
    beside = rows.measured
    if "error" in beside:
        if not isinstance(mixture, MeasuredRows):
            refuse_error(beside["error"])
        refuse_structure(mixture, family)
        assert isinstance(family, Gaussian)
        wide = with_errors(rows.X, beside["error"], _column_names(mixture, rows.d))
        return measured(family, rows.d), replace(rows, X=wide)
    if not beside:
        return family, rows
    names = _column_names(mixture, rows.d)
    cells = placed(rows.X, beside.get("lower"), beside.get("upper"), family, names)
    return censored(family.filling(cells.x)), replace(rows, X=cells.wide)


def _column_names(mixture: Any, d: int) -> list[str]:
    """Of the table, where the mixture has met one."""
    return column_names(getattr(mixture, "feature_names_in_", None), d)


def refuse_both(*bounds: Any) -> None:
    """ValueError where errors and bounds are given at once."""
    if any(each is not None for each in bounds):
        raise ValueError(
            "error: cells of which only an interval is known have no errors: leave error out, or "
            "lower and upper"
        )


def measured(family: Gaussian, d: int) -> Measured:
    """The family of d columns whose errors follow."""
    return Measured(family.structure, family.reg_covar, gaps=family.gaps, columns=d)


def refuse_structure(mixture: Any, family: Any) -> None:
    """ValueError for components that know no errors."""
    if type(family) is not Gaussian:
        raise ValueError(
            "error: the M-step of rows with errors is known for covariances without factors, found "
            f"{mixture.covariance_type!r}"
        )


def with_errors(X: AnyArray, error: Array, names: list[str]) -> Array:
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
            f"error: {row_at(bad[0, 0])}, column {names[bad[0, 1]]!r} has {error[tuple(bad[0])]}: "
            "what is not known at all is a missing cell: write NaN into X there"
        )
    if error.ndim == 2:
        for i, j in np.argwhere(error < 0):
            raise ValueError(
                f"error: {row_at(i)}, column {names[j]!r} has {error[i, j]}: a deviation is not "
                "negative"
            )
        for i, j in np.argwhere(error > _WIDEST):
            raise ValueError(
                f"error: {row_at(i)}, column {names[j]!r} has {error[i, j]}, whose square is "
                "beyond float64: what is not known at all is a missing cell: write NaN into X there"
            )
        return np.hstack([np.asarray(X, dtype=np.float64), error**2])
    scale = np.abs(error).max(axis=(1, 2))
    skew = np.abs(error - np.swapaxes(error, 1, 2)).max(axis=(1, 2))
    least = np.linalg.eigvalsh(error).min(axis=1)
    for i in np.flatnonzero((skew > _ROUNDING * scale) | (least < -_ROUNDING * scale)):
        why = f"its least eigenvalue is {least[i]:.3g}"
        if skew[i] > _ROUNDING * scale[i]:
            why = f"cells across its diagonal differ by {skew[i]:.3g}"
        raise ValueError(
            f"error: the covariance of {row_at(i)} is not symmetric and positive ({why}): standard "
            f"deviations have the shape {(n, d)}"
        )
    return np.hstack([np.asarray(X, dtype=np.float64), error.reshape(n, d * d)])

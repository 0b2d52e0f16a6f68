"""The moments of a table with missing cells, as one Gaussian tells them, and what fills its gaps.

A direction without variance is looked for where the Gaussian is narrow, and told from a narrow one
by the rows that have all of its columns: EM comes to a variance of zero ever more slowly.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np

from mixtura.data.column_moments import ColumnMoments, Moments
from mixtura.data.moments import CHUNK, TableMoments
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.families.collapse import few_rows
from mixtura.families.gaussian.gaps import expected, given, scores
from mixtura.families.gaussian.held import null_directions
from mixtura.families.gaussian.matrices import Full
from mixtura.families.patterns import patterns
from mixtura.records import AnyArray, Array, Equation

# Of one Gaussian for the whole table: steps at most, and where they end, in standard deviations.
_STEPS, _SETTLED = 100, 1e-4
# Added to correlations there: a column may be a sum of others.
_RIDGE = 1e-9
# A direction may be without variance where EM left so little of it, and is one of the columns that
# have such a share of it, squared.
_NARROW, _PART = 1e-2, 1e-3


def one_gaussian(rows: Rows) -> tuple[Array, Array]:
    """Mean (d,) and covariance (d, d) of the whole table by EM, its columns in their own units."""
    X = np.asarray(rows.X, dtype=np.float64)
    w = np.ones(len(X)) if rows.sample_weight is None else rows.sample_weight
    centre, variance = _by_column(X, w)
    unit = np.where(variance > 0, np.sqrt(variance), 1.0)
    kinds = patterns(X)
    Z, w, there = ((X - centre) / unit)[kinds.order], w[kinds.order], kinds.seen[kinds.index]
    mean, covariance = np.zeros(X.shape[1]), np.eye(X.shape[1])
    weights = np.add.reduceat(w, [own.start for own in kinds.slices])
    for _ in range(_STEPS):
        told = given(kinds.seen, covariance)
        z = scores(np.where(there, Z - mean, 0.0), kinds, told)
        y = np.where(there, Z - mean, expected(z, kinds, told))
        step = w @ y / w.sum()
        scatter = (y.T * w) @ y + np.einsum("p,pij->ij", weights, told.left)
        new = scatter / w.sum() - np.outer(step, step) + _RIDGE * np.eye(len(mean))
        moved = max(np.abs(step).max(), np.abs(new - covariance).max())
        mean, covariance = mean + step, new
        if moved < _SETTLED:
            break
    covariance = covariance * np.outer(unit, unit)
    covariance[variance == 0], covariance[:, variance == 0] = 0.0, 0.0
    return centre + unit * mean, covariance


def _by_column(X: Array, w: Array) -> tuple[Array, Array]:
    """Mean and variance of what is there of each column."""
    seen = ~np.isnan(X)
    total = w @ seen
    first = X[np.argmax(seen, axis=0), np.arange(X.shape[1])]
    away = np.where(seen, X - first, 0.0)
    mean = (w @ away) / total
    return first + mean, np.where(seen, (away - mean) ** 2, 0.0).T @ w / total


def _scatter(survey: Survey, columns: AnyArray) -> tuple[Array, Array] | None:
    """(one of the rows that have these m columns, the covariance (m, m) of all of them); None where
    a sample has hardly any such."""
    X = np.asarray(survey.sample.X, dtype=np.float64)[:, columns]
    X = X[~np.isnan(X).any(axis=1)]
    if len(X) < (few_rows(len(columns)) if len(columns) > 1 else 1):
        return None
    # About a row, of which a constant is exactly: the one in the middle, for digits' sake.
    away = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-300)
    centre = X[np.argmin((away**2).sum(axis=1))]

    def summed(part: Source) -> Array:
        total = np.zeros((len(columns) + 1,) * 2)
        for rows, w, *_ in part.chunks(CHUNK):
            x = np.asarray(rows, dtype=np.float64)[:, columns] - centre
            some = ~np.isnan(x).any(axis=1)
            x = np.column_stack([np.ones(some.sum()), x[some]])
            total += x.T @ (x if w is None else x * w[some, None])
        return total

    total = survey.source.reduced(summed, operator.add)
    mean = total[0, 1:] / total[0, 0]
    return centre, np.asarray(total[1:, 1:] / total[0, 0] - np.outer(mean, mean))


def _flattened(survey: Survey, mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Both without what EM left of directions in which the table has no variance."""
    unit = np.where(np.diagonal(covariance) > 0, np.sqrt(np.diagonal(covariance)), 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(unit, unit) + np.diag(unit == 0))
    columns = np.flatnonzero((vectors[:, values < _NARROW] ** 2).sum(axis=1) > _PART)
    columns = columns[np.diagonal(covariance)[columns] > 0]
    found = _scatter(survey, columns) if len(columns) > 1 else None
    if found is None:
        return mean, covariance
    row, scatter = found
    own = np.where(np.diagonal(scatter) > 0, np.sqrt(np.diagonal(scatter)), 1.0)
    _, null = null_directions(scatter, own, Full())
    along = np.zeros((len(unit), null.shape[1]))
    along[columns] = null * (unit[columns] / own)[:, None]
    along, _ = np.linalg.qr(along)
    off = along[columns].T @ ((row - mean[columns]) / unit[columns])
    left = (np.eye(len(unit)) - along @ along.T) / unit
    flat = unit[:, None] * (left @ covariance @ left.T) * unit
    return mean + unit * (along @ off), np.asarray(flat)


def _varied(survey: Survey, variance: Array) -> Array:
    """Variances of columns, where a sample's are 0 those of the whole table."""
    found = variance.copy()
    for j in np.flatnonzero(variance == 0):
        told = _scatter(survey, np.array([j]))
        found[j] = 0.0 if told is None else told[1][0, 0]
    return found


def refuse_lone(X: AnyArray, equations: tuple[Equation, ...]) -> None:
    """ValueError for a column that one row alone has, of rows X (n, d) with these in common."""
    for each in equations:
        if len(each.columns) == 1 and np.count_nonzero(~np.isnan(X[:, each.columns[0]])) < 2:
            raise ValueError(
                f"X has missing cells, and in column {each.columns[0]} (counted from 0) only one "
                "row has a value, so nothing tells how it varies: leave the column out"
            )


Fill = Callable[[AnyArray], Array]


def column_gap_moments(survey: Survey) -> tuple[ColumnMoments, Fill]:
    """Those of each column by itself; gaps are filled by its mean."""
    sample = survey.sample
    weights = np.ones(sample.n) if sample.sample_weight is None else sample.sample_weight
    mean, variance = _by_column(np.asarray(sample.X, dtype=np.float64), weights)
    found = ColumnMoments(survey.source.weight, survey.rows, mean, _varied(survey, variance))
    return found, lambda X: np.where(np.isnan(X), mean, X)


def gap_moments(survey: Survey, *, correlates: bool) -> tuple[Moments, Fill]:
    """The table's moments, as told by a sample of its rows; and what fills gaps by them."""
    if not correlates:
        return column_gap_moments(survey)
    sample = survey.sample
    mean, covariance = one_gaussian(sample)
    np.fill_diagonal(covariance, _varied(survey, np.diagonal(covariance)))
    mean, covariance = _flattened(survey, mean, covariance)
    whole = TableMoments(
        survey.source.weight, survey.rows, mean, covariance, len(sample.X), survey.groups
    )
    unit = np.where(np.diagonal(covariance) > 0, np.sqrt(np.diagonal(covariance)), 1.0)
    correlation = covariance / np.outer(unit, unit) + _RIDGE * np.eye(len(mean))

    def fill(X: AnyArray) -> Array:
        kinds, out = patterns(X), np.empty(X.shape)
        there = kinds.seen[kinds.index]
        Z = (np.asarray(X, dtype=np.float64)[kinds.order] - mean) / unit
        told = given(kinds.seen, correlation)
        filled = expected(scores(np.where(there, Z, 0.0), kinds, told), kinds, told)
        out[kinds.order] = mean + unit * np.where(there, Z, filled)
        return out

    return whole, fill

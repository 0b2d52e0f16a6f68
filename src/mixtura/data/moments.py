"""The mean and covariance of a whole table: the units everything else is measured in."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.records import AnyArray, Array

CHUNK = 4096
# A direction whose share of the correlation matrix is below this, times the number of columns, is
# without variance: what is there is the rounding of the matrix itself.
NO_VARIANCE = 1e-15
# A column is constant whose standard deviation is below so many units in the last place of its
# mean: one that was computed, as a / (3 * a), is constant but for rounding.
LAST_PLACES = 4.0
# Further terms of a computed column may have been larger, as in (100 * a + .1) - 100 * a: below so
# many units its numbers tell. Rounding gives so large a share of the rows few numbers, each to a
# hundredth of the rows or more, most with so many digits, which nobody writes.
FURTHER, MOST, OFTEN, SEVERAL, DIGITS = 2.0**24, 0.75, 1 / 100, 16, 15
# Degrees of freedom of the robust scatter: few, so that far rows hardly count.
_FREEDOM = 3.0
_ROBUST_STEPS = 50
# With more columns an axis is found without their covariance.
_MANY_COLUMNS, _TURNS = 256, 30
# Rows more than ten robust standard deviations out are outliers if at most this share is there.
FAR, FEW = 100.0, 0.02


@dataclass(frozen=True)
class TableMoments:
    """weight = sum of weights, rows = rows with a positive weight, mean (d,), covariance (d, d).

    distinct = distinct rows, at most those that were looked at; 0 where nobody counted them.
    groups = means that are taken from the rows.
    """

    weight: float
    rows: int
    mean: Array
    covariance: Array
    distinct: int = 0
    groups: int = 1

    @property
    def variance(self) -> Array:
        """The variance of each column, (d,)."""
        return np.diagonal(self.covariance)

    @property
    def flat(self) -> bool:
        """Whether the (distinct) rows are too few to tell a scatter within groups.

        With one group: no more of them than columns. Every further group takes a mean, and where
        not another row is left for it, a row by itself narrows the scatter of the others as much
        as a group does.
        """
        return (self.distinct or self.rows) < len(self.mean) + 2 * self.groups - 1


def table_moments(X: AnyArray, sample_weight: Array | None) -> TableMoments:
    """`source_moments` of a table in memory."""
    return source_moments(Rows(X, sample_weight))


def source_mean(source: Source) -> Array:
    """The weighted mean (d,), summed about the first row with weight."""
    total = source.reduced(_total, _both)
    assert total is not None, "no row carries weight"
    return np.asarray(total.shift + total.sum / source.weight)


class _Total(NamedTuple):
    """The sum (d,) of some rows less `shift`, and their weight."""

    shift: Array
    sum: Array
    weight: float


def _total(source: Source) -> _Total | None:
    shift: Array | None = None
    total = np.zeros(source.d)
    for X, w, *_ in source.chunks(CHUNK):
        x = np.asarray(X, dtype=np.float64)
        if shift is None:
            if w is not None and not w.any():
                continue
            shift = x[0] if w is None else x[np.argmax(w > 0)]
        total += (x - shift).sum(axis=0) if w is None else w @ (x - shift)
    return None if shift is None else _Total(shift, total, source.weight)


def _both(one: _Total | None, two: _Total | None) -> _Total | None:
    """The total of both, about the shift of the first."""
    if one is None or two is None:
        return one or two
    moved = two.sum + two.weight * (two.shift - one.shift)
    return _Total(one.shift, one.sum + moved, one.weight + two.weight)


def source_moments(source: Source) -> TableMoments:
    """Weighted mean and (maximum likelihood) covariance, in two passes about the mean.

    Two passes because the one-pass formula loses twice the digits of the offset.
    """
    mean = source_mean(source)

    def scattered(part: Source) -> Array:
        scatter = np.zeros((part.d, part.d))
        for X, w, *_ in part.chunks(CHUNK):
            residual = np.asarray(X, dtype=np.float64) - mean
            scatter += (residual if w is None else residual * w[:, None]).T @ residual
        return scatter

    covariance = source.reduced(scattered, operator.add) / source.weight
    rounding = constant_but_for_rounding(mean, np.diagonal(covariance), source)
    covariance[rounding], covariance[:, rounding] = 0.0, 0.0
    return TableMoments(source.weight, source.positive, mean, covariance)


def constant_but_for_rounding(
    mean: Array, variance: Array, source: Source | None = None
) -> NDArray[np.bool_]:
    """Which columns (d,) vary by no more than rounding: that of float64 numbers of their size, or,
    where the rows of `source` look so, of larger ones that they were computed from."""
    unit, deviation = np.finfo(np.float64).eps * np.abs(mean), np.sqrt(variance)
    found = np.asarray(deviation <= LAST_PLACES * unit)
    doubtful = np.flatnonzero(~found & (deviation <= FURTHER * unit))
    if source is not None and len(doubtful):
        some = source.reduced(
            lambda part: np.asarray(next(iter(part.chunks(CHUNK)))[0][:, doubtful], np.float64),
            lambda one, two: one if len(one) else two,
        )
        found[doubtful] = [_computed(column) for column in some.T]
    return found


def _computed(column: AnyArray) -> bool:
    """Whether the numbers of a column are few, and such as nobody writes."""
    values, counts = np.unique(column, return_counts=True)
    often = counts >= max(OFTEN * len(column), 2)
    few = often.sum() <= SEVERAL and counts[often].sum() >= MOST * len(column)
    if not few or (values == np.rint(values)).all():
        return False
    written = (repr(float(value)).partition("e")[0] for value in values)
    digits = [len(each.replace(".", "").strip("-0")) for each in written]
    return 2 * sum(many >= DIGITS for many in digits) >= len(digits)


def longest_axis(centred: Array, mass: Array) -> Array:
    """The direction (d,) in which centred rows (n, d) with weights `mass` (n,) vary most.

    With many columns it is approached by the power method, whose end lies among the longest axes.
    """
    if centred.shape[1] <= _MANY_COLUMNS:
        _, axes = np.linalg.eigh((centred.T * mass) @ centred)
        return np.asarray(axes[:, -1])
    axis = centred[np.argmax(mass * np.einsum("ij,ij->i", centred, centred))]
    for _ in range(_TURNS):
        axis = (mass * (centred @ axis)) @ centred
        axis = axis / max(float(np.linalg.norm(axis)), 1e-300)
    return np.asarray(axis)


def robust_covariance(X: Array, w: Array, mean: Array, covariance: Array) -> Array:
    """The scatter of a multivariate t with 3 degrees of freedom: units that outliers do not set.

    One row a million standard deviations away decides a covariance, and with it what counts as
    narrow; it hardly moves this. Equivariant under every affine map, as the covariance is.
    Source: Kent & Tyler (1991), Redescending M-estimates of multivariate location and scatter,
    Annals of Statistics 19; fixed-point iteration. Directions in which `covariance` is singular
    stay singular. Returns `covariance` itself where more than a few rows are far out, as in
    columns that are mostly zero.
    """
    d = len(mean)
    unit = np.where(np.diagonal(covariance) > 0, np.sqrt(np.diagonal(covariance)), 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(unit, unit))
    # Not to rounding only: a constant column with a variance of 1e-30 would have that as its scale.
    vectors[np.diagonal(covariance) <= 0] = 0.0
    kept = values > NO_VARIANCE * d
    if not kept.any():
        return covariance
    basis = vectors[:, kept] / np.sqrt(values[kept])
    Z = ((X - mean) / unit) @ basis
    centre, scatter = np.zeros(Z.shape[1]), np.eye(Z.shape[1])
    for _ in range(_ROBUST_STEPS):
        try:
            root = np.linalg.cholesky(scatter)
        except np.linalg.LinAlgError:  # more than half of the rows lie in a plane
            return covariance
        y = np.linalg.solve(root, (Z - centre).T)
        distance = np.einsum("ji,ji->i", y, y)
        u = w * (_FREEDOM + len(root)) / (_FREEDOM + distance)
        centre = u @ Z / u.sum()
        residual = Z - centre
        before, scatter = scatter, (residual.T * u) @ residual / u.sum()
        if np.abs(scatter - before).max() <= 1e-2 * np.abs(scatter).max():
            break
    if w[distance > FAR * len(root)].sum() > FEW * w.sum():
        return covariance  # too many to be outliers: they are what the table is like
    back = unit[:, None] * (vectors[:, kept] * np.sqrt(values[kept]))
    return np.asarray(back @ scatter @ back.T)


def principal_axes(source: Source) -> Array:
    """The eigenvectors of the table's covariance, (d, d), a column each; passes over the rows."""
    return np.asarray(np.linalg.eigh(np.atleast_2d(source_moments(source).covariance))[1])

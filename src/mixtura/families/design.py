"""Covariates as coordinates without units: a column of ones, and columns that do not correlate.

Coefficients are estimated there about their current values, so neither the columns' units nor
their offsets nor their correlations cost digits: each step refines the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mixtura.data.rows import Rows
from mixtura.families.domain import BadColumn
from mixtura.records import AnyArray, Array

# A column that varies less than this share of its size is constant but for rounding; one whose
# deviation is cut to this share once those before it are known is their sum.
CONSTANT, DEPENDENT = 1e-12, 1e-7
# Rows kept to tell expectations over the covariates by.
KEPT = 2000
# Information smaller than this share of the largest is none.
NOTHING = 1e-12


@dataclass(frozen=True)
class Design:
    """z = (1, (x - centre) / deviation @ root) of the p covariates x, (n, q).

    columns    where they stand in a row
    intercept  whether there is the column of ones; without it nothing is centred
    rows       some rows of the table (m, d), shares (m,) their weights, which add up to 1
    """

    columns: tuple[int, ...]
    intercept: bool
    centre: Array
    deviation: Array
    root: Array
    rows: Array = field(repr=False)
    shares: Array = field(repr=False)

    @property
    def size(self) -> int:
        """q, the number of coefficients."""
        return len(self.columns) + self.intercept

    def z(self, X: AnyArray) -> Array:
        """The coordinates of these rows."""
        own = (X[:, self.columns] - self.centre) / self.deviation @ self.root
        return np.column_stack([np.ones(len(X)), own]) if self.intercept else np.asarray(own)

    @cached_property
    def turn(self) -> Array:
        """(q, q): coefficients of the columns are this times those of z."""
        slopes = self.root / self.deviation[:, None]
        if not self.intercept:
            return np.asarray(slopes)
        first = np.concatenate([[1.0], -self.centre @ slopes])
        return np.vstack([first, np.column_stack([np.zeros(len(slopes)), slopes])])

    @cached_property
    def back(self) -> Array:
        """(q, q): a gradient in the columns' coefficients is this times that in those of z."""
        inverse = np.linalg.inv(self.root) * self.deviation
        if not self.intercept:
            return np.asarray(inverse.T)
        first = np.concatenate([[1.0], np.zeros(len(inverse))])
        return np.vstack([first, np.column_stack([self.centre, inverse.T])])


def untold(columns: Sequence[int], d: int) -> Design:
    """That of columns of which nothing is known but where they stand among d: as they are."""
    p = len(columns)
    rows, shares = np.zeros((1, d)), np.ones(1)
    return Design(tuple(columns), True, np.zeros(p), np.ones(p), np.eye(p), rows, shares)


def natural(X: AnyArray, columns: Sequence[int], coefficients: Array, intercept: bool) -> Array:
    """The linear predictors (n, K) of coefficients (K, q) in the columns' own units."""
    slopes = coefficients[:, 1:] if intercept else coefficients
    eta = np.asarray(X[:, list(columns)], dtype=np.float64) @ slopes.T
    return np.asarray(eta + coefficients[:, 0] if intercept else eta)


def design(
    sample: Rows, columns: Sequence[int], intercept: bool, what: str, names: Sequence[str] = ()
) -> Design:
    """That of a table with this sample; ValueError, naming a column, where one says nothing new.

    `what` is what such columns are called, `names` what all columns are, where that is known.
    """
    X, w = np.asarray(sample.X, dtype=np.float64), sample.sample_weight
    w = np.full(len(X), 1.0 / len(X)) if w is None else w / w.sum()
    x = X[:, list(columns)]
    centre = w @ x if intercept else np.zeros(len(columns))
    deviation = np.sqrt(w @ (x - centre) ** 2)
    size = np.sqrt(w @ x**2)
    flat = np.flatnonzero(~(deviation > CONSTANT * size))
    if len(flat):
        told = "holds one value only, which the intercept tells already: leave the column out"
        raise BadColumn(f"{what} column", columns[flat[0]], f" {told}").named(names or None)
    root = np.zeros((len(columns), len(columns)))
    if len(columns):
        upper = np.linalg.qr(np.sqrt(w)[:, None] * (x - centre) / deviation, mode="r")
        short = len(upper) < len(columns)
        alone = np.abs(np.diag(upper))
        same = np.flatnonzero(alone < DEPENDENT)
        if short or len(same):
            j = columns[len(upper) if not len(same) else same[0]]
            told = "is a weighted sum of those before it, so its coefficient is not determined"
            bad = BadColumn(f"{what} column", j, f" {told}: leave the column out")
            raise bad.named(names or None)
        root = np.linalg.inv(upper)
    chosen = np.arange(len(X))
    if len(X) > KEPT:
        chosen = np.random.default_rng(0).choice(len(X), KEPT, replace=False)
    kept = w[chosen] / w[chosen].sum()
    return Design(tuple(columns), intercept, centre, deviation, root, X[chosen], kept)


def unit_free(information: Array) -> Array:
    """A matrix A with A' I A = 1 for symmetric I (..., m, m): what is flat keeps a small unit."""
    values, vectors = np.linalg.eigh(information)
    least = np.maximum(NOTHING * values[..., -1:], np.finfo(float).tiny)
    return np.asarray(vectors / np.sqrt(np.maximum(values, least))[..., None, :])


def newton(information: Array, slope: Array) -> Array:
    """Newton's step I^-1 g (..., m); none along directions of which nothing is told."""
    values, vectors = np.linalg.eigh(information)
    along = np.einsum("...ij,...i->...j", vectors, slope)
    known = values > np.maximum(NOTHING * values[..., -1:], np.finfo(float).tiny)
    step = np.divide(along, values, out=np.zeros_like(along), where=known)
    return np.asarray(np.einsum("...ij,...j->...i", vectors, step))

"""Bounds of cells as estimators are given them: checked, and stood in for by a number."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mixtura.data.refusal import row_at
from mixtura.families.base import Family
from mixtura.families.intervals import Cells, knows, stranger, support, unbounded
from mixtura.families.registry import those
from mixtura.records import AnyArray, Array


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


def refuse_endless(cells: Cells, X: AnyArray, there: AnyArray | None, names: list[str]) -> None:
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

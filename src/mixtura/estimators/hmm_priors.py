"""hmmlearn's priors of emissions, as the families here have them. One serves all states."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from mixtura.families.conjugate import RowsBefore
from mixtura.families.priors import Counted
from mixtura.families.registry import under_rows
from mixtura.records import AnyArray, Array

# hmmlearn's parameter that is not here.
GONE = {"min_covar": "it widens first covariances there, and many starts are tried here"}
# What a prior makes of that of the table.
Setting = Callable[[Any], Any]
# Numbers that all states share.
PRIOR: list[Any] = [Real, "array-like"]
WEIGHT = [Interval(Real, 0.0, None, closed="left")]


def filled(name: str, given: Any, shape: tuple[int, ...], least: float = -np.inf) -> Array:
    """A prior's numbers in this shape; ValueError where they are none, or below `least`.

    A matrix may have cells below: `before` judges it.
    """
    value = np.asarray(given, dtype=np.float64)
    if value.ndim and value.shape != shape:
        told = f" or an array of shape {shape}" if shape else ""
        raise ValueError(
            f"{name} must be one number{told}, which all states share, got shape {value.shape}"
        )
    if not np.isfinite(value).all() or (value.ndim < 2 and value.min() < least):
        above = f", {least:g} or more" if np.isfinite(least) else ""
        raise ValueError(f"{name} must be finite{above}, got {given!r}")
    return np.broadcast_to(value, shape)


def counted(
    name: str, sums: str, more: Array, cells: str = "", times: float = 0.0
) -> Setting | None:
    """A law of counts in place of the table's prior, None where nothing was counted."""
    return (lambda prior: Counted(name, sums, more, cells, times)) if more.any() or times else None


def before(centre: Array, weight: float, rows: float, scatter: Array) -> Setting | None:
    """Rows before those of the table, None where there are none."""
    if scatter.ndim == 2 and not (np.array_equal(scatter, scatter.T) and _semidefinite(scatter)):
        raise ValueError("covars_prior must be a symmetric matrix without negative eigenvalues")
    if not (weight or rows or scatter.any()):
        return None
    return lambda prior: under_rows(prior, RowsBefore(centre, weight, rows, scatter))


def stored(kind: str, d: int) -> tuple[int, ...]:
    """The shape in which one of hmmlearn's covariances of this kind is."""
    return {"full": (d, d), "tied": (d, d), "diag": (d,), "spherical": ()}[kind]


def full_matrices(kind: str, matrices: AnyArray, K: int, d: int) -> AnyArray:
    """Those of K states as (K, d, d), from the shape in which hmmlearn's of this kind are."""
    if kind == "full":
        return matrices
    if kind == "tied":
        return np.tile(matrices, (K, 1, 1))
    return np.asarray(matrices.reshape(K, -1, 1) * np.eye(d))


def _semidefinite(matrix: Array) -> bool:
    values = np.linalg.eigvalsh(matrix)
    return bool(values.min() >= -1e-12 * abs(values).max())

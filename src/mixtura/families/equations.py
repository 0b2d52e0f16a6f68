"""What is the same in every row of a table: constant columns, and sums that always come out alike.

Components have nothing to estimate there: such a direction is no free parameter, and rows that are
drawn satisfy the equations as the table does, whatever small variance the components are given to
have a density at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mixtura.records import Array, Equation

# The variance given to a direction without any, as a share of its columns' variances. Every
# component gets the same, so it says nothing about the groups and cancels from their
# responsibilities.
HELD_SHARE = 1e-6
# Weights below this, in units of the columns' standard deviations, are rounding of eigenvectors.
ROUNDING = 1e-9


def constants(columns: NDArray[np.bool_], mean: Array) -> tuple[Equation, ...]:
    """Those of the columns marked in `columns` (d,), which are constant."""
    return tuple(Equation((int(j),), (1.0,), float(mean[j])) for j in np.flatnonzero(columns))


def sums(directions: Array, unit: Array, mean: Array) -> tuple[Equation, ...]:
    """Those of directions without variance (d, m), orthonormal in these units of the columns."""
    found = []
    for direction in directions.T:
        columns = np.flatnonzero(np.abs(direction) > ROUNDING)
        weights = direction[columns] / unit[columns]
        weights = weights / weights[np.argmax(np.abs(weights))]
        value = float(weights @ mean[columns])
        found.append(Equation(tuple(columns.tolist()), tuple(weights.tolist()), value))
    return tuple(found)


def settle(X: Array, equations: tuple[Equation, ...], variance: Array) -> None:
    """Move rows (n, d), in place, to where the equations hold.

    In a sum every column gives way in proportion to its `variance` (d,): units do not matter, and
    one whose variance is 0 stays as it is.
    """
    several = [each for each in equations if len(each.columns) > 1]
    for each in equations:
        # To the last bit: a column that is constant but for rounding would have a scale again.
        if len(each.columns) == 1:
            X[:, each.columns[0]] = each.value
    if not several:
        return
    weights = np.zeros((len(several), X.shape[1]))
    for row, each in zip(weights, several, strict=True):
        row[list(each.columns)] = each.weights
    scaled = weights * np.sqrt(variance)
    size = np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-300)
    lift = np.linalg.pinv(scaled / size, rcond=ROUNDING)
    off = (X @ weights.T - [each.value for each in several]) / size[:, 0]
    X -= (off @ lift.T) * np.sqrt(variance)


def among(equations: tuple[Equation, ...], columns: Sequence[int]) -> tuple[Equation, ...]:
    """Those that are about these columns alone, which are then numbered in this order."""
    place = {column: index for index, column in enumerate(columns)}
    return tuple(
        replace(each, columns=tuple(place[j] for j in each.columns))
        for each in equations
        if place.keys() >= set(each.columns)
    )

"""Coefficients without a finite estimate: what separates rows, and what rows do not determine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.families.design import Design
from mixtura.records import Array

# A direction of which a row tells less than this share of what is usual is no longer told of.
UNTOLD = 1e-4
# Linear predictors that change by more than this for a standard deviation run away.
FAR = 4.0
# A direction is along the columns that have at least this share of its largest component.
ALONG = 0.5


@dataclass(frozen=True)
class Endless:
    """The coefficient of a column (-1: the intercept) in a component, and whether it runs away.

    Where it does not, its rows do not determine it: they are too few, or alike in that column.
    of_weights says that it is one of those that the weights hang on.
    """

    component: int
    column: int
    runs: bool
    of_weights: bool = False

    def said(self, names: Sequence[str] = ()) -> str:
        """In words; `names` are the columns', which are counted from 0 without them."""
        name = repr(names[self.column]) if names else f"column {self.column} (counted from 0)"
        column = "the intercept" if self.column < 0 else f"the coefficient of {name}"
        if self.of_weights:
            column += " that the weights hang on"
        if self.runs:
            return (
                f"{column} in component {self.component} runs to infinity: its rows are separated, "
                "or all of them are alike in the response"
            )
        return f"{column} in component {self.component} is not determined by its rows"


def undetermined(
    told: Array,
    usual: float,
    coefficients: Array,
    design: Design,
    columns: tuple[int, ...],
    held: NDArray[np.bool_],
) -> tuple[Endless, ...]:
    """Those of `coefficients` (K, q), given what a row tells of them in units of z (K, q, q).

    `usual` is what a row tells of one usually, `columns` (q,) name them and `held` (K,) says which
    components have rows.
    """
    found: list[Endless] = []
    values, vectors = np.linalg.eigh(told)
    # In units of the columns' deviations: a coefficient of z says nothing of a column.
    unit = np.concatenate([np.ones(design.size - len(design.columns)), design.deviation])
    for k in np.flatnonzero(held):
        mine: dict[int, bool] = {}
        for value, vector in zip(values[k], vectors[k].T, strict=True):
            if value >= UNTOLD * usual:
                continue
            way = np.abs(design.turn @ vector * unit)
            # How far the predictor has gone that way.
            far = abs(float(vector @ (design.back.T @ coefficients[k]))) > FAR
            for j in np.flatnonzero(way >= ALONG * way.max()):
                mine[columns[j]] = mine.get(columns[j], False) or far
        # Where a predictor runs away nothing else is told of either, and the intercept follows.
        running = [column for column, runs in mine.items() if runs]
        named = [column for column in running if column >= 0] or running or list(mine)
        found += [Endless(int(k), column, mine[column]) for column in named]
    return tuple(found)

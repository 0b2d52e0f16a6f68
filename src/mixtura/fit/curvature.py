"""The shape of the hill around a point: Hessian times a vector, and its most critical direction.

In a chart around the point the complete-data information is the identity, so the eigenvalues of
the observed information are the shares of it that the data really hold: 1 where labels are known
for sure, near 0 along a ridge, negative where the hill still rises (EM's own rate of convergence
is 1 minus the smallest; Dempster, Laird & Rubin 1977, section 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mixtura.fit.charted import Charted, Point
from mixtura.records import AnyArray, Array

# Length of the differences of gradients, in the chart's units (standard deviations of the
# complete data's estimates are 1 / sqrt(n) there): the error of a one-sided difference is of this
# order and its rounding 1e-15 over it.
DIFFERENCE = 1e-5
# All directions are tried where there are at most this many; else Lanczos takes this many steps
# at most, and stops when its estimate is known to this share (or to this value).
EXACT = 16
STEPS = 30
LEAST_STEPS = 6
# A new direction shorter than this is rounding: the space is exhausted.
NOTHING = 1e-8
SHARE, CLOSE = 0.1, 1e-5
# Directions whose eigenvalues differ by less than this are equally flat.
FLATTEST = 1e-3


@dataclass(frozen=True)
class Curvature:
    """The smallest eigenvalue found and how it was found.

    flat holds, as orthonormal columns, that direction and those that are no less flat or rise, the
    flattest first; error bounds the distance to the nearest eigenvalue; exact says that every
    direction was tried.
    """

    smallest: float
    flat: Array
    error: float
    exact: bool


def information_times(here: Charted, vector: Array) -> Array:
    """(observed information per row) times a vector, at the chart's centre; one pass."""
    norm = float(np.linalg.norm(vector))
    moved = here.at(vector * (DIFFERENCE / norm))
    if moved is None:
        return np.full_like(vector, math.inf)
    return (here.centre.gradient - moved.gradient) * (norm / DIFFERENCE)


def smallest_curvature(
    here: Charted, rng: np.random.RandomState, steps: int = STEPS, *, any_rise: bool = False
) -> Curvature:
    """The direction in which the hill falls least (or rises most).

    With `any_rise` the search ends at the first direction found in which it rises.
    """
    size = here.chart.size
    if size <= min(EXACT, steps):
        columns = np.stack([information_times(here, row) for row in np.eye(size)])
        values, vectors = np.linalg.eigh(0.5 * (columns + columns.T))
        return Curvature(float(values[0]), vectors[:, _hardly_more(values)], 0.0, True)
    return _lanczos(here, _beginning(here.centre, rng), min(steps, size), any_rise)


def _beginning(centre: Point, rng: np.random.RandomState) -> Array:
    """What is left of the gradient lies along the slowest directions; symmetric ones are drawn."""
    drawn = rng.standard_normal(len(centre.gradient))
    drawn /= np.linalg.norm(drawn)
    norm = float(np.linalg.norm(centre.gradient))
    return drawn if norm == 0 else drawn + centre.gradient / norm


def _lanczos(here: Charted, start: Array, steps: int, any_rise: bool) -> Curvature:
    """Lanczos with full reorthogonalisation (Golub & Van Loan, Matrix Computations, 10.3)."""
    basis = [start / np.linalg.norm(start)]
    images: list[Array] = []
    while True:
        image = information_times(here, basis[-1])
        images.append(image)
        Q = np.column_stack(basis)
        projected = Q.T @ np.column_stack(images)
        values, vectors = np.linalg.eigh(0.5 * (projected + projected.T))
        left = image - Q @ (Q.T @ image)
        left -= Q @ (Q.T @ left)
        length = float(np.linalg.norm(left))
        error = length * abs(float(vectors[-1, 0]))
        known = error <= max(SHARE * abs(float(values[0])), CLOSE)
        enough = known and len(basis) >= LEAST_STEPS
        if enough or len(basis) >= steps or length < NOTHING or (any_rise and values[0] < 0):
            flat = Q @ vectors[:, _hardly_more(values)]
            return Curvature(float(values[0]), flat, error, False)
        basis.append(left / length)


def _hardly_more(values: Array) -> AnyArray:
    """Which of the sorted eigenvalues are flat or rising, or as small as the smallest."""
    return np.flatnonzero(values <= max(values[0], 0.0) + FLATTEST)

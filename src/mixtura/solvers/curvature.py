"""The shape of the hill around a point: Hessian times a vector, and its most critical direction.

In a chart around the point the complete-data information is the identity, so the eigenvalues of
the observed information are the shares of it that the data really hold: 1 where labels are known
for sure, near 0 along a ridge, negative where the hill still rises (EM's own rate of convergence
is 1 minus the smallest; Dempster, Laird & Rubin 1977, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from mixtura.records import Array
from mixtura.solvers.charted import Charted, Point

# Length of the differences of gradients, in the chart's units (standard deviations of the
# complete data's estimates are 1 / sqrt(n) there): the error of a one-sided difference is of this
# order and its rounding 1e-15 over it.
DIFFERENCE = 2e-6
# All directions are tried where there are at most this many; else Lanczos takes this many steps
# at most, and stops when its estimate is known to this share (or to this value).
EXACT = 16
STEPS = 30
LEAST_STEPS = 6
# Of more free numbers than this only so many smallest eigenvalues are worked out.
MANY = 400
# A new direction shorter than this is rounding: the space is exhausted.
NOTHING = 1e-8
SHARE, CLOSE = 0.1, 1e-5
# Directions whose eigenvalues differ by less than this are equally flat.
FLATTEST = 1e-3
# The share of a promised gain that may be left after the step that should bring it.
LEFT = 1 / 16
# What is left, relative to the log-likelihood per row, may be the rounding of a gradient over badly
# conditioned columns.
NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Curvature:
    """The eigenvalues found, smallest first, with their directions as orthonormal columns.

    error bounds the distance from the smallest to the nearest true eigenvalue; exact says that
    every direction was tried; summit is where Newton's step led, None where nobody looked; whole is
    the matrix itself where only the smallest of its eigenvalues are told.
    """

    values: Array
    directions: Array
    error: float
    exact: bool
    summit: Point | None = None
    whole: Array | None = None

    @property
    def smallest(self) -> float:
        """How flat the hill is where it is flattest; negative where it rises."""
        return float(self.values[0])

    @property
    def flat(self) -> Array:
        """The flattest direction, then those that are no less flat, or rise."""
        return self.directions[:, self.values <= max(self.smallest, 0.0) + FLATTEST]

    def newton(self, gradient: Array) -> tuple[Array, float]:
        """(the step to where the slope should vanish, the gain per row that it promises)."""
        if self.whole is not None:
            step = np.asarray(np.linalg.solve(self.whole, gradient), dtype=np.float64)
            return step, 0.5 * float(gradient @ step)
        along = self.directions.T @ gradient
        step = along / self.values
        return self.directions @ step, 0.5 * float(along @ step)


def information_times(here: Charted, vector: Array) -> Array:
    """(observed information per row) times a vector, at the chart's centre; one pass.

    0 where there are no numbers, as far out: the hill is then not known to fall.
    """
    norm = float(np.linalg.norm(vector))
    moved = here.at(vector * (DIFFERENCE / norm))
    if moved is None:
        return np.zeros_like(vector)
    found = (here.centre.gradient - moved.gradient) * (norm / DIFFERENCE)
    return np.where(np.isfinite(found), found, 0.0)


def information(here: Charted) -> Array:
    """The observed information per row at the chart's centre, (size, size).

    In one look at the rows where an engine has it and that is cheaper, else a pass for each row.
    """
    if here.price <= here.chart.size:
        return here.observed()
    return symmetric(information_times(here, row) for row in np.eye(here.chart.size))


def symmetric(rows: Iterable[Array]) -> Array:
    """A matrix of these rows, without what is not symmetric of them."""
    found = np.stack(list(rows))
    return np.asarray(0.5 * (found + found.T))


def smallest_curvature(
    here: Charted, rng: np.random.RandomState, steps: int = STEPS, *, any_rise: bool = False
) -> Curvature:
    """The direction in which the hill falls least (or rises most).

    With `any_rise` the search ends at the first direction found in which it rises.
    """
    size = here.chart.size
    if size <= min(EXACT, steps):
        values, vectors = np.linalg.eigh(information(here))
        return Curvature(values, vectors, 0.0, True)
    if not any_rise and here.price <= steps:
        with here.sweep.one_thread():
            known = here.observed()
            values, vectors = _flattest(known)
        whole = known if len(values) < size else None
        return Curvature(values, vectors, 0.0, True, whole=whole)
    return _lanczos(here, _beginning(here.centre, rng), min(steps, size), any_rise, rng)


def _flattest(known: Array) -> tuple[Array, Array]:
    """All eigenvalues and directions of a matrix, smallest first; of a large one the smallest."""
    if len(known) <= MANY:
        values, vectors = np.linalg.eigh(known)
    else:
        values, vectors = eigh(known, subset_by_index=(0, STEPS - 1), check_finite=False)
    return values, vectors


def in_sight(here: Charted, seen: Curvature) -> Point | None:
    """The summit that slope and curvature point to, None where it is not there; one pass.

    On a shoulder the curvature fades as fast as the slope does, so the slope does not end where
    it should. Of the gain that Newton's step promises not a sixteenth may be left after it: in one
    dimension that is Kantorovich's condition, slope times third derivative at most half the
    squared curvature (Ortega & Rheinboldt 1970, Iterative Solution of Nonlinear Equations, 12.6).
    """
    step, promised = seen.newton(here.centre.gradient)
    mean = here.centre.value / here.centre.summary.weight
    nothing = NEGLIGIBLE * (1.0 + abs(mean))
    if promised <= NEGLIGIBLE * nothing:
        return here.centre
    there = here.at(step)
    if there is None or seen.newton(there.gradient)[1] > max(LEFT * promised, nothing):
        return None
    return there


def _beginning(centre: Point, rng: np.random.RandomState) -> Array:
    """What is left of the gradient lies along the slowest directions; symmetric ones are drawn."""
    drawn = rng.standard_normal(len(centre.gradient))
    drawn /= np.linalg.norm(drawn)
    norm = float(np.linalg.norm(centre.gradient))
    return drawn if norm == 0 else drawn + centre.gradient / norm


def _lanczos(
    here: Charted, start: Array, steps: int, any_rise: bool, rng: np.random.RandomState
) -> Curvature:
    """Lanczos with full reorthogonalisation (Golub & Van Loan, Matrix Computations, 10.3).

    A space grown from one vector can settle on the second flattest direction, having hardly a
    share in the flattest. So when an estimate is known a vector is drawn outside the space and
    the search goes on from there; it ends when that changes nothing.
    """
    basis = np.empty((len(start), steps), order="F")
    images = np.empty_like(basis)
    basis[:, 0] = start / np.linalg.norm(start)
    began, confirmed = 0, math.inf
    for taken in range(1, steps + 1):
        images[:, taken - 1] = image = information_times(here, basis[:, taken - 1])
        Q, AQ = basis[:, :taken], images[:, :taken]
        projected = Q.T @ AQ
        values, vectors = np.linalg.eigh(0.5 * (projected + projected.T))
        smallest = float(values[0])
        error = float(np.linalg.norm(AQ @ vectors[:, 0] - smallest * (Q @ vectors[:, 0])))
        close = max(SHARE * abs(smallest), CLOSE)
        known = error <= close and taken - began >= LEAST_STEPS
        if (
            taken == steps
            or (any_rise and smallest < 0)
            or (known and smallest >= confirmed - close)
        ):
            break
        if known:
            began, confirmed = taken, smallest
            image = rng.standard_normal(len(start))
        left = _outside(image, Q)
        if float(np.linalg.norm(left)) < NOTHING * math.sqrt(len(start)):
            left = _outside(rng.standard_normal(len(start)), Q)
        basis[:, taken] = left / np.linalg.norm(left)
    return Curvature(values, Q @ vectors, error, False)


def _outside(vector: Array, Q: Array) -> Array:
    """What the space of the columns of Q lacks of a vector."""
    left = vector - Q @ (Q.T @ vector)
    return np.asarray(left - Q @ (Q.T @ left))

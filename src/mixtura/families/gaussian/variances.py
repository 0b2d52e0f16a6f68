"""Covariances stored as variances: one per column and component, or one per component."""

from __future__ import annotations

import numpy as np

from mixtura.errors import IllDefined
from mixtura.families.gaussian.forms import Form, Name, diagonal
from mixtura.records import AnyArray, Array
from mixtura.supports import Positive


class Diagonal(Form):
    """The diagonal of each component's matrix, (K, d)."""

    name: Name = "diag"
    support = Positive()
    correlates = False

    def shape(self, K: int, d: int) -> tuple[int, ...]:
        return (K, d)

    def root_of(self, cov: Array) -> Array:
        _positive(cov)
        return np.sqrt(cov)

    def invert_root(self, root: Array) -> Array:
        return 1.0 / root

    def half_log_det(self, whiten: Array, d: int) -> Array:
        return np.asarray(np.log(whiten).sum(axis=1))

    def residuals(self, X: Array, mean: Array, whiten: Array, k: int) -> Array:
        return np.asarray((X - mean[k]) * whiten[k])

    def second(self, residuals: Array, resp: Array) -> Array:
        return np.asarray(resp @ residuals**2)

    def gather(self, seconds: list[Array]) -> Array:
        return np.stack(seconds)

    def about(self, counts: Array, shift: Array, second: Array) -> Array:
        return second - counts[:, None] * shift**2

    def compose(self, root: Array, inner: Array) -> Array:
        return root * inner

    def square(self, root: Array) -> Array:
        return root**2

    def move(self, root: Array, first: Array) -> Array:
        return root * first

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        return np.asarray(0.5 * whiten**2 * (second - counts[:, None]))

    def restrict(self, matrix: Array) -> Array:
        return diagonal(matrix).copy()

    def dense(self, cov: Array, K: int, d: int) -> Array:
        return cov[:, :, None] * np.eye(d)

    def variances(self, cov: Array, K: int, d: int) -> Array:
        return cov

    def among(self, cov: Array, columns: AnyArray) -> Array:
        return cov[:, columns]

    def whitened(self, whiten: Array, matrix: Array) -> Array:
        return matrix * whiten**2

    def trace_within(self, whiten: Array, matrix: Array, d: int) -> float:
        return float((matrix * whiten**2).sum())

    def pivots(self, root: Array) -> Array:
        return root

    def identity(self, d: int) -> Array:
        return np.ones(d)

    def pulled(self, whiten: Array, first: Array) -> Array:
        return whiten * first

    def logarithms(self, root: Array) -> Array:
        return np.log(root)

    def exponentials(self, free: Array) -> Array:
        return np.exp(free)

    def information(self, d: int) -> Array:
        return np.full(d, 2.0)

    def slope(self, inverse: Array, rows: Array, second: Array, d: int) -> Array:
        return second - rows[:, None]

    def carried(self, inner: Array, shift: Array, stats: tuple[Array, Array, Array]) -> Array:
        counts, first, second = stats
        moved = inner**2 * second + 2.0 * inner * first * shift
        return np.asarray(moved + counts[:, None] * shift**2)


class Spherical(Form):
    """One variance per component, (K,)."""

    name: Name = "spherical"
    support = Positive()
    correlates = False

    def shape(self, K: int, d: int) -> tuple[int, ...]:
        return (K,)

    def root_of(self, cov: Array) -> Array:
        _positive(cov)
        return np.sqrt(cov)

    def invert_root(self, root: Array) -> Array:
        return 1.0 / root

    def half_log_det(self, whiten: Array, d: int) -> Array:
        return np.asarray(d * np.log(whiten))

    def residuals(self, X: Array, mean: Array, whiten: Array, k: int) -> Array:
        return np.asarray((X - mean[k]) * whiten[k])

    def second(self, residuals: Array, resp: Array) -> Array:
        return np.asarray(resp @ np.sum(residuals**2, axis=1))

    def gather(self, seconds: list[Array]) -> Array:
        return np.stack(seconds)

    def about(self, counts: Array, shift: Array, second: Array) -> Array:
        # The trace over d, so that a variance is scatter / count as in the other forms.
        return np.asarray((second - counts * np.sum(shift**2, axis=1)) / shift.shape[1])

    def compose(self, root: Array, inner: Array) -> Array:
        return root * inner

    def square(self, root: Array) -> Array:
        return root**2

    def move(self, root: Array, first: Array) -> Array:
        return root[:, None] * first

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        return np.asarray(0.5 * whiten**2 * (second - d * counts))

    def restrict(self, matrix: Array) -> Array:
        return np.asarray(diagonal(matrix).sum() / len(matrix))

    def dense(self, cov: Array, K: int, d: int) -> Array:
        return cov[:, None, None] * np.eye(d)

    def variances(self, cov: Array, K: int, d: int) -> Array:
        return np.broadcast_to(cov[:, None], (K, d))

    def among(self, cov: Array, columns: AnyArray) -> Array:
        return cov

    def whitened(self, whiten: Array, matrix: Array) -> Array:
        return matrix * whiten**2

    def trace_within(self, whiten: Array, matrix: Array, d: int) -> float:
        return float(d * (matrix * whiten**2).sum())

    def as_second(self, matrices: Array, d: int) -> Array:
        return d * matrices

    def pivots(self, root: Array) -> Array:
        return root[:, None]

    def identity(self, d: int) -> Array:
        return np.asarray(1.0)

    def logarithms(self, root: Array) -> Array:
        return np.log(root)[:, None]

    def exponentials(self, free: Array) -> Array:
        return np.asarray(np.exp(free)[:, 0])

    def information(self, d: int) -> Array:
        return np.full(1, 2.0 * d)

    def slope(self, inverse: Array, rows: Array, second: Array, d: int) -> Array:
        return np.asarray((second - d * rows)[:, None])

    def carried(self, inner: Array, shift: Array, stats: tuple[Array, Array, Array]) -> Array:
        counts, first, second = stats
        moved = inner**2 * second + 2.0 * inner * np.sum(first * shift, axis=1)
        return np.asarray(moved + counts * np.sum(shift**2, axis=1))

    def frames(self, covariance: Array) -> list[Array]:
        return [np.full(len(covariance), 1.0 / np.sqrt(self.restrict(covariance)))]


def _positive(cov: Array) -> None:
    bad = ~((cov > 0) & np.isfinite(cov))
    if bad.any():
        raise IllDefined(int(np.argwhere(bad)[0][0]))

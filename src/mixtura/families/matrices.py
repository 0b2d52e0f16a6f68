"""Covariances stored as matrices: one per component, or one for all."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.linalg import lapack

from mixtura.errors import IllDefined
from mixtura.families.forms import Form, Name
from mixtura.records import AnyArray, Array
from mixtura.supports import Covariance

_FEW_COLUMNS = 16


class Full(Form):
    """One matrix per component, (K, d, d)."""

    name: Name = "full"
    support = Covariance()
    correlates = True

    def shape(self, K: int, d: int) -> tuple[int, ...]:
        return (K, d, d)

    def root_of(self, cov: Array) -> Array:
        return _cholesky_of_all(cov)

    def invert_root(self, root: Array) -> Array:
        return _inverses(root)

    def half_log_det(self, whiten: Array, d: int) -> Array:
        return np.asarray(np.log(whiten.reshape(-1, d * d)[:, :: d + 1]).sum(axis=1))

    def residuals(self, X: Array, mean: Array, whiten: Array, k: int) -> Array:
        return np.asarray((X - mean[k]) @ whiten[k].T)

    def second(self, residuals: Array, resp: Array) -> Array:
        return np.asarray((residuals * resp[:, None]).T @ residuals)

    def gather(self, seconds: list[Array]) -> Array:
        return np.stack(seconds)

    def about(self, counts: Array, shift: Array, second: Array) -> Array:
        return second - counts[:, None, None] * (shift[:, :, None] * shift[:, None, :])

    def compose(self, root: Array, inner: Array) -> Array:
        return np.asarray(root @ inner)

    def square(self, root: Array) -> Array:
        return np.asarray(root @ np.swapaxes(root, -1, -2))

    def move(self, root: Array, first: Array) -> Array:
        return np.asarray((root @ first[:, :, None])[:, :, 0])

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        eye = np.eye(d)
        return np.asarray(
            0.5 * np.swapaxes(whiten, 1, 2) @ (second - counts[:, None, None] * eye) @ whiten
        )

    def restrict(self, matrix: Array) -> Array:
        return matrix

    def dense(self, cov: Array, K: int, d: int) -> Array:
        return cov

    def variances(self, cov: Array, K: int, d: int) -> Array:
        return np.diagonal(cov, axis1=1, axis2=2)

    def among(self, cov: Array, columns: AnyArray) -> Array:
        return cov[:, columns[:, None], columns]

    def whitened(self, whiten: Array, matrix: Array) -> Array:
        return np.asarray(whiten @ matrix @ np.swapaxes(whiten, -1, -2))

    def trace(self, matrices: Array, d: int) -> float:
        return float(matrices.reshape(-1, d * d)[:, :: d + 1].sum())

    def pivots(self, root: Array) -> Array:
        return np.diagonal(root, axis1=1, axis2=2)

    def identity(self, d: int) -> Array:
        return np.eye(d)

    def logarithms(self, root: Array) -> Array:
        return _logarithms(root)

    def exponentials(self, free: Array) -> Array:
        return _exponentials(free)

    def information(self, d: int) -> Array:
        return _information(d)

    def slope(self, inverse: Array, rows: Array, second: Array, d: int) -> Array:
        return _slope(inverse, rows, second)

    def carried(self, inner: Array, shift: Array, stats: tuple[Array, Array, Array]) -> Array:
        counts, first, second = stats
        cross = self.move(inner, first)[:, :, None] * shift[:, None, :]
        moved = inner @ second @ np.swapaxes(inner, 1, 2) + cross + np.swapaxes(cross, 1, 2)
        return np.asarray(moved + counts[:, None, None] * (shift[:, :, None] * shift[:, None, :]))


class Tied(Form):
    """One matrix for all components, (d, d)."""

    name: Name = "tied"
    support = Covariance()
    correlates = True
    shared = True

    def shape(self, K: int, d: int) -> tuple[int, ...]:
        return (d, d)

    def root_of(self, cov: Array) -> Array:
        return _cholesky(cov, 0)

    def invert_root(self, root: Array) -> Array:
        return _inverse_lower(root)

    def half_log_det(self, whiten: Array, d: int) -> Array:
        return np.asarray(np.log(np.diagonal(whiten)).sum(keepdims=True))

    def residuals(self, X: Array, mean: Array, whiten: Array, k: int) -> Array:
        return np.asarray((X - mean[k]) @ whiten.T)

    def second(self, residuals: Array, resp: Array) -> Array:
        return np.asarray((residuals * resp[:, None]).T @ residuals)

    def gather(self, seconds: list[Array]) -> Array:
        return np.asarray(np.sum(seconds, axis=0))

    def about(self, counts: Array, shift: Array, second: Array) -> Array:
        return np.asarray(second - (shift.T * counts) @ shift)

    def compose(self, root: Array, inner: Array) -> Array:
        return np.asarray(root @ inner)

    def square(self, root: Array) -> Array:
        return np.asarray(root @ root.T)

    def move(self, root: Array, first: Array) -> Array:
        return np.asarray(first @ root.T)

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        return np.asarray(0.5 * whiten.T @ (second - counts.sum() * np.eye(d)) @ whiten)

    def restrict(self, matrix: Array) -> Array:
        return matrix

    def dense(self, cov: Array, K: int, d: int) -> Array:
        return np.broadcast_to(cov, (K, d, d))

    def variances(self, cov: Array, K: int, d: int) -> Array:
        return np.broadcast_to(np.diagonal(cov), (K, d))

    def among(self, cov: Array, columns: AnyArray) -> Array:
        return cov[columns[:, None], columns]

    def whitened(self, whiten: Array, matrix: Array) -> Array:
        return np.asarray(whiten @ matrix @ whiten.T)

    def trace(self, matrices: Array, d: int) -> float:
        return float(matrices.reshape(-1, d * d)[:, :: d + 1].sum())

    def pivots(self, root: Array) -> Array:
        return np.diagonal(root)[None, :]

    def identity(self, d: int) -> Array:
        return np.eye(d)

    def logarithms(self, root: Array) -> Array:
        return _logarithms(root[None])

    def exponentials(self, free: Array) -> Array:
        return np.asarray(_exponentials(free)[0])

    def information(self, d: int) -> Array:
        return _information(d)

    def slope(self, inverse: Array, rows: Array, second: Array, d: int) -> Array:
        return _slope(inverse[None], rows.sum(keepdims=True), second[None])

    def carried(self, inner: Array, shift: Array, stats: tuple[Array, Array, Array]) -> Array:
        counts, first, second = stats
        cross = self.move(inner, first).T @ shift
        return np.asarray(inner @ second @ inner.T + cross + cross.T + (shift.T * counts) @ shift)


@lru_cache
def _triangle(d: int) -> AnyArray:
    """Where the numbers of a lower triangle lie, row by row, in a (d, d) matrix made flat."""
    rows, columns = np.tril_indices(d)
    return np.asarray(rows * d + columns)


def _logarithms(root: Array) -> Array:
    """Lower triangles, row by row, with logarithms on the diagonal: (K, d (d + 1) / 2)."""
    K, d = root.shape[:2]
    flat = root.reshape(K, d * d).copy()
    np.log(flat[:, :: d + 1], out=flat[:, :: d + 1])
    return np.asarray(flat[:, _triangle(d)])


def _exponentials(free: Array) -> Array:
    d = (math.isqrt(8 * free.shape[1] + 1) - 1) // 2
    flat = np.zeros((len(free), d * d))
    flat[:, _triangle(d)] = free
    np.exp(flat[:, :: d + 1], out=flat[:, :: d + 1])
    return flat.reshape(len(free), d, d)


def _information(d: int) -> Array:
    return np.asarray((1.0 + np.eye(d)).ravel()[_triangle(d)])


def _slope(inverse: Array, rows: Array, second: Array) -> Array:
    K, d = inverse.shape[:2]
    excess = second - rows[:, None, None] * np.eye(d)
    flat = (np.swapaxes(inverse, 1, 2) @ excess).reshape(K, d * d)
    flat[:, :: d + 1] /= inverse.reshape(K, d * d)[:, :: d + 1]
    return np.asarray(flat[:, _triangle(d)])


def _inverse_lower(root: Array) -> Array:
    inverse, info = lapack.dtrtri(root, lower=1)
    if info != 0:
        raise IllDefined(0)
    return np.asarray(np.tril(inverse))


def _inverses(roots: Array) -> Array:
    if roots.shape[1] <= _FEW_COLUMNS:
        return _inverses_by_row(roots)
    inverses = np.empty(roots.shape)
    for k, root in enumerate(roots):
        inverses[k], info = lapack.dtrtri(root, lower=1)
        if info != 0:
            raise IllDefined(k)
    return np.asarray(np.tril(inverses))


def _inverses_by_row(root: Array) -> Array:
    """Of (K, d, d) at once, row by row: for few columns a call per component costs more."""
    pivots = np.diagonal(root, axis1=1, axis2=2)
    if not pivots.all():
        raise IllDefined(int(np.argmin(np.abs(pivots).min(axis=1))))
    K, d = pivots.shape
    inverse = np.zeros((K, d, d))
    inverse.reshape(K, d * d)[:, :: d + 1] = reciprocal = 1.0 / pivots
    for j in range(1, d):
        row = root[:, j, None, :j] @ inverse[:, :j, :j]
        row *= -reciprocal[:, j, None, None]
        inverse[:, j, :j] = row[:, 0]
    return inverse


def _cholesky_of_all(covariances: Array) -> Array:
    try:
        roots = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        roots = np.array(np.nan)
    if not np.all(np.isfinite(roots)):
        # One by one, to say which.
        roots = np.stack([_cholesky(c, k) for k, c in enumerate(covariances)])
    return np.asarray(roots)


def _cholesky(cov: Array, component: int) -> Array:
    try:
        root = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise IllDefined(component) from None
    if not np.all(np.isfinite(root)):
        raise IllDefined(component)
    return np.asarray(root)

"""Covariances stored as matrices: one per component, or one for all."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mixtura.families.gaussian import triangular
from mixtura.families.gaussian.forms import Form, Name
from mixtura.records import AnyArray, Array
from mixtura.supports import Covariance


class Full(Form):
    """One matrix per component, (K, d, d)."""

    name: Name = "full"
    support = Covariance()
    correlates = True

    def shape(self, K: int, d: int) -> tuple[int, ...]:
        return (K, d, d)

    def root_of(self, cov: Array) -> Array:
        return triangular.cholesky_of_all(cov)

    def invert_root(self, root: Array) -> Array:
        return triangular.inverses(root)

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
        return triangular.times(root, inner)

    def square(self, root: Array) -> Array:
        return triangular.square(root)

    def move(self, root: Array, first: Array) -> Array:
        return np.asarray((root @ first[:, :, None])[:, :, 0])

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        inner = second - counts[:, None, None] * np.eye(d)
        return 0.5 * triangular.within(whiten, inner, turned=True)

    def restrict(self, matrix: Array) -> Array:
        return matrix

    def dense(self, cov: Array, K: int, d: int) -> Array:
        return cov

    def variances(self, cov: Array, K: int, d: int) -> Array:
        return np.diagonal(cov, axis1=1, axis2=2)

    def among(self, cov: Array, columns: AnyArray) -> Array:
        return cov[:, columns[:, None], columns]

    def whitened(self, whiten: Array, matrix: Array) -> Array:
        return triangular.within(whiten, matrix)

    def trace_within(self, whiten: Array, matrix: Array, d: int) -> float:
        return triangular.trace_within(whiten, matrix)

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
        return triangular.cholesky(cov, 0)

    def invert_root(self, root: Array) -> Array:
        return triangular.inverse(root)

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
        return triangular.times(root, inner)

    def square(self, root: Array) -> Array:
        return triangular.square(root)

    def move(self, root: Array, first: Array) -> Array:
        return np.asarray(first @ root.T)

    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        return 0.5 * triangular.within(whiten, second - counts.sum() * np.eye(d), turned=True)

    def restrict(self, matrix: Array) -> Array:
        return matrix

    def dense(self, cov: Array, K: int, d: int) -> Array:
        return np.broadcast_to(cov, (K, d, d))

    def variances(self, cov: Array, K: int, d: int) -> Array:
        return np.broadcast_to(np.diagonal(cov), (K, d))

    def among(self, cov: Array, columns: AnyArray) -> Array:
        return cov[columns[:, None], columns]

    def whitened(self, whiten: Array, matrix: Array) -> Array:
        return triangular.within(whiten, matrix)

    def trace_within(self, whiten: Array, matrix: Array, d: int) -> float:
        return triangular.trace_within(whiten, matrix)

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
    flat = triangular.times(inverse, excess, turned=True).reshape(K, d * d)
    flat[:, :: d + 1] /= inverse.reshape(K, d * d)[:, :: d + 1]
    return np.asarray(flat[:, _triangle(d)])

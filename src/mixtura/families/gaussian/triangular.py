"""Lower triangular matrices: roots of covariances, their inverses and products with them.

With many columns the zeros above the diagonal are half of a product's work, so BLAS is told.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

from mixtura.errors import IllDefined
from mixtura.records import Array

_FEW_COLUMNS, _MANY_COLUMNS = 16, 128


def times(root: Array, matrix: Array, *, turned: bool = False) -> Array:
    """root @ matrix, or root' @ matrix; either may be one matrix (d, d) or K of them."""
    d = root.shape[-1]
    if d < _MANY_COLUMNS:
        return np.asarray((root.swapaxes(-1, -2) if turned else root) @ matrix)
    scale = _scale(root)
    if scale is not None:
        return np.asarray(matrix * scale[:, None])
    out = np.empty(np.broadcast_shapes(root.shape, matrix.shape))
    roots, matrices = np.broadcast_to(root, out.shape), np.broadcast_to(matrix, out.shape)
    for product, a, b in zip(
        out.reshape(-1, d, d), roots.reshape(-1, d, d), matrices.reshape(-1, d, d), strict=True
    ):
        # BLAS counts along columns first: to it all three are transposed.
        product.T[...] = blas.dtrmm(1.0, a.T, b.T, side=1, trans_a=int(turned))
    return out


def square(root: Array) -> Array:
    """root @ root'."""
    return times(root, np.swapaxes(root, -1, -2))


def within(root: Array, matrix: Array, *, turned: bool = False) -> Array:
    """root @ matrix @ root', or root' @ matrix @ root, for a symmetric matrix."""
    half = _half(root, matrix, turned)
    if half.shape[-1] < _MANY_COLUMNS:
        return np.asarray(half @ (root if turned else np.swapaxes(root, -1, -2)))
    return times(root, np.swapaxes(half, -1, -2), turned=turned)


def trace_within(root: Array, matrix: Array) -> float:
    """The traces of root @ matrix @ root', added."""
    return float(np.vdot(_half(root, matrix), root))


def _half(root: Array, matrix: Array, turned: bool = False) -> Array:
    scale = None if root.shape[-1] < _MANY_COLUMNS else _scale(matrix)
    if scale is None:
        return times(root, matrix, turned=turned)
    return np.asarray((np.swapaxes(root, -1, -2) if turned else root) * scale)


def _scale(matrix: Array) -> Array | None:
    """The diagonal of a large matrix that has nothing else: the table's, where rows are few."""
    if matrix.ndim > 2 or len(matrix) < _MANY_COLUMNS:
        return None
    scale = np.diagonal(matrix)
    return scale if np.count_nonzero(matrix) == np.count_nonzero(scale) else None


def inverse(root: Array) -> Array:
    """The inverse of one root (d, d); raises IllDefined."""
    found, info = lapack.dtrtri(root, lower=1)
    if info != 0:
        raise IllDefined(0)
    return np.asarray(np.tril(found))


def inverses(roots: Array) -> Array:
    """Of roots (K, d, d); raises IllDefined with the one that has none."""
    if roots.shape[1] <= _FEW_COLUMNS:
        return _by_row(roots)
    found = np.empty(roots.shape)
    for k, root in enumerate(roots):
        found[k], info = lapack.dtrtri(root, lower=1)
        if info != 0:
            raise IllDefined(k)
    return np.asarray(np.tril(found))


def _by_row(root: Array) -> Array:
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


def cholesky_of_all(covariances: Array) -> Array:
    """The roots of matrices (K, d, d); raises IllDefined with the first that has none."""
    try:
        roots = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        roots = np.array(np.nan)
    if not np.all(np.isfinite(roots)):
        # One by one, to say which.
        roots = np.stack([cholesky(c, k) for k, c in enumerate(covariances)])
    return np.asarray(roots)


def cholesky(cov: Array, component: int) -> Array:
    """The root of one (d, d); raises IllDefined with `component` where it has none."""
    try:
        root = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise IllDefined(component) from None
    if not np.all(np.isfinite(root)):
        raise IllDefined(component)
    return np.asarray(root)

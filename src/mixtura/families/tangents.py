"""Free coordinates of structures that are a linear subspace of their form's.

A form's free numbers are the logarithms of its roots, one line per component (`Form.logarithms`),
relative to the point where a chart stands. Equal covariances are equal lines; a common shape along
the table's axes makes lines that differ by a constant; equal volumes make lines with equal sums
over the logarithms on the diagonal. All of these are linear, so such a structure's coordinates are
those of a basis of its subspace.

Each function takes the form's information per line (see `Form.information`; above 1 marks a
logarithm) and K, and returns a spanning set: (K, numbers per line, vectors).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixtura.records import Array

Tangent = Callable[[Array, int], Array]


def equal(information: Array, K: int) -> Array:
    """All lines the same: EII, EEI."""
    return np.tile(np.eye(len(information)), (K, 1, 1))


def scaled(information: Array, K: int) -> Array:
    """The same lines but for a constant each: VEI."""
    size = len(information)
    constants = np.zeros((K, size, K))
    constants[np.arange(K), :, np.arange(K)] = 1.0
    return np.concatenate([constants, equal(information, K)], axis=2)


def same_volume(information: Array, K: int) -> Array:
    """The same sum of logarithms in every line, else free: EVI, EVV."""
    size = len(information)
    logarithms = (information > 1.0).astype(np.float64)
    own = np.eye(size) - np.outer(logarithms, logarithms) / logarithms.sum()
    lines = np.zeros((K, size, K * size))
    for k in range(K):
        lines[k, :, k * size : (k + 1) * size] = own
    together = np.broadcast_to(logarithms[None, :, None], (K, size, 1))
    return np.concatenate([lines, together], axis=2)


def orthonormal(spanning: Array, scale: Array) -> Array:
    """An orthonormal basis of the subspace after each number is multiplied by its scale.

    scale (K, numbers per line); returns (K times numbers per line, free numbers).
    """
    columns = (spanning * scale[:, :, None]).reshape(scale.size, -1)
    # Columns of like length, so that what is dependent shows.
    length = np.linalg.norm(columns, axis=0)
    left, values, _ = np.linalg.svd(columns / np.where(length > 0, length, 1.0), full_matrices=False)
    return np.asarray(left[:, values > 1e-10 * values[0]])

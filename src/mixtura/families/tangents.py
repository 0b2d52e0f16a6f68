"""Free coordinates of structures that are a linear subspace of their form's.

A form's free numbers are the logarithms of its roots, one line per component (`Form.logarithms`),
relative to the point where a chart stands. Equal covariances are equal lines; a common shape along
the table's axes makes lines that differ by a constant; equal volumes make lines with equal sums
over the logarithms on the diagonal. All of these are linear, so such a structure's coordinates are
those of an orthonormal basis of its subspace, after each number is multiplied by its scale.

Each function takes the scale's part that is the component's (K,) and the one that is the line's
(see `Form.information`; above 1 marks a logarithm) and returns the basis as a sparse matrix,
(K times numbers per line, free numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.records import Array

Tangent = Callable[[Array, Array], Any]


def equal(scale: Array, information: Array) -> Any:
    """All lines the same: EII, EEI."""
    unit = scale / np.linalg.norm(scale)
    return sparse.csr_array(sparse.kron(unit[:, None], np.eye(len(information))))


def scaled(scale: Array, information: Array) -> Any:
    """The same lines but for a constant each: VEI."""
    size, unit = len(information), scale / np.linalg.norm(scale)
    constants = sparse.kron(np.eye(len(scale)), np.full((size, 1), size**-0.5))
    shape = sparse.kron(unit[:, None], contrasts(size))
    return sparse.csr_array(sparse.hstack([constants, shape]))


def same_volume(scale: Array, information: Array) -> Any:
    """The same sum of logarithms in every line, else free: EVI, EVV."""
    logarithm = information > 1.0
    size = int(logarithm.sum())
    own = np.zeros((len(information), len(information) - 1))
    own[np.ix_(logarithm, np.arange(size - 1))] = contrasts(size)
    others = np.flatnonzero(~logarithm)
    own[others, np.arange(size - 1, len(information) - 1)] = 1.0
    together = np.kron(scale / np.linalg.norm(scale), logarithm / size**0.5)[:, None]
    lines = sparse.kron(sparse.eye_array(len(scale)), own)
    return sparse.csr_array(sparse.hstack([lines, together]))


def contrasts(size: int) -> Array:
    """An orthonormal basis (size, size - 1) of the vectors whose sum is zero (Helmert's)."""
    basis = np.zeros((size, size - 1))
    for j in range(1, size):
        basis[:j, j - 1], basis[j, j - 1] = 1.0, -float(j)
    return np.asarray(basis / np.sqrt(np.arange(1.0, size) * np.arange(2.0, size + 1.0)))

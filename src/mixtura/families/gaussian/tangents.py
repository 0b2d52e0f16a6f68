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
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from mixtura.records import Array

Tangent = Callable[[Array, Array], Any]


def equal(scale: Array, information: Array) -> Any:
    """All lines the same: EII, EEI."""
    unit = scale / np.linalg.norm(scale)
    return sparse.csr_array(sparse.kron(unit[:, None], sparse.eye_array(len(information))))


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
    unit = sparse.eye_array(len(information), format="csc")
    own = sparse.hstack([unit[:, logarithm] @ contrasts(size), unit[:, ~logarithm]])
    together = np.kron(scale / np.linalg.norm(scale), logarithm / size**0.5)[:, None]
    lines = sparse.kron(sparse.eye_array(len(scale)), own)
    return sparse.csr_array(sparse.hstack([lines, together]))


@lru_cache
def contrasts(size: int) -> Any:
    """An orthonormal basis (size, size - 1) of the vectors whose sum is zero, sparse.

    Each compares the halves of a range (Haar's wavelets), so it has size log(size) entries in all.
    """
    columns, ends, ranges = [np.zeros(0)], [0], [(0, size)]
    rows = [np.zeros(0, dtype=np.int64)]
    for first, last in ranges:
        if last - first < 2:
            continue
        middle = (first + last) // 2
        left, right = middle - first, last - middle
        scale = (left * right * (left + right)) ** -0.5
        columns.append(np.repeat([right * scale, -left * scale], [left, right]))
        rows.append(np.arange(first, last))
        ends.append(ends[-1] + last - first)
        ranges += [(first, middle), (middle, last)]
    return sparse.csc_array((np.concatenate(columns), np.concatenate(rows), ends), (size, size - 1))

"""Eigenvalues of scatters whose columns are in whatever units, each to its own last digits.

The usual decomposition is exact to the rounding of the largest eigenvalue, so beside a column in
nanometres one in kilometres leaves nothing of the small ones. Where they are that far apart the
unit of each column is taken away first, W = S C S, and what is left is a Jacobi rotation of the
columns of C^(1/2) S, which loses only what C, the correlations, is ill-conditioned (Demmel &
Veselic 1992, Jacobi's method is more accurate than QR, SIAM J. Matrix Analysis and Applications 13;
LAPACK's dgejsv).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from mixtura.errors import IllDefined
from mixtura.records import Array

# Eigenvalues no further apart than this are known to ten digits at once.
NEAR = 1e-6
# dgejsv's options by number: columns may be scaled (joba C), no left vectors (jobu N), right ones
# (jobv V), small values are kept (jobr N), as they are (jobp N).
_JACOBI = {"joba": 0, "jobu": 3, "jobv": 0, "jobr": 0, "jobp": 1}


def spectra(W: Array) -> tuple[Array, Array]:
    """(eigenvalues (K, d), rising and at least 0, eigenvectors (K, d, d)) of scatters (K, d, d)."""
    values, vectors = np.linalg.eigh(W)
    for k in np.flatnonzero(~(values[:, 0] > NEAR * values[:, -1])):
        values[k], vectors[k] = _graded(W[k], int(k))
    return np.asarray(values), np.asarray(vectors)


def spectrum(W: Array) -> tuple[Array, Array]:
    """The same of one scatter (d, d)."""
    values, vectors = spectra(W[None])
    return values[0], vectors[0]


def _graded(W: Array, k: int) -> tuple[Array, Array]:
    unit = np.sqrt(np.maximum(np.diagonal(W), 0.0))
    unit = np.where(unit > 0, unit, 1.0)
    values, vectors = np.linalg.eigh(W / unit[:, None] / unit)
    half = (vectors * np.sqrt(np.maximum(values, 0.0))).T * unit
    if not np.isfinite(half).all():
        raise IllDefined(k)
    values, _, vectors, work, _, info = lapack.dgejsv(half, **_JACOBI)
    if info != 0:
        raise IllDefined(k)
    values = (values * (work[0] / work[1])) ** 2
    return values[::-1], vectors[:, ::-1]

"""Seeds and clusters of k-means in C: those of `fitting.seeding`, in a fraction of the time."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library


class _Seeding(ctypes.Structure):
    _fields_ = [
        ("z", Pointer),
        ("w", Pointer),
        ("drawn", Pointer),
        ("centres", Pointer),
        ("labels", Pointer),
        ("n", Int),
        ("d", Int),
        ("K", Int),
        ("trials", Int),
        ("turns", Int),
        ("settled", Double),
    ]


def seeds_drawn(Z: Array, w: Array, K: int, drawn: Array, trials: int) -> Array:
    """K rows (K, d), each but the first the best of so many trials.

    `drawn` (1 + (K - 1) trials,) are numbers uniform on [0, 1).
    """
    n, d = Z.shape
    centres = np.empty((K, d))
    numbers = checked("drawn", drawn, (1 + (K - 1) * trials,))
    _run(_Seeding(*_rows(Z, w), numbers, address(centres), None, n, d, K, trials, 0, 0.0))
    return centres


def clusters_from(
    Z: Array, w: Array, centres: Array, turns: int, settled: float
) -> NDArray[np.int64] | None:
    """The cluster of each row (n,) after so many turns from these centres (K, d), or fewer.

    None where a cluster has lost all its rows on the way.
    """
    (n, d), moved = Z.shape, np.array(centres, dtype=np.float64)
    labels = np.empty(n, dtype=np.int64)
    places = checked("centres", moved, (len(centres), d)), address(labels)
    asked = _Seeding(*_rows(Z, w), None, *places, n, d, len(centres), 0, turns, settled)
    return None if _run(asked) else labels


def _rows(Z: Array, w: Array) -> tuple[int, int]:
    return checked("Z", Z, Z.shape), checked("w", w, (len(Z),))


def _run(asked: _Seeding) -> int:
    status: int = library().mixtura_seeding(ctypes.byref(asked))
    if status == 1:
        raise MemoryError(f"no memory for the clusters of {asked.n} rows")
    return status

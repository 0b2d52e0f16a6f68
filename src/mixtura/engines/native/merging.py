"""Agglomeration in C: the merges of `fit.hierarchical.history`, in a fraction of the time."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, Double, Int, Pointer, address, checked, library


class _Merging(ctypes.Structure):
    _fields_ = [
        ("z", Pointer),
        ("w", Pointer),
        ("n", Int),
        ("d", Int),
        ("K", Int),
        ("shaped", Int),
        ("variance", Double),
        ("pairs", Pointer),
    ]


def merging_history(Z: Array, w: Array, K: int, shaped: bool, variance: float) -> NDArray[np.int64]:
    """(n - K, 2): at each merge the group that stays and the one that joins it.

    Z (n, d) and w (n,) are rows and their weights, `variance` the table's; memory is 8 n^2 bytes.
    ValueError where what merges cost is not finite.
    """
    n, d = Z.shape
    pairs = np.empty((max(n - K, 0), 2), dtype=np.int64)
    if len(pairs):
        rows = checked("Z", Z, (n, d)), checked("w", w, (n,))
        asked = _Merging(*rows, n, d, K, shaped, variance, address(pairs))
        status = library().mixtura_merging(ctypes.byref(asked))
        if status == 1:
            raise MemoryError(f"no memory for the merges of {n} rows")
        if status:
            raise ValueError(
                "Z, w: what a merge costs is not finite: give finite rows, near 1 in size, and "
                "weights above 0"
            )
    return pairs

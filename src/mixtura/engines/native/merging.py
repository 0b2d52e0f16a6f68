"""Agglomeration in C: the merges of `fit.hierarchical.history`, in a fraction of the time."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import Array, _address, _check, _double, _int, _library, _ptr, _run


class _Merging(ctypes.Structure):
    _fields_ = [
        ("z", _ptr),
        ("w", _ptr),
        ("n", _int),
        ("d", _int),
        ("K", _int),
        ("shaped", _int),
        ("variance", _double),
        ("pairs", _ptr),
    ]


def merging_history(Z: Array, w: Array, K: int, shaped: bool, variance: float) -> NDArray[np.int64]:
    """(n - K, 2): at each merge the group that stays and the one that joins it.

    Z (n, d) and w (n,) are rows and their weights, `variance` the table's; memory is 8 n^2 bytes.
    """
    n, d = Z.shape
    pairs = np.empty((max(n - K, 0), 2), dtype=np.int64)
    if len(pairs):
        address = _check("Z", Z, (n, d)), _check("w", w, (n,))
        asked = _Merging(*address, n, d, K, shaped, variance, _address(pairs))
        _run(_library().mixtura_merging, asked)
    return pairs

"""The compiled kernels, called through ctypes: the library, and how rows are handed to it.

Every function in it is single threaded and re-entrant, and releases the GIL: call it on slices of
rows from a thread pool and add what comes back. The library is loaded on the first call, not on
import. What the kernels of one family are given stands with that family: `engines.gaussian`.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[Any]

_SUFFIXES = (".so", ".dylib", ".dll")
_F64 = np.dtype(np.float64)
_F32 = np.dtype(np.float32)

Int = ctypes.c_int64
Pointer = ctypes.c_void_p
Double = ctypes.c_double


class Data(ctypes.Structure):
    """Rows to read, as in kernels.h."""

    _fields_ = [
        ("x", Pointer),
        ("weight", Pointer),
        ("n", Int),
        ("d", Int),
        ("single", Int),
        ("near", Int),
    ]


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled kernels; ImportError where they are not built."""
    here = Path(__file__).parent
    for suffix in _SUFFIXES:
        path = here / f"_kernels{suffix}"
        if path.exists():
            found = ctypes.CDLL(str(path))
            found.mixtura_variant.restype = ctypes.c_char_p
            return found
    raise ImportError(
        f"no compiled kernels (_kernels.so, .dylib or .dll) in {here}; "
        "install the package (`pip install .`) so that they are built"
    )


def variant() -> str:
    """The CPU variant in use: ``v2``, ``v3`` or ``v4`` on x86-64, else ``plain``."""
    name: bytes = library().mixtura_variant()
    return name.decode()


def address(array: Any) -> int:
    """Where the numbers of an array lie."""
    # These calls can be short, and this is the quickest road to the pointer; it is closed
    # to read-only and to empty arrays.
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):
        place: int = array.__array_interface__["data"][0]
        return place


def checked(name: str, array: NDArray[Any], shape: tuple[int, ...], *, single: bool = False) -> int:
    """The address of a C-contiguous array of this shape, float64 (or float32 if allowed)."""
    dtype = array.dtype
    if dtype != _F64 and not (single and dtype == _F32):
        kinds = "float64 or float32" if single else "float64"
        raise TypeError(f"{name} must be {kinds}, not {dtype}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous")
    return address(array)


def data_of(X: Floats, sample_weight: Array | None) -> Data:
    """Rows (n, d), float32 or float64, and their weights (n,), as the kernels take them."""
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"X must have shape (n, d) with d >= 1, not {X.shape}")
    n, d = X.shape
    weight = None if sample_weight is None else checked("sample_weight", sample_weight, (n,))
    return Data(checked("X", X, (n, d), single=True), weight, n, d, X.dtype == _F32)


def run(function: Any, *arguments: ctypes.Structure) -> None:
    """Call a kernel with the addresses of these records."""
    if function(*map(ctypes.byref, arguments)):
        raise MemoryError("no memory for the scratch of a mixture pass")

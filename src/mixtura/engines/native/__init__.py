"""Fused kernels for Gaussian mixtures, in C, called through ctypes.

A pass returns moments about the current means in whitened coordinates. Those stay exact
where raw moments would lose digits, and they are all that an M-step needs.

Every function is single threaded and re-entrant, and releases the GIL: call it on slices
of rows from a thread pool and add what comes back. Shapes, for K components and d columns:

=========== ============ ==========================
form        whiten       second
=========== ============ ==========================
full        (K, d, d)    (K, d, d)
tied        (d, d)       (d, d), over all components
diag        (K, d)       (K, d)
spherical   (K,)         (K,)
=========== ============ ==========================

The library is loaded on the first call, not on import.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[Any]
Form = Literal["full", "tied", "diag", "spherical"]

_FORMS = {"full": 0, "tied": 1, "diag": 2, "spherical": 3}
_SUFFIXES = (".so", ".dylib", ".dll")
_F64 = np.dtype(np.float64)
_F32 = np.dtype(np.float32)

_int = ctypes.c_int64
_ptr = ctypes.c_void_p
_double = ctypes.c_double


class _Data(ctypes.Structure):
    _fields_ = [("x", _ptr), ("weight", _ptr), ("n", _int), ("d", _int), ("single", _int)]


class _Model(ctypes.Structure):
    _fields_ = [
        ("log_weights", _ptr),
        ("means", _ptr),
        ("whiten", _ptr),
        ("log_norm", _ptr),
        ("K", _int),
        ("form", _int),
    ]


class _Moments(ctypes.Structure):
    _fields_ = [("loglik", _double), ("count", _ptr), ("first", _ptr), ("second", _ptr)]


class _Rows(ctypes.Structure):
    _fields_ = [
        ("log_density", _ptr),
        ("responsibilities", _ptr),
        ("labels", _ptr),
        ("component_log_density", _ptr),
        ("log_density_single", _int),
        ("responsibilities_single", _int),
        ("component_single", _int),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    here = Path(__file__).parent
    for suffix in _SUFFIXES:
        path = here / f"_kernels{suffix}"
        if path.exists():
            library = ctypes.CDLL(str(path))
            library.mixtura_variant.restype = ctypes.c_char_p
            return library
    raise ImportError(
        f"no compiled kernels (_kernels.so, .dylib or .dll) in {here}; "
        "install the package (`pip install .`) so that they are built"
    )


def variant() -> str:
    """The CPU variant in use: ``v2``, ``v3`` or ``v4`` on x86-64, else ``plain``."""
    name: bytes = _library().mixtura_variant()
    return name.decode()


def _address(array: Any) -> int:
    # These calls can be short, and this is the quickest road to the pointer; it is closed
    # to read-only and to empty arrays.
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):
        address: int = array.__array_interface__["data"][0]
        return address


def _check(name: str, array: NDArray[Any], shape: tuple[int, ...], *, single: bool = False) -> int:
    """The address of a C-contiguous array of this shape, float64 (or float32 if allowed)."""
    dtype = array.dtype
    if dtype != _F64 and not (single and dtype == _F32):
        kinds = "float64 or float32" if single else "float64"
        raise TypeError(f"{name} must be {kinds}, not {dtype}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous")
    return _address(array)


def _form_shape(form: str, K: int, d: int) -> tuple[int, ...]:
    if form == "full":
        return (K, d, d)
    if form == "tied":
        return (d, d)
    if form == "diag":
        return (K, d)
    if form == "spherical":
        return (K,)
    raise ValueError(f"form must be one of {', '.join(_FORMS)}, not {form!r}")


def _data(X: Floats, sample_weight: Array | None) -> _Data:
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"X must have shape (n, d) with d >= 1, not {X.shape}")
    n, d = X.shape
    weight = None if sample_weight is None else _check("sample_weight", sample_weight, (n,))
    return _Data(_check("X", X, (n, d), single=True), weight, n, d, X.dtype == _F32)


def _model(
    d: int, log_weights: Array, means: Array, whiten: Array, log_norm: Array, form: str
) -> tuple[_Model, int, tuple[int, ...]]:
    K = log_weights.shape[0]
    if K == 0:
        raise ValueError("a mixture has at least one component")
    shape = _form_shape(form, K, d)
    model = _Model(
        _check("log_weights", log_weights, (K,)),
        _check("means", means, (K, d)),
        _check("whiten", whiten, shape),
        _check("log_norm", log_norm, (K,)),
        K,
        _FORMS[form],
    )
    return model, K, shape


def _run(function: Any, *arguments: ctypes.Structure) -> None:
    if function(*map(ctypes.byref, arguments)):
        raise MemoryError("no memory for the scratch of a mixture pass")


def gaussian_pass(
    X: Floats,
    sample_weight: Array | None,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Form,
    *,
    single: bool = False,
    centred: bool = False,
) -> tuple[float, Array, Array, Array]:
    """One E-step over all rows of X: ``(loglik, count, first, second)``.

    With y = whiten (x - mean) and r the responsibility times the sample weight:
    ``count = sum r`` (K,), ``first = sum r y`` (K, d), ``second = sum r y y'`` in the
    shape of the form. Rows of weight zero contribute nothing, whatever they hold. With
    ``single`` the work is done in float32, whatever X holds, in twice as many lanes; rows are then
    read relative to the mixture's mean, unless float32 rows and means are ``centred`` already.
    """
    data = _data(X, sample_weight)
    if centred:
        if not (single and data.single):
            raise ValueError("centred rows are float32 ones, for single=True")
        data.single = 2
    d = X.shape[1]
    model, K, shape = _model(d, log_weights, means, whiten, log_norm, form)
    count, first, second = np.empty(K), np.empty((K, d)), np.empty(shape)
    moments = _Moments(0.0, _address(count), _address(first), _address(second))
    library = _library()
    _run(library.mixtura_single if single else library.mixtura_pass, data, model, moments)
    return moments.loglik, count, first, second


def gaussian_rows(
    X: Floats,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Form,
    *,
    log_density: Floats | None = None,
    responsibilities: Floats | None = None,
    labels: NDArray[np.int64] | None = None,
    component_log_density: Floats | None = None,
) -> None:
    """Fill the given arrays: (n,), (n, K), (n,) int64 and (n, K); floats of either size.

    ``labels`` is the first component of the largest weighted density;
    ``component_log_density`` leaves the weights out.
    """
    data = _data(X, None)
    n, d = X.shape
    model, K, _ = _model(d, log_weights, means, whiten, log_norm, form)
    out = _Rows()
    if log_density is not None:
        out.log_density = _check("log_density", log_density, (n,), single=True)
        out.log_density_single = log_density.dtype == _F32
    if responsibilities is not None:
        out.responsibilities = _check("responsibilities", responsibilities, (n, K), single=True)
        out.responsibilities_single = responsibilities.dtype == _F32
    if component_log_density is not None:
        out.component_log_density = _check(
            "component_log_density", component_log_density, (n, K), single=True
        )
        out.component_single = component_log_density.dtype == _F32
    if labels is not None:
        if labels.dtype != np.int64 or labels.shape != (n,) or not labels.flags.c_contiguous:
            raise ValueError(f"labels must be a contiguous int64 array of shape ({n},)")
        out.labels = _address(labels)
    _run(_library().mixtura_rows, data, model, out)

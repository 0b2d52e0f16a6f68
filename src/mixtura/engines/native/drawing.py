"""Rows drawn in C: labels by the weights, normals by Box and Muller, written in place."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import (
    _FORMS,
    Array,
    Form,
    _address,
    _check,
    _form_shape,
    _int,
    _library,
    _ptr,
    _run,
)


class _Draw(ctypes.Structure):
    _fields_ = [
        ("share", _ptr),
        ("means", _ptr),
        ("roots", _ptr),
        ("K", _int),
        ("d", _int),
        ("form", _int),
        ("key", _ptr),
        ("chunk", _int),
        ("n", _int),
        ("x", _ptr),
        ("labels", _ptr),
    ]


def gaussian_draw(
    weights: Array,
    means: Array,
    roots: Array,
    form: Form,
    key: NDArray[np.uint64],
    chunk: int,
    X: Array,
    labels: NDArray[np.int64],
) -> None:
    """Fill X (n, d) with independent rows and labels (n,) with their components.

    ``roots`` are lower Cholesky factors or standard deviations, in the shape of the form. ``key``,
    two numbers, and ``chunk``, at least 0, choose the random numbers: equal ones give equal rows.
    """
    K, d = means.shape
    n = len(labels)
    share = np.cumsum(weights)
    share /= share[-1]
    # Nobody may fall beyond the last component that has a weight.
    share[np.flatnonzero(weights)[-1] :] = 1.0
    if key.shape != (2,) or key.dtype != np.uint64 or chunk < 0:
        raise ValueError("key must be two uint64 numbers, and chunk at least 0")
    if labels.dtype != np.int64 or not labels.flags.c_contiguous:
        raise ValueError(f"labels must be a contiguous int64 array of shape ({n},)")
    asked = _Draw(
        _address(share),
        _check("means", means, (K, d)),
        _check("roots", roots, _form_shape(form, K, d)),
        K,
        d,
        _FORMS[form],
        _address(key),
        chunk,
        n,
        _check("X", X, (n, d)),
        _address(labels),
    )
    _run(_library().mixtura_draw, asked)

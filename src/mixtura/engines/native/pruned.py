"""The kernels for many components: neighbours of components, and passes that know the rows.

What is left out, and why that changes nothing that can be seen, is proved in `near.h`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.native import (
    Array,
    Floats,
    Form,
    _address,
    _check,
    _data,
    _double,
    _int,
    _library,
    _model,
    _Moments,
    _ptr,
    _run,
)

Labels = NDArray[np.int32]


class _Near(ctypes.Structure):
    _fields_ = [
        ("limit", _int),
        ("cap", _double),
        ("typical", _double),
        ("nearest", _int),
        ("length", _ptr),
        ("usual", _ptr),
        ("index", _ptr),
        ("radius2", _ptr),
    ]


class _Prune(ctypes.Structure):
    _fields_ = [("labels", _ptr), ("evaluated", _int), ("plain", _int)]


class _Kept(ctypes.Structure):
    _fields_ = [("kept", _ptr), ("keep", _int), ("fresh", _int), ("evaluated", _int)]


@dataclass(frozen=True)
class Neighbours:
    """For each component, which others a row near it may need; filled by `neighbours`.

    cap and typical are whitened distances: up to which the lists hold, and of a typical row.

    nearest asks for the nearest `limit` instead of those that may not be skipped.

    length  (K,)        how many; -1 where there are more than `limit`
    usual   (K,)        how many a typical row needs; K where length is -1
    index   (K, limit)  which, nearest first
    radius2 (K, limit)  squared distance up to which each may be skipped
    """

    cap: float
    typical: float
    length: NDArray[np.int32]
    usual: NDArray[np.int32]
    index: NDArray[np.int32]
    radius2: Array
    nearest: bool = False

    @classmethod
    def empty(
        cls, K: int, limit: int, cap: float, typical: float, nearest: bool = False
    ) -> Neighbours:
        """Room for the lists of K components, `limit` each."""
        return cls(
            cap,
            typical,
            np.empty(K, np.int32),
            np.empty(K, np.int32),
            np.empty((K, limit), np.int32),
            np.empty((K, limit)),
            nearest,
        )

    def struct(self) -> _Near:
        """The same as the kernels take it."""
        lists = (self.length, self.usual, self.index, self.radius2)
        return _Near(
            self.index.shape[1], self.cap, self.typical, self.nearest, *map(_address, lists)
        )


def neighbours(
    log_weights: Array,
    means: Array,
    root: Array,
    whiten: Array,
    log_norm: Array,
    form: Form,
    components: slice,
    out: Neighbours,
) -> None:
    """Fill the lists of some components; others may be filled at the same time."""
    d = means.shape[1]
    model, _, shape = _model(d, log_weights, means, whiten, log_norm, form)
    of_g = _check("root", root, shape) if form == "full" else _address(whiten)
    near = out.struct()
    failed = _library().mixtura_neighbours(
        ctypes.byref(model),
        _int(d),
        _ptr(of_g),
        _int(components.start),
        _int(components.stop),
        ctypes.byref(near),
    )
    if failed:
        raise MemoryError("no memory for the neighbours of components")


def gaussian_pruned(
    X: Floats,
    sample_weight: Array | None,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Form,
    labels: Labels,
    near: Neighbours | None,
) -> tuple[float, Array, Array, Array, int]:
    """`gaussian_pass`, and how many log densities it worked out.

    `labels` (n,) holds the component that each row is guessed to be likeliest in, from 0 to K - 1,
    and receives the likeliest. Without `near` the pass is the plain one, and guesses are not read.
    """
    data = _data(X, sample_weight)
    n, d = X.shape
    model, K, shape = _model(d, log_weights, means, whiten, log_norm, form)
    if labels.dtype != np.int32 or labels.shape != (n,) or not labels.flags.c_contiguous:
        raise ValueError(f"labels must be a contiguous int32 array of shape ({n},)")
    count, first, second = np.empty(K), np.empty((K, d)), np.empty(shape)
    moments = _Moments(0.0, _address(count), _address(first), _address(second))
    prune = _Prune(_address(labels), 0, 0)
    arguments: list[Any] = [data, model, prune, moments]
    if near is None:
        _run(_library().mixtura_labelled, *arguments)
    else:
        _run(_library().mixtura_pruned, data, model, near.struct(), prune, moments)
    return moments.loglik, count, first, second, prune.evaluated


def gaussian_truncated(
    X: Floats,
    sample_weight: Array | None,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Form,
    kept: Labels,
    near: Neighbours | None,
) -> tuple[float, Array, Array, Array, int]:
    """`gaussian_pass` with few components a row, and how many log densities it worked out.

    `kept` (n, at most 8) holds the components that each row kept, likeliest first, from 0 to
    K - 1, or -1; it receives those that it keeps now. Without `near` it is not read, and every
    component is looked at. The log-likelihood is that of the kept components alone.
    """
    data = _data(X, sample_weight)
    n, d = X.shape
    model, K, shape = _model(d, log_weights, means, whiten, log_norm, form)
    if kept.dtype != np.int32 or kept.ndim != 2 or len(kept) != n or not kept.flags.c_contiguous:
        raise ValueError(f"kept must be a contiguous int32 array of {n} rows, not {kept.shape}")
    if not 1 <= kept.shape[1] <= 8:
        raise ValueError(f"kept must have from 1 to 8 columns, not {kept.shape[1]}")
    count, first, second = np.empty(K), np.empty((K, d)), np.empty(shape)
    moments = _Moments(0.0, _address(count), _address(first), _address(second))
    state = _Kept(_address(kept), kept.shape[1], near is None, 0)
    lists = _Near() if near is None else near.struct()
    _run(_library().mixtura_truncated, data, model, lists, state, moments)
    return moments.loglik, count, first, second, state.evaluated

"""The kernels for many components: neighbours of components, and passes that know the rows.

What is left out, and why that changes nothing that can be seen, is proved in `near.h`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.gaussian.passes import Moments, model_of
from mixtura.engines.native import (
    Array,
    Double,
    Floats,
    Int,
    Pointer,
    address,
    checked,
    data_of,
    library,
    run,
)
from mixtura.families.gaussian.forms import Name

Labels = NDArray[np.int32]


class _Near(ctypes.Structure):
    _fields_ = [
        ("limit", Int),
        ("cap", Double),
        ("typical", Double),
        ("nearest", Int),
        ("length", Pointer),
        ("usual", Pointer),
        ("index", Pointer),
        ("radius2", Pointer),
    ]


class _Prune(ctypes.Structure):
    _fields_ = [("labels", Pointer), ("evaluated", Int), ("plain", Int)]


class _Kept(ctypes.Structure):
    _fields_ = [("kept", Pointer), ("keep", Int), ("fresh", Int), ("evaluated", Int)]


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
            self.index.shape[1], self.cap, self.typical, self.nearest, *map(address, lists)
        )


def neighbours(
    log_weights: Array,
    means: Array,
    root: Array,
    whiten: Array,
    log_norm: Array,
    form: Name,
    components: slice,
    out: Neighbours,
) -> None:
    """Fill the lists of some components; others may be filled at the same time."""
    d = means.shape[1]
    model, _, shape = model_of(d, log_weights, means, whiten, log_norm, form)
    of_g = checked("root", root, shape) if form == "full" else address(whiten)
    near = out.struct()
    failed = library().mixtura_neighbours(
        ctypes.byref(model),
        Int(d),
        Pointer(of_g),
        Int(components.start),
        Int(components.stop),
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
    form: Name,
    labels: Labels,
    near: Neighbours | None,
) -> tuple[float, Array, Array, Array, int]:
    """`gaussian_pass`, and how many log densities it worked out.

    `labels` (n,) holds the component that each row is guessed to be likeliest in, from 0 to K - 1,
    and receives the likeliest. Without `near` the pass is the plain one, and guesses are not read.
    """
    data = data_of(X, sample_weight)
    n, d = X.shape
    model, K, shape = model_of(d, log_weights, means, whiten, log_norm, form)
    if labels.dtype != np.int32 or labels.shape != (n,) or not labels.flags.c_contiguous:
        raise ValueError(f"labels must be a contiguous int32 array of shape ({n},)")
    count, first, second = np.empty(K), np.empty((K, d)), np.empty(shape)
    moments = Moments(0.0, address(count), address(first), address(second))
    prune = _Prune(address(labels), 0, 0)
    arguments: list[Any] = [data, model, prune, moments]
    if near is None:
        run(library().mixtura_labelled, *arguments)
    else:
        run(library().mixtura_pruned, data, model, near.struct(), prune, moments)
    return moments.loglik, count, first, second, prune.evaluated


def gaussian_truncated(
    X: Floats,
    sample_weight: Array | None,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Name,
    kept: Labels,
    near: Neighbours | None,
) -> tuple[float, Array, Array, Array, int]:
    """`gaussian_pass` with few components a row, and how many log densities it worked out.

    `kept` (n, at most 8) holds the components that each row kept, likeliest first, from 0 to
    K - 1, or -1; it receives those that it keeps now. Without `near` it is not read, and every
    component is looked at. The log-likelihood is that of the kept components alone.
    """
    data = data_of(X, sample_weight)
    n, d = X.shape
    model, K, shape = model_of(d, log_weights, means, whiten, log_norm, form)
    if kept.dtype != np.int32 or kept.ndim != 2 or len(kept) != n or not kept.flags.c_contiguous:
        raise ValueError(f"kept must be a contiguous int32 array of {n} rows, not {kept.shape}")
    if not 1 <= kept.shape[1] <= 8:
        raise ValueError(f"kept must have from 1 to 8 columns, not {kept.shape[1]}")
    count, first, second = np.empty(K), np.empty((K, d)), np.empty(shape)
    moments = Moments(0.0, address(count), address(first), address(second))
    state = _Kept(address(kept), kept.shape[1], near is None, 0)
    lists = _Near() if near is None else near.struct()
    run(library().mixtura_truncated, data, model, lists, state, moments)
    return moments.loglik, count, first, second, state.evaluated

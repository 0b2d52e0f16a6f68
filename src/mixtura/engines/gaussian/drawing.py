"""Rows drawn in C: labels by the weights, normals by Box and Muller, written in place."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.gaussian.passes import FORMS, form_shape
from mixtura.engines.native import Array, Int, Pointer, address, checked, library, run
from mixtura.families.gaussian.forms import Name
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams


class _Draw(ctypes.Structure):
    _fields_ = [
        ("share", Pointer),
        ("means", Pointer),
        ("roots", Pointer),
        ("K", Int),
        ("d", Int),
        ("form", Int),
        ("key", Pointer),
        ("chunk", Int),
        ("n", Int),
        ("x", Pointer),
        ("labels", Pointer),
    ]


@dataclass(frozen=True)
class GaussianDrawing:
    """Chunks of rows of a Gaussian mixture, as `engines.base.Drawing`."""

    model: Mixture
    params: MixtureParams
    key: NDArray[np.uint64]

    @property
    def columns(self) -> int:
        """Of a row."""
        return int(self.params.components.means.shape[1])

    def fill(self, chunk: int, X: Array, labels: NDArray[np.int64]) -> None:
        """The first rows of a chunk, in place."""
        c = self.params.components
        weights = np.asarray(self.params.weights, dtype=np.float64)
        gaussian_draw(weights, c.means, c.root, c.form.name, self.key, chunk, X, labels)
        family: Any = self.model.family
        family.settle(X, c)


def gaussian_draw(
    weights: Array,
    means: Array,
    roots: Array,
    form: Name,
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
        address(share),
        checked("means", means, (K, d)),
        checked("roots", roots, form_shape(form, K, d)),
        K,
        d,
        FORMS[form],
        address(key),
        chunk,
        n,
        checked("X", X, (n, d)),
        address(labels),
    )
    run(library().mixtura_draw, asked)

"""The passes of a Gaussian mixture in C: E-step and statistics of some rows, or answers row by row.

A pass returns moments about the current means in whitened coordinates. Those stay exact
where raw moments would lose digits, and they are all that an M-step needs. Shapes, for K
components and d columns:

=========== ============ ==========================
form        whiten       second
=========== ============ ==========================
full        (K, d, d)    (K, d, d)
tied        (d, d)       (d, d), over all components
diag        (K, d)       (K, d)
spherical   (K,)         (K,)
=========== ============ ==========================
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

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

FORMS = {"full": 0, "tied": 1, "diag": 2, "spherical": 3}
_F32 = np.dtype(np.float32)
# What a thread does in about a millisecond, beside which waking it is nothing; an exponential costs
# as much as so many flops.
CHUNK_FLOPS, _EXP_FLOPS = 2.5e7, 44


class GaussianModel(ctypes.Structure):
    """A mixture in whitened form, as in kernels.h."""

    _fields_ = [
        ("log_weights", Pointer),
        ("means", Pointer),
        ("whiten", Pointer),
        ("log_norm", Pointer),
        ("K", Int),
        ("form", Int),
    ]


class Moments(ctypes.Structure):
    """Where the sums of one pass go, as in kernels.h."""

    _fields_ = [("loglik", Double), ("count", Pointer), ("first", Pointer), ("second", Pointer)]


class _Rows(ctypes.Structure):
    _fields_ = [
        ("log_density", Pointer),
        ("responsibilities", Pointer),
        ("labels", Pointer),
        ("component_log_density", Pointer),
        ("log_density_single", Int),
        ("responsibilities_single", Int),
        ("component_single", Int),
    ]


def row_flops(d: int, K: int, form: str) -> int:
    """What a row takes in a pass."""
    each = 2 * d * (d + 3) if form in ("full", "tied") else 8 * d
    return K * (each + _EXP_FLOPS)


def form_shape(form: str, K: int, d: int) -> tuple[int, ...]:
    """The shape of `whiten` and `second`."""
    if form == "full":
        return (K, d, d)
    if form == "tied":
        return (d, d)
    if form == "diag":
        return (K, d)
    if form == "spherical":
        return (K,)
    raise ValueError(f"form must be one of {', '.join(FORMS)}, not {form!r}")


def model_of(
    d: int, log_weights: Array, means: Array, whiten: Array, log_norm: Array, form: str
) -> tuple[GaussianModel, int, tuple[int, ...]]:
    """A checked mixture as the kernels take it, K, and the shape of its form."""
    K = log_weights.shape[0]
    if K == 0:
        raise ValueError("a mixture has at least one component")
    shape = form_shape(form, K, d)
    model = GaussianModel(
        checked("log_weights", log_weights, (K,)),
        checked("means", means, (K, d)),
        checked("whiten", whiten, shape),
        checked("log_norm", log_norm, (K,)),
        K,
        FORMS[form],
    )
    return model, K, shape


def gaussian_pass(
    X: Floats,
    sample_weight: Array | None,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Name,
    *,
    single: bool = False,
    centred: bool = False,
    near: bool = False,
) -> tuple[float, Array, Array, Array]:
    """One E-step over all rows of X: ``(loglik, count, first, second)``.

    With y = whiten (x - mean) and r the responsibility times the sample weight:
    ``count = sum r`` (K,), ``first = sum r y`` (K, d), ``second = sum r y y'`` in the
    shape of the form. Rows of weight zero contribute nothing, whatever they hold. With
    ``single`` the work is done in float32, whatever X holds, in twice as many lanes; rows are then
    read relative to the mixture's mean, unless float32 rows and means are ``centred`` already.
    Where rows beside each other lie ``near`` each other components out of sight are skipped, as
    `native/sight.h` says: counts must then be compared with the weights.
    """
    data = data_of(X, sample_weight)
    data.near = near
    if centred:
        if not (single and data.single):
            raise ValueError("centred rows are float32 ones, for single=True")
        data.single = 2
    d = X.shape[1]
    model, K, shape = model_of(d, log_weights, means, whiten, log_norm, form)
    count, first, second = np.empty(K), np.empty((K, d)), np.empty(shape)
    moments = Moments(0.0, address(count), address(first), address(second))
    kernels = library()
    run(kernels.mixtura_single if single else kernels.mixtura_pass, data, model, moments)
    return moments.loglik, count, first, second


def gaussian_rows(
    X: Floats,
    log_weights: Array,
    means: Array,
    whiten: Array,
    log_norm: Array,
    form: Name,
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
    data = data_of(X, None)
    n, d = X.shape
    model, K, _ = model_of(d, log_weights, means, whiten, log_norm, form)
    out = answers_of(n, K, log_density, responsibilities, labels, component_log_density)
    run(library().mixtura_rows, data, model, out)


def answers_of(
    n: int,
    K: int,
    log_density: Floats | None,
    responsibilities: Floats | None,
    labels: NDArray[np.int64] | None,
    component_log_density: Floats | None,
) -> ctypes.Structure:
    """Checked arrays for answers of `gaussian_rows`, as the kernels take them."""
    out = _Rows()
    if log_density is not None:
        out.log_density = checked("log_density", log_density, (n,), single=True)
        out.log_density_single = log_density.dtype == _F32
    if responsibilities is not None:
        out.responsibilities = checked("responsibilities", responsibilities, (n, K), single=True)
        out.responsibilities_single = responsibilities.dtype == _F32
    if component_log_density is not None:
        out.component_log_density = checked(
            "component_log_density", component_log_density, (n, K), single=True
        )
        out.component_single = component_log_density.dtype == _F32
    if labels is not None:
        if labels.dtype != np.int64 or labels.shape != (n,) or not labels.flags.c_contiguous:
            raise ValueError(f"labels must be a contiguous int64 array of shape ({n},)")
        out.labels = address(labels)
    return out

"""Whole EM climbs of one Gaussian mixture inside C, whatever its components share.

What `gaussian_em` of the package does for covariances that share all or nothing; here for all of
mclust's structures, with the rule by which a climb stops, and also from groups.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mixtura.engines.native import (
    _FORMS,
    Array,
    Floats,
    Form,
    _address,
    _check,
    _data,
    _double,
    _Em,
    _form_shape,
    _int,
    _library,
    _ptr,
    _run,
)

# As in structures.h; what is not named is done by form alone.
SHARED = ("EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")
_SHARES = {name: number for number, name in enumerate(SHARED, start=1)}
# As in kernels.h.
LIMIT, CONVERGED, COLLAPSED, ILL_DEFINED = range(4)
# Columns up to which the M-steps here, which are plain loops, keep up with LAPACK's.
MOST_COLUMNS = 32


class _Climb(ctypes.Structure):
    _fields_ = [
        ("em", _Em),
        ("share", _int),
        ("few", _int),
        ("settled", _double),
        ("tol", _double),
        ("resp", _ptr),
        ("pivots", _ptr),
        ("few_rows", _double),
        ("spurious", _double),
        ("numeric", _double),
        ("reason", _int),
    ]


@dataclass(frozen=True)
class Penalty:
    """What an M-step adds: to a covariance ``(S + 2 strength target) / (n + 2 strength) + held +
    absolute I``; target and held in the form's shape for one component."""

    strength: float
    target: Array
    held: Array
    absolute: float


@dataclass(frozen=True)
class Narrowest:
    """Components narrower than this end a climb.

    Widths are the least squared ratio of Cholesky pivots to `pivots`, which are (d,) or (1,):
    ``numeric`` is refused for any component, ``spurious`` for one of fewer than `rows`.
    """

    pivots: Array
    rows: float
    spurious: float
    numeric: float


@dataclass(frozen=True)
class Precision:
    """How exact an M-step is that iterates: see structures.h and axes.h."""

    settled: float
    few: int


EXACT = Precision(1e-13, 4)


@dataclass(frozen=True)
class Climbed:
    """Where a climb ended; logliks are those at the start of each step.

    reason is one of LIMIT, CONVERGED, COLLAPSED and ILL_DEFINED; failed is the component of the
    last two, else -1, and then the parameters are those before the step that could not be.
    """

    weights: Array
    means: Array
    roots: Array
    logliks: Array
    reason: int
    failed: int


def gaussian_climb(
    X: Floats,
    sample_weight: Array | None,
    weights: Array,
    means: Array,
    roots: Array,
    form: Form,
    structure: str,
    *,
    passes: int,
    penalty: Penalty,
    tol: float = 0.0,
    groups: Array | None = None,
    narrowest: Narrowest | None = None,
    precision: Precision = EXACT,
) -> Climbed:
    """EM from the given parameters, or from `groups`, for at most `passes` sweeps.

    ``roots`` are lower Cholesky factors or standard deviations in the shape of the form, and
    ``structure`` mclust's name. With ``tol`` 0 every sweep is followed by an M-step. Else the climb
    ends where the gain still to come, of all rows together, is estimated to be at most ``tol``, and
    the last of ``logliks`` is that of the parameters returned. ``groups`` are shares (n, K) of the
    components in each row, whose M-step is the start; parameters then lend units only, and all
    components are equal.
    """
    data = _data(X, sample_weight)
    n, d = X.shape
    K = weights.shape[0]
    if K == 0 or passes < 1:
        raise ValueError("gaussian_climb needs at least one component and passes >= 1")
    shape = _form_shape(form, K, d)
    one = shape[-2:] if form in ("full", "tied") else shape[1:]
    target = np.ascontiguousarray(penalty.target, np.float64).reshape(one)
    held = np.ascontiguousarray(penalty.held, np.float64).reshape(one)
    _check("weights", weights, (K,))
    _check("means", means, (K, d))
    _check("roots", roots, shape)
    # One buffer for everything that is written: parameters, then log-likelihoods.
    ends = np.cumsum([0, K, K * d, math.prod(shape), passes]).tolist()
    buffer = np.empty(ends[-1])
    parts = [buffer[a:b] for a, b in pairwise(ends)]
    parts[0][:], parts[1][:], parts[2][:] = weights, means.ravel(), roots.ravel()
    base = _address(buffer)
    climb = _Climb(
        _Em(
            base,
            base + 8 * ends[1],
            base + 8 * ends[2],
            _check("target", target, one),
            _check("held", held, one),
            penalty.strength,
            penalty.absolute,
            base + 8 * ends[3],
            K,
            _FORMS[form],
            passes,
            0,
            -1,
        ),
        _SHARES.get(structure, 0),
        precision.few,
        precision.settled,
        tol,
        None if groups is None else _check("groups", groups, (n, K)),
    )
    if narrowest is not None:
        pivots = np.ascontiguousarray(narrowest.pivots)
        climb.pivots = _check("pivots", pivots, (d if len(one) else 1,))
        climb.few_rows, climb.spurious = narrowest.rows, narrowest.spurious
        climb.numeric = narrowest.numeric
    _run(_library().mixtura_climb, data, climb)
    return Climbed(
        parts[0],
        parts[1].reshape(K, d),
        parts[2].reshape(shape),
        parts[3][: climb.em.done],
        climb.reason,
        climb.em.failed,
    )

"""Whole EM climbs of a Gaussian mixture inside C, from groups or parameters to where they end."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from mixtura.engines.native import (
    Array,
    Floats,
    Form,
    _check,
    _data,
    _double,
    _int,
    _library,
    _ptr,
    _run,
)
from mixtura.engines.native.climbing import MStep, Reached, _Em, asked

# As in kernels.h.
LIMIT, CONVERGED, COLLAPSED, ILL_DEFINED = range(4)
# Columns up to which M-steps by plain loops keep up with LAPACK's.
MOST_COLUMNS = 32


class _Climb(ctypes.Structure):
    _fields_ = [
        ("em", _Em),
        ("tol", _double),
        ("pivots", _ptr),
        ("few_rows", _double),
        ("spurious", _double),
        ("numeric", _double),
        ("reason", _int),
    ]


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


def gaussian_climb(
    X: Floats,
    sample_weight: Array | None,
    weights: Array,
    means: Array,
    roots: Array,
    form: Form,
    m_step: MStep,
    *,
    passes: int,
    tol: float,
    given: Array | None = None,
    narrowest: Narrowest | None = None,
) -> tuple[Reached, int]:
    """(where EM ended, why: LIMIT, CONVERGED, COLLAPSED or ILL_DEFINED) after at most `passes`.

    Ends where the gain still to come, of all rows together, is estimated to be at most ``tol``. The
    log-likelihoods are that of the start and those after each step. ``given`` are responsibilities
    (n, K) whose M-step is the start; the parameters then lend units only.
    """
    data = _data(X, sample_weight)
    call = asked(X, (weights, means, roots), form, m_step, passes, None, given)
    climb = _Climb(call.em, tol)
    if narrowest is not None:
        pivots = np.ascontiguousarray(narrowest.pivots)
        climb.pivots = _check("pivots", pivots, (1 if form == "spherical" else X.shape[1],))
        climb.few_rows, climb.spurious = narrowest.rows, narrowest.spurious
        climb.numeric = narrowest.numeric
    _run(_library().mixtura_climb, data, climb)
    return call._replace(em=climb.em).reached(), climb.reason

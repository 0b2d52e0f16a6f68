"""Whole EM climbs of a Gaussian mixture inside C, from groups or parameters to where they end."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.gaussian.climbing import Asked, MStep, Reached, _Em, asked
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

AnyArray = NDArray[Any]
# As in kernels.h.
LIMIT, CONVERGED, COLLAPSED, ILL_DEFINED = range(4)
# Columns up to which M-steps by plain loops keep up with LAPACK's.
MOST_COLUMNS = 32


class _Climb(ctypes.Structure):
    _fields_ = [
        ("em", _Em),
        ("tol", Double),
        ("pivots", Pointer),
        ("few_rows", Double),
        ("spurious", Double),
        ("numeric", Double),
        ("reason", Int),
    ]


class _Contest(ctypes.Structure):
    _fields_ = [
        ("climb", _Climb),
        ("starts", Pointer),
        ("n_starts", Int),
        ("fewer_weights", Pointer),
        ("fewer_means", Pointer),
        ("fewer_roots", Pointer),
        ("splits", Int),
        ("trial", Int),
        ("rough", Double),
        ("values", Pointer),
        ("steps", Pointer),
        ("won", Int),
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


class Contested(NamedTuple):
    """What became of each start, the splits last.

    values are log-likelihoods after the short climbs, -inf after a singularity; won is the place of
    the one climbed to its end, -1 where none was.
    """

    values: Array
    steps: AnyArray
    won: int


def gaussian_climb(
    X: Floats,
    sample_weight: Array | None,
    weights: Array,
    means: Array,
    roots: Array,
    form: Name,
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
    data = data_of(X, sample_weight)
    call = asked(X, (weights, means, roots), form, m_step, passes, None, given)
    climb, alive = _climb(call, tol, narrowest)
    run(library().mixtura_climb, data, climb)
    del alive
    return call._replace(em=climb.em).reached(), climb.reason


def gaussian_contest(
    X: Floats,
    sample_weight: Array | None,
    units: tuple[Array, Array, Array],
    form: Name,
    m_step: MStep,
    starts: Array,
    fewer: tuple[Array, Array, Array] | None,
    *,
    passes: int,
    tol: float,
    rough: float,
    trial: int,
    splits: int,
    narrowest: Narrowest | None = None,
) -> tuple[Reached, int, Contested]:
    """(where the best start ended, why, what the others did).

    ``starts`` are responsibilities (S, n, K), ``units`` equal components (weights, means, roots).
    ``fewer`` is a mixture with one component less: ``splits`` of its components are tried, the
    heaviest first, for ``trial`` steps. All are climbed until the gain still to come is at most
    ``rough``; from there the best goes on as in `gaussian_climb`, and if it meets a singularity the
    next.
    """
    data = data_of(X, sample_weight)
    S, K = len(starts), len(units[0])
    call = asked(X, units, form, m_step, passes, None, None)
    climb, alive = _climb(call, tol, narrowest)
    values, steps = np.empty(S + 1), np.zeros(S + 1, dtype=np.int64)
    contest = _Contest(climb, checked("starts", starts, (S, len(X), K)), S)
    if fewer is not None:
        d, root = X.shape[1], units[2].shape
        shapes = ((K - 1,), (K - 1, d), root if form == "tied" else (K - 1, *root[1:]))
        named = zip(("weights", "means", "roots"), fewer, shapes, strict=True)
        places = [checked(f"fewer {name}", part, shape) for name, part, shape in named]
        contest.fewer_weights, contest.fewer_means, contest.fewer_roots = places
    contest.splits, contest.trial, contest.rough = splits, trial, rough
    contest.values, contest.steps = address(values), address(steps)
    run(library().mixtura_contest, data, contest)
    del alive
    told = Contested(values, steps, contest.won)
    return call._replace(em=contest.climb.em).reached(), contest.climb.reason, told


def _climb(call: Asked, tol: float, narrowest: Narrowest | None) -> tuple[_Climb, Array | None]:
    """The record of a climb, and what must live as long."""
    climb = _Climb(call.em, tol)
    if narrowest is None:
        return climb, None
    pivots = np.ascontiguousarray(narrowest.pivots)
    d = call.parts[1].shape[1]
    spherical = call.parts[2].ndim == 1
    climb.pivots = checked("pivots", pivots, (1 if spherical else d,))
    climb.few_rows, climb.spurious = narrowest.rows, narrowest.spurious
    climb.numeric = narrowest.numeric
    return climb, pivots

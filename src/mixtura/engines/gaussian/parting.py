"""Partial EM of many sets of components of a Gaussian mixture, in C."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.gaussian.climbing import MStep, _Em, asked
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
from mixtura.engines.refits import Refits
from mixtura.families.gaussian.forms import Name

AnyArray = NDArray[Any]
Arrays = tuple[Array, Array, Array]


class _Partial(ctypes.Structure):
    _fields_ = [
        ("em", _Em),
        ("shares", Pointer),
        ("places", Pointer),
        ("q", Int),
        ("sets", Pointer),
        ("n_sets", Int),
        ("asked", Pointer),
        ("tries", Int),
        ("first", Int),
        ("steps", Int),
        ("least", Double),
        ("held", Pointer),
        ("before", Pointer),
        ("merged", Pointer),
        ("after", Pointer),
        ("weights", Pointer),
        ("means", Pointer),
        ("roots", Pointer),
    ]


class Ends(NamedTuple):
    """Room for what becomes of S sets, as in `Refitted`, and for the pairs' parameters."""

    held: AnyArray
    before: Array
    merged: Array
    after: Array
    weights: Array
    means: Array
    roots: Array

    @classmethod
    def empty(cls, S: int, units: Arrays) -> Ends:
        """For pairs shaped as these two components."""
        pairs = (np.empty((S, *part.shape)) for part in units)
        return cls(np.empty(S, dtype=np.int64), *np.empty((3, S)), *pairs)


def gaussian_partial(
    X: Floats,
    sample_weight: Array | None,
    units: Arrays,
    form: Name,
    m_step: MStep,
    refits: Refits,
    sets: slice,
    ends: Ends,
) -> None:
    """Fill what becomes of some of the sets; others may be filled at the same time.

    ``units`` are two equal components (weights, means, roots).
    """
    data = data_of(X, sample_weight)
    told = np.ascontiguousarray(refits.sets[sets], dtype=np.int64)
    n, S, T = len(X), len(told), refits.asked.shape[1]
    frames, _, q = refits.places.shape
    if told.shape != (S, 2) or told.max(initial=-1) >= len(refits.shares):
        raise ValueError(f"sets must be (S, 2) components below {len(refits.shares)}")
    if not 1 <= refits.first <= refits.steps:
        raise ValueError(f"first must be at least 1 and at most {refits.steps} steps")
    call = asked(X, units, form, m_step, refits.steps, None, None)
    partial = _Partial(
        call.em,
        checked("shares", refits.shares, (len(refits.shares), n)),
        checked("places", refits.places, (frames, n, q)),
        q,
        address(told),
        S,
        checked("asked", refits.asked[sets], (S, T, 4 + q)),
        T,
        refits.first,
        refits.steps,
        refits.least,
        *(address(end[sets]) for end in ends),
    )
    run(library().mixtura_partial, data, partial)

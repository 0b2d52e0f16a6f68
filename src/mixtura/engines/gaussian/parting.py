"""Partial EM of sets of components of a Gaussian mixture, and their removals, in C."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mixtura.engines.gaussian.climbing import MStep, _Em, asked
from mixtura.engines.gaussian.passes import form_shape
from mixtura.engines.native import (
    Array,
    Data,
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
from mixtura.engines.refits import Refits, Removals
from mixtura.families.gaussian.forms import Name

AnyArray = NDArray[Any]
Arrays = tuple[Array, Array, Array]


class _Ends(ctypes.Structure):
    _fields_ = [
        ("weights", Pointer),
        ("means", Pointer),
        ("roots", Pointer),
        ("counts", Pointer),
        ("first", Pointer),
        ("second", Pointer),
    ]


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
        ("pair", _Ends),
        ("now", _Ends),
    ]


class _Removals(ctypes.Structure):
    _fields_ = [
        ("em", _Em),
        ("data", ctypes.POINTER(Data)),
        ("shares", Pointer),
        ("log_joint", Pointer),
        ("K", Int),
        ("sets", Pointer),
        ("n_sets", Int),
        ("heirs", Int),
        ("steps", Int),
        ("least", Double),
        ("cost", Pointer),
        ("ends", _Ends),
    ]


class Room(NamedTuple):
    """Room for S mixtures of K components, and the sums there, each (S, ...) in its shape."""

    weights: Array
    means: Array
    roots: Array
    counts: Array
    first: Array
    second: Array

    @classmethod
    def empty(cls, S: int, K: int, d: int, form: Name) -> Room:
        shapes = ((K,), (K, d), form_shape(form, K, d)) * 2
        return cls(*(np.zeros((S, *shape)) for shape in shapes))

    def at(self, sets: slice) -> _Ends:
        """Where that of some of them is, for C."""
        return _Ends(*(address(each[sets]) for each in self))


def gaussian_partial(
    X: Floats,
    sample_weight: Array | None,
    units: Arrays,
    form: Name,
    m_step: MStep,
    refits: Refits,
    sets: slice,
    told: tuple[AnyArray, Array],
    pairs: Room,
    now: Room,
) -> None:
    """Fill what becomes of some of the sets; others may be filled at the same time.

    ``units`` are two equal components (weights, means, roots); ``told`` are the rows held (S,) and
    the values (3, S) of `Refitted`.
    """
    data = data_of(X, sample_weight)
    some = np.ascontiguousarray(refits.sets[sets], dtype=np.int64)
    n, S, T = len(X), len(some), refits.asked.shape[1]
    frames, _, q = refits.places.shape
    if some.shape != (S, 2) or some.max(initial=-1) >= len(refits.shares):
        raise ValueError(f"sets must be (S, 2) components below {len(refits.shares)}")
    if not 1 <= refits.first <= refits.steps:
        raise ValueError(f"first must be at least 1 and at most {refits.steps} steps")
    call = asked(X, units, form, m_step, refits.steps, None, None)
    held, values = told
    partial = _Partial(
        call.em,
        checked("shares", refits.shares, (len(refits.shares), n)),
        checked("places", refits.places, (frames, n, q)),
        q,
        address(some),
        S,
        checked("asked", refits.asked[sets], (S, T, 4 + q)),
        T,
        refits.first,
        refits.steps,
        refits.least,
        address(held[sets]),
        *(address(line[sets]) for line in values),
        pairs.at(sets),
        now.at(sets),
    )
    run(library().mixtura_partial, data, partial)


def gaussian_removals(
    X: Floats,
    sample_weight: Array | None,
    units: Arrays,
    form: Name,
    m_step: MStep,
    removals: Removals,
    sets: slice,
    cost: Array,
    ends: Room,
) -> None:
    """Fill what some removals cost (S,) and the heirs; ``units`` are as many equal components."""
    data = data_of(X, sample_weight)
    some = np.ascontiguousarray(removals.sets[sets], dtype=np.int64)
    K, heirs = removals.log_joint.shape[1], len(units[0])
    if some.shape != (len(some), 1 + heirs) or some.max(initial=-1) >= K:
        raise ValueError(f"sets must be (S, {1 + heirs}) components below {K}")
    call = asked(X, units, form, m_step, removals.steps, None, None)
    removal = _Removals(
        call.em,
        ctypes.pointer(data),
        checked("shares", removals.shares, (K, len(X))),
        checked("log_joint", removals.log_joint, (len(X), K)),
        K,
        address(some),
        len(some),
        heirs,
        removals.steps,
        removals.least,
        address(cost[sets]),
        ends.at(sets),
    )
    run(library().mixtura_removals, removal)

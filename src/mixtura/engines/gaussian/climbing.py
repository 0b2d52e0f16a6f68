"""Whole EM steps inside C, for tables so small that coming back to Python would cost more.

A call goes from sums to sums: given those at its parameters it begins with an M-step, and it ends
with the E-step at the parameters it hands back. So nobody repeats an E-step to learn what is known.
"""

from __future__ import annotations

import ctypes
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mixtura.engines.gaussian.passes import FORMS, Moments, form_shape
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


class _Em(ctypes.Structure):
    _fields_ = [
        ("weights", Pointer),
        ("means", Pointer),
        ("roots", Pointer),
        ("whiten", Pointer),
        ("log_weights", Pointer),
        ("log_norm", Pointer),
        ("sums", Moments),
        ("known", Int),
        ("given", Pointer),
        ("target", Pointer),
        ("held", Pointer),
        ("strength", Double),
        ("absolute", Double),
        ("logliks", Pointer),
        ("K", Int),
        ("form", Int),
        ("passes", Int),
        ("done", Int),
        ("failed", Int),
        ("share", Int),
        ("few", Int),
        ("settled", Double),
        ("rest", Double),
    ]


class Sums(NamedTuple):
    """What an E-step sums: counts (K,), first (K, d) and second, as `gaussian_pass` has them."""

    counts: Array
    first: Array
    second: Array


class Reached(NamedTuple):
    """Where the steps ended.

    weights, means, roots, whiten, log_norm are the parameters there, sums those of their E-step;
    logliks has the log-likelihood after each step; failed is -1, or the component whose new
    covariance was not positive (0 for tied): then the parameters are those from before that
    M-step, and the sums are lost.
    """

    weights: Array
    means: Array
    roots: Array
    whiten: Array
    log_norm: Array
    sums: Sums
    logliks: Array
    failed: int


@lru_cache
def _layout(form: Name, K: int, d: int) -> tuple[tuple[slice, tuple[int, ...], int], ...]:
    """(place in the buffer, shape, byte offset) of all that a call writes but log-likelihoods."""
    shape = form_shape(form, K, d)
    layout, start = [], 0
    for each in ((K,), (K, d), shape, shape, (K,), (K,), (K,), (K, d), shape):
        end = start + math.prod(each)
        layout.append((slice(start, end), each, 8 * start))
        start = end
    return tuple(layout)


# Structures whose covariances share something short of all, as in structures.h; of the others the
# form says all.
SHARED = ("EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")
_SHARES = {name: number for number, name in enumerate(SHARED, start=1)}


class MStep(NamedTuple):
    """What an M-step makes of the scatter S of n rows; arrays in one component's shape.

    A covariance of components that share nothing is ``(S + 2 strength target) / (n + 2 strength)
    + held + absolute I``; `structure`, mclust's name, says what they share, empty for what the
    form says.
    Steps that iterate end where nothing moves by more than `settled`, relative, and those for
    common axes are content with good ones after `few` turns.
    """

    strength: float
    target: Array | float
    held: Array | float
    absolute: float
    structure: str = ""
    settled: float = 1e-13
    few: int = 8


class Asked(NamedTuple):
    """A call made ready: the record for C, what it will fill, and what must live until then."""

    em: _Em
    parts: list[Array]
    logliks: Array
    alive: tuple[Array, ...]

    def reached(self) -> Reached:
        """What C has filled."""
        weights, means, roots, whiten, _, log_norm, *totals = self.parts
        logliks = self.logliks[: self.em.done]
        return Reached(
            weights, means, roots, whiten, log_norm, Sums(*totals), logliks, self.em.failed
        )


def asked(
    X: Floats,
    start: tuple[Array, Array, Array],
    form: Name,
    m_step: MStep,
    passes: int,
    sums: Sums | None,
    given: Array | None,
) -> Asked:
    """The record of a call from (weights, means, roots), with room for passes + 1 values."""
    (n, d), K = X.shape, start[0].shape[0]
    if K == 0 or passes < 0:
        raise ValueError("EM needs at least one component and passes >= 0")
    layout = _layout(form, K, d)
    size = layout[-1][0].stop
    buffer = np.empty(size + passes + 1)
    parts = [buffer[place].reshape(shape) for place, shape, _ in layout]
    known = () if sums is None else zip(parts[6:], sums, ("counts", "first", "second"), strict=True)
    for part, value, name in (
        *zip(parts[:3], start, ("weights", "means", "roots"), strict=True),
        *known,
    ):
        if value.shape != part.shape:
            raise ValueError(f"{name} must have shape {part.shape}, not {value.shape}")
        part[...] = value
    shape = layout[2][1]
    one = shape[-2:] if form in ("full", "tied") else shape[1:]
    target = np.ascontiguousarray(m_step.target, np.float64)
    held = np.ascontiguousarray(m_step.held, np.float64)
    base = address(buffer)
    at = [base + offset for _, _, offset in layout]
    em = _Em(
        *at[:6],
        Moments(0.0, *at[6:]),
        sums is not None,
        None if given is None else checked("given", given, (n, K)),
        checked("target", target.reshape(one) if not one else target, one),
        checked("held", held.reshape(one) if not one else held, one),
        m_step.strength,
        m_step.absolute,
        base + 8 * size,
        K,
        FORMS[form],
        passes,
        0,
        -1,
        _SHARES.get(m_step.structure, 0),
        m_step.few,
        m_step.settled,
    )
    return Asked(em, parts, buffer[size:], (buffer, target, held))


def gaussian_em(
    X: Floats,
    sample_weight: Array | None,
    weights: Array,
    means: Array,
    roots: Array,
    form: Name,
    *,
    passes: int,
    sums: Sums | None = None,
    given: Array | None = None,
    near: bool = False,
    **m_step: Any,
) -> Reached:
    """Run so many EM steps, each an M-step and the E-step after it.

    ``roots`` are the covariances' lower Cholesky factors, or standard deviations, in the shape
    of the form; ``m_step`` are the fields of `MStep`. ``sums`` are those at the given parameters,
    where they are known; else ``given``, responsibilities (n, K), may take the place of the first
    E-step's. ``near`` says that rows beside each other lie near each other.
    """
    data = data_of(X, sample_weight)
    data.near = near
    call = asked(X, (weights, means, roots), form, MStep(**m_step), passes, sums, given)
    run(library().mixtura_em, data, call.em)
    return call.reached()

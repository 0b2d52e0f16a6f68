"""Directions in which a table has no variance of its own, and what components are given there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.moments import NO_VARIANCE
from mixtura.families.equations import HELD_SHARE, constants, sums
from mixtura.families.gaussian.forms import Form, diagonal
from mixtura.families.gaussian.records import GaussianParams
from mixtura.records import Array, Equation


@dataclass(frozen=True)
class Held:
    """Where a table has no variance of its own.

    added      the variance given to components there, (d, d) or its diagonal (d,)
    columns    those with such a direction
    equations  what the rows have in common, one for each direction
    """

    added: Array
    columns: tuple[int, ...]
    equations: tuple[Equation, ...]


def held_in(S: Array, mean: Array, form: Form) -> Held:
    """Of a table with this mean (d,) and scatter S, (d, d) or its diagonal (d,).

    A constant column has no scale of its own: it is held at HELD_SHARE squared units. A linear
    dependence between columns is held at HELD_SHARE of their variances.
    """
    unit = np.where(diagonal(S) > 0, np.sqrt(diagonal(S)), 1.0)
    constant, together = null_directions(S, unit, form)
    added = HELD_SHARE * constant.astype(np.float64)
    if S.ndim == 2:
        scaled = together * unit[:, None]
        added = np.diag(added) + HELD_SHARE * scaled @ scaled.T
    # A column outside the dependence has only a rounding's share in its direction.
    columns = np.flatnonzero(constant | ((together**2).sum(axis=1) > 1e-4))
    equations = constants(constant, mean) + sums(together, unit, mean)
    return Held(added, tuple(columns.tolist()), equations)


def null_directions(S: Array, unit: Array, form: Form) -> tuple[NDArray[np.bool_], Array]:
    """(which columns are constant (d,), the other directions without variance (d, m)).

    Those are orthonormal where columns are measured in `unit`; S is the table's scatter, or its
    diagonal. A form with one variance for all columns needs no help while any of them varies, and
    one without correlations sees no dependence.
    """
    constant, d = diagonal(S) <= 0, len(S)
    if not form.correlates:
        spherical = np.ndim(form.restrict(S)) == 0
        return constant & (not spherical or bool(constant.all())), np.zeros((d, 0))
    varied = np.flatnonzero(~constant)
    correlations = S[np.ix_(varied, varied)] / np.outer(unit[varied], unit[varied])
    values, vectors = np.linalg.eigh(correlations)
    vectors = vectors[:, values < NO_VARIANCE * d]
    together = np.zeros((d, vectors.shape[1]))
    together[varied] = vectors
    return constant, together


def without_held(prior: Any, params: GaussianParams, scatter: Array) -> Array:
    """Scatter in whitened units, in the form, without the directions that `prior` holds.

    A row that misses such a direction is expected to vary in it as the component does, which says
    nothing: with x = Px + s, s in the held directions H of the reference S + H and alike in all
    components, P = I - H (S + H)^-1, an M-step estimates the covariance of Px alone.
    """
    form, held, reference = prior.form, prior.held, prior.reference
    if not form.correlates:
        return np.asarray(scatter * (1.0 - held / form.restrict(reference)))
    unit = np.sqrt(np.diagonal(reference))
    off = np.linalg.solve(reference / np.outer(unit, unit), held / np.outer(unit, unit)).T
    left = np.eye(len(unit)) - unit[:, None] * off / unit
    left = params.whiten @ left @ params.root
    return np.asarray(left @ scatter @ np.swapaxes(left, -1, -2))

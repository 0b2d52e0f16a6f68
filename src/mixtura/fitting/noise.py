"""What noise is for a table: the volume it fills, and the rows that starts are made without."""

from __future__ import annotations

import operator

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit

from mixtura.data.moments import constant_but_for_rounding, principal_axes
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.families.base import Family
from mixtura.families.portrait import DENSITIES
from mixtura.models.noise import MARGINAL, Uniform
from mixtura.records import AnyArray, Array

# Rows of a table that are looked at together.
_PIECE = 1 << 14
# Whose distance tells whether a row lies in a crowd.
NEIGHBOUR = 10
# Steps of the mixture that tells crowds from noise: it has two numbers.
STEPS = 50
# Of a sample at least this share is left for the starts.
LEAST_LEFT = 0.5

# True for the box of the columns, "mclust", or the volume.
Asked = bool | str | float


def refuse_noise(family: Family) -> None:
    """ValueError where rows of this family are no points of a volume."""
    if family.conditional or family.column_kind not in DENSITIES or hasattr(family, "blocks"):
        raise ValueError(
            f"noise is spread evenly over columns of numbers, which are not what family "
            f"{family.name!r} is for: use a Gaussian structure, or noise=None"
        )


def uniform_of(asked: Asked, source: Source, family: Family) -> Uniform:
    """The noise that is asked for; at most two passes over the rows.

    True is the box that just holds all rows, whose density no change of a column's unit or origin
    changes beside those of the components (Banfield & Raftery 1993). "mclust" is the smaller of
    that and the box along the principal axes, `hypvol` of Fraley & Raftery (2002), J. American
    Statistical Association 97: it depends on units. A number is the volume itself. Angles fill
    the circle, whatever the rows.
    """
    if not isinstance(asked, bool | str):
        return Uniform(float(np.log(asked)))
    if family.column_kind == "circle":
        half = (np.pi,) * source.d
        return Uniform(source.d * np.log(2 * np.pi), tuple(-x for x in half), half, whole=True)
    found = _box(source, None)
    if asked == "mclust":
        if source.reduced(_gaps, operator.or_):
            raise ValueError(MARGINAL)
        turned = _box(source, principal_axes(source))
        found = turned if turned.log_volume < found.log_volume else found
    return found


def _gaps(part: Source) -> bool:
    """Whether cells are missing."""
    return any(bool(np.isnan(x).any()) for x, *_ in part.chunks(_PIECE))


def _box(source: Source, axes: Array | None) -> Uniform:
    """The box that just holds all rows that carry weight."""

    def ends(part: Source) -> tuple[Array, Array]:
        lower, upper = np.full(part.d, np.inf), np.full(part.d, -np.inf)
        for x, w, *_ in part.chunks(_PIECE):
            X = np.asarray(x if w is None else x[w > 0], dtype=np.float64)
            Z = X if axes is None else X @ axes
            lower = np.minimum(lower, np.fmin.reduce(Z, initial=np.inf))
            upper = np.maximum(upper, np.fmax.reduce(Z, initial=-np.inf))
        return lower, upper

    lower, upper = source.reduced(
        ends, lambda one, two: (np.minimum(one[0], two[0]), np.maximum(one[1], two[1]))
    )
    if axes is not None:
        _refuse_flat(lower, upper)
    none = ~(upper > lower)
    if axes is None:
        none |= constant_but_for_rounding((lower + upper) / 2, ((upper - lower) / 2) ** 2)
    flat = np.flatnonzero(none)
    if len(flat):
        raise ValueError(
            f"noise: column {flat[0]} (counted from 0) is the same in all rows, so that the box "
            "of the table has no volume: leave the column out, or give the volume, noise=2.5 say"
        )
    told = () if axes is None else tuple(map(tuple, axes.tolist()))
    volume = float(np.log(upper - lower).sum())
    return Uniform(volume, tuple(lower.tolist()), tuple(upper.tolist()), told)


def _refuse_flat(lower: Array, upper: Array) -> None:
    """ValueError where the rows have no width along a principal axis but what rounding gives."""
    size = max(float(np.abs(lower).max()), float(np.abs(upper).max()))
    if (upper - lower <= 64 * len(lower) * np.finfo(np.float64).eps * size).any():
        raise ValueError(
            "noise='mclust': the rows have no width along one of their principal axes, so that the "
            "box along these has no volume: leave out the column that others make up, or use "
            "noise=True"
        )


def cleaned(sample: Rows, frame: Array) -> tuple[Rows, float]:
    """(the rows in crowds, the share of the others): what starts are made of.

    `frame` (n, q) are the sample's rows free of units. All rows where too few would be left.
    """
    n = len(frame)
    w = np.ones(n) if sample.sample_weight is None else sample.sample_weight
    if n <= 2 * NEIGHBOUR:
        return sample, 0.5 / n
    crowded = in_crowds(frame)
    share = float(w[~crowded].sum() / w.sum())
    if share == 0 or share > 1 - LEAST_LEFT:
        return sample, max(share, 0.5 / n) if share < LEAST_LEFT else LEAST_LEFT / 2
    return sample.take(np.flatnonzero(crowded)), share


def in_crowds(Z: AnyArray) -> AnyArray:
    """Which rows of Z (n, q) have near neighbours, bool (n,).

    The distance D to the k-th neighbour among points spread evenly in q dimensions has D^q
    distributed as Gamma(k, rate); crowds and noise have a rate each, found by EM (Byers & Raftery
    1998, Nearest-neighbor clutter removal, J. American Statistical Association 93).
    """
    q = Z.shape[1]
    log_d = np.log(np.maximum(cKDTree(Z).query(Z, NEIGHBOUR + 1)[0][:, -1], 1e-300))
    # Logarithms, because D^q leaves the range of numbers in many columns.
    log_d = q * (log_d - np.median(log_d))
    far = log_d > np.quantile(log_d, 0.9)
    if not far.any():  # copies of a few rows
        return np.ones(len(Z), dtype=bool)
    resp = far.astype(np.float64)
    for _ in range(STEPS):
        share = np.clip(resp.mean(), 1e-6, 1 - 1e-6)
        log_rates = [
            np.log(NEIGHBOUR * part.sum()) - _log_sum(log_d, part) for part in (1 - resp, resp)
        ]
        ratio = np.log(share / (1 - share)) + NEIGHBOUR * (log_rates[1] - log_rates[0])
        ratio = ratio - np.exp(log_d + log_rates[1]) + np.exp(log_d + log_rates[0])
        resp = expit(ratio)
    return np.asarray(resp < 0.5)


def _log_sum(logs: Array, weights: Array) -> float:
    """log sum w exp(logs)."""
    top = float(logs.max())
    return top + float(np.log(np.maximum(weights @ np.exp(logs - top), 1e-300)))

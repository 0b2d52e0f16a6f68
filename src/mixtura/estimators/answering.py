"""What a fitted mixture says of each row, whatever the rows come from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import fill, resolve
from mixtura.engines.trimming import refuse_gaps
from mixtura.estimators.robust import trimmed_labels
from mixtura.families.domain import BadRow, refuse_asked
from mixtura.models.mixture import Mixture
from mixtura.models.noise import NOISE, Noisy
from mixtura.models.responsibilities import normalise
from mixtura.records import AnyArray, Array

# Rows of a table read in pieces that are answered at a time.
ANSWERED_ROWS = 1 << 15
# A row that is rather an outlier than not has no label.
OUTLYING = 0.5
# Answers that tell a row's component, which is not to be told of one without any density.
TELLING = ("responsibilities", "labels")


def answers(
    mixture: Any, rows: Source, what: str, *, wide: bool = False, dtype: np.dtype[Any] | None = None
) -> AnyArray:
    """One of `RowOutputs` for each row, in the rows' precision unless `dtype` says otherwise.

    ValueError, for those that tell a component, where a row lies too far out for that.
    """
    fitted, params = mixture._fitted()
    shape = (rows.n, len(params.weights)) if wide else (rows.n,)
    out = np.empty(shape, dtype=dtype or rows.dtype)
    trimmed = what == "labels" and "trim_threshold_" in mixture.__dict__
    here = isinstance(rows, Rows)
    for X, _, where, *_ in rows.chunks(rows.n if here else ANSWERED_ROWS):
        if not here:
            refuse_asked(fitted.family, X, rows.names, where.start)
        model = replace(fitted, family=fitted.family.filling(X))
        # That of the fit may know no gaps.
        engine = resolve("auto" if model.family.gaps else mixture.engine, model)
        if trimmed:
            refuse_gaps(X)
        wanted = {what: out[where]}
        doubtful = what in TELLING and not model.family.within_reach(X, params.components)
        if doubtful or trimmed:
            # What is trimmed is told by a number in float64.
            wanted["log_density"] = np.empty(len(X), dtype=np.float64 if trimmed else rows.dtype)
        fill(engine, model, X, params, RowOutputs(**wanted))
        if doubtful and not trimmed:
            refuse_lost(model, params, X, wanted["log_density"], where.start)
        if trimmed:
            trimmed_labels(out[where], wanted["log_density"], mixture)
        if what == "labels" and model.family.tells_outliers:
            out[where][outlying(model, params, X) > OUTLYING] = NOISE
    if what == "labels" and isinstance(fitted, Noisy):
        out[out == len(params.weights) - 1] = NOISE
    return out


def outlying(model: Mixture, params: Any, X: AnyArray) -> Array:
    """P(outlier | x) of each row: sum_k P(k | x) P(outlier | x, k); of noise no outlier."""
    joint = model.log_joint(np.asarray(X, dtype=np.float64), params)
    resp = model.of_components(normalise(joint, params.weights)[1])
    return np.asarray(np.sum(resp * model.family.outlying(X, params.components), axis=1))


def totals(mixture: Any, source: Source) -> tuple[float, float]:
    """The log-likelihood of a table that passes by or lies apart, and its weight."""

    family, names = mixture._fitted()[0].family, source.names

    def summed(part: Source) -> tuple[float, float]:
        told, weight = 0.0, 0.0
        for x, w, where, *_ in part.chunks(ANSWERED_ROWS):
            refuse_asked(family, x, names, where.start)
            log_p = answers(mixture, Rows(x), "log_density")
            told += float(log_p.sum(dtype=np.float64) if w is None else w @ log_p)
            weight += float(len(x) if w is None else w.sum())
        return told, weight

    told, weight = source.reduced(summed, lambda one, two: (one[0] + two[0], one[1] + two[1]))
    if not weight > 0:
        raise ValueError("sample_weight is zero for every row: nothing is left to score")
    return told, weight


def refuse_lost(
    model: Mixture, params: Any, X: AnyArray, log_density: AnyArray, first: int
) -> None:
    """BadRow where a row has no density under any component, not even in logarithms."""
    # In float32 that of other rows overflows too.
    (lost,) = np.nonzero(np.isneginf(log_density))
    with np.errstate(over="ignore", invalid="ignore"):
        joint = model.log_joint(X[lost].astype(np.float64), params)
    lost = lost[~np.isfinite(joint).any(axis=1)]
    if len(lost):
        raise BadRow(
            "",
            first + int(lost[0]),
            " lies so far from every component that its density is zero even in logarithms, and "
            "nothing tells to which it belongs: check the units of its columns, or leave it out",
        )

"""A sweep without the rows of least density: what EM climbs then is the trimmed likelihood.

Each pass first asks for the density of all rows and gives weight 0 to those of least density, a
share alpha of the total weight; then it sums over the others. The M-step raises the likelihood of
the rows that are kept, and choosing them anew raises it again, so it never falls: the concentration
steps of Neykov, Filzmoser, Dimova & Neytchev (2007), Computational Statistics & Data Analysis 52,
and of TCLUST (García-Escudero et al. 2008), whose components are kept by their densities too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs, Step, Sweep
from mixtura.engines.choose import fill, open_sweep
from mixtura.models.mixture import Mixture
from mixtura.records import AnyArray, Array, Summary

# Log-densities of one row that are worked out in two ways are no further apart, relatively.
EQUAL = 1e-12
ONLY = (
    "trim leaves out rows by their density among all rows, which only solver='auto', 'em', "
    "'squarem', 'anderson', 'lbfgs' and 'newton' are made for: use one of them"
)


def log_densities(engine: str, model: Mixture, rows: Rows, params: Any) -> Array:
    """log p(x_i) of all rows, (n,), float64 whatever the rows are."""
    out = np.empty(rows.n)
    fill(engine, model, rows.X, params, RowOutputs(log_density=out))
    return out


def kept_weights(log_p: Array, weight: Array | None, alpha: float) -> tuple[Array, float]:
    """(weights (n,) without a share alpha of the total, the least log-density kept).

    Rows of least density lose their weight first. Of whole weights a whole number goes, rounded
    down, as in TCLUST. Where that ends among rows of equal density each of these keeps a like share
    of its weight: what is left out is told by the density alone, not by the order of the rows.
    """
    w = np.ones(len(log_p)) if weight is None else weight
    gone = alpha * w.sum()
    if weight is None or (weight == np.round(weight)).all():
        gone = np.floor(gone + 1e-9)
    # A row without density in logarithms is the first to go.
    height = np.where(np.isnan(log_p), -np.inf, log_p)
    order = np.argsort(-height, kind="stable")
    equal = _equals(height[order])
    mass = np.bincount(equal, w[order])
    room = np.clip(w.sum() - gone - (np.cumsum(mass) - mass), 0.0, mass)
    kept = np.empty_like(w)
    kept[order] = (room / np.maximum(mass, 1e-300))[equal] * w[order]
    # A crumb that only rounding left is no row.
    kept[kept < 1e-9 * w] = 0.0
    return kept, float(log_p[kept > 0].min())


def refuse_gaps(X: AnyArray) -> None:
    """ValueError where cells are missing."""
    if np.isnan(X).any():
        raise ValueError(
            "trim leaves out the rows of least density, and X has missing cells: densities of rows "
            "that miss different cells have different units, and none is less than the other. Use "
            "noise (noise=True, --noise), which compares each with an even spread over its cells, "
            "or leave such rows out"
        )


def _equals(falling: Array) -> AnyArray:
    """The number of the group of equals, to rounding, that each of these numbers is in."""
    with np.errstate(invalid="ignore"):
        new = falling[:-1] - falling[1:] > EQUAL * (1.0 + np.abs(falling[:-1]))
    return np.concatenate([[0], np.cumsum(new)])


class Trimming(Sweep):
    """Passes of an engine over the rows that are kept."""

    def __init__(self, engine: str, model: Mixture, rows: Source, alpha: float) -> None:
        if not isinstance(rows, Rows):
            raise ValueError(
                "trim needs all rows in memory, and these are read from a file or in chunks: load "
                "the table and fit the array, or use noise (noise=True, --noise)"
            )
        super().__init__(rows)
        self.engine, self.model, self.alpha = engine, model, alpha

    def __call__(self, params: Any) -> Summary:
        rows = self.rows
        assert isinstance(rows, Rows)
        log_p = log_densities(self.engine, self.model, rows, params)
        kept, _ = kept_weights(log_p, rows.sample_weight, self.alpha)
        some = np.flatnonzero(kept)
        summary = open_sweep(self.engine, self.model, Rows(rows.X[some], kept[some]))(params)
        self.passes += 2
        return summary

    def folded(self, step: Step) -> Summary:
        raise ValueError(ONLY)

    def over(self, rows: Source) -> Sweep:
        raise ValueError(ONLY)

"""Rounded columns: what a component may gain by being narrower than their rounding.

Numbers written in steps of h carry an error of variance h^2 / 12 (Sheppard 1898, Proc. London Math.
Soc. 29). Densities know nothing of it: a component that lies across a line or plane of whole
numbers, as many do where columns sum to a constant, gains likelihood by a width that no
measurement had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.data.moments import NO_VARIANCE
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.records import AnyArray, Array

# Rows looked at, and values that a column must have to count as rounded: fewer are codes.
_LOOKED, _FEWEST = 1024, 2
# Steps are whole to so much of all of them, and to so much of one: between many steps lies all.
_WHOLE, _SURELY = 1e-6, 0.1
# The looks at how many steps gaps are.
_TIMES = 3


@dataclass(frozen=True)
class Grain:
    """columns (m,) are rounded; `added` (m, m) is the variance of their rounding in the directions
    in which the table varies, and `whiten` (r, m) measures those in its units."""

    columns: AnyArray
    added: Array
    whiten: Array

    def smoothed(self, params: GaussianParams) -> GaussianParams:
        """The components, those that are narrower than the rounding made wider by it.

        Themselves where there is none; covariances are (K, d, d).
        """
        # No eigenvalue is below 1 where those of the inverses add up to less; that of a block is no
        # more than the inverse's block.
        whole = len(self.columns) == params.means.shape[1]
        w = params.whiten if whole else params.whiten[:, :, self.columns]
        if np.vdot(w @ self.added, w) < 1.0:
            return params
        block = self.columns[:, None], self.columns
        cov = params.covariances
        inner = cov[(slice(None), *block)]
        values = np.linalg.eigvalsh(self.whiten @ inner @ self.whiten.T)
        narrow = np.flatnonzero(values[:, 0] < 1.0)
        if not len(narrow):
            return params
        cov = cov.copy()
        for k in narrow:
            cov[k][block] += self.added
        return gaussian_params(params.means, cov, params.form)


def grain_of(X: AnyArray, rows: int, S: Array) -> Grain | None:
    """Of a table of `rows` rows, with these distinct ones X (n, d) and the scatter S (d, d).

    None where nothing is rounded.
    """
    steps = _steps(X[:: max(len(X) // _LOOKED, 1)], rows)
    # Steps of a column without variance are those of float64 numbers.
    columns = np.flatnonzero((steps > 0) & (np.diagonal(S) > 0))
    if not len(columns):
        return None
    unit = steps[columns] / np.sqrt(12.0)
    scaled = S[np.ix_(columns, columns)] / np.outer(unit, unit)
    values, axes = np.linalg.eigh(scaled)
    axes = axes[:, values > NO_VARIANCE * len(S) * values[-1]]
    spread = unit[:, None] * axes
    return Grain(columns, spread @ spread.T, axes.T / unit)


def _steps(X: AnyArray, rows: int) -> Array:
    """The step in which each column is written (d,); 0 of none, or where numbers seldom agree."""
    ordered = np.sort(X, axis=0).astype(np.float64)
    # Sums and differences of rounded numbers are equal but for the last digits.
    alike = 4 * np.finfo(np.float64).eps * np.abs(ordered[[0, -1]]).max(axis=0)
    apart = np.diff(ordered, axis=0)
    apart[apart <= alike] = 0.0
    values = 1 + np.count_nonzero(apart, axis=0)
    steps = np.zeros(X.shape[1])
    some = np.flatnonzero((values >= _FEWEST) & (values <= rows // 2))
    if not len(some):
        return steps
    apart, ordered = apart[:, some], ordered[:, some]
    step = np.where(apart > 0, apart, np.inf).min(axis=0)
    # The digits of float32 tell the step from one gap no better than to some per cent.
    for _ in range(_TIMES):
        whole = np.rint(apart / step).cumsum(axis=0)
        step = (ordered[-1] - ordered[0]) / whole[-1]
    off = np.abs((ordered[1:] - ordered[0]) / step - whole).max(axis=0)
    steps[some] = np.where(off < np.minimum(_WHOLE * whole[-1], _SURELY), step, 0.0)
    return steps

"""Covariances whose eigenvalues may not be too far apart: no component can collapse.

The largest eigenvalue of all covariances is at most c times the smallest (Hathaway 1985; TCLUST:
García-Escudero, Gordaliza, Matrán & Mayo-Iscar 2008, Annals of Statistics 36). The M-step is exact:
eigenvectors stay those of the scatters, eigenvalues are cut off below a floor m and above cm, and m
is the best one (Fritz, García-Escudero & Mayo-Iscar 2013, A fast algorithm for robust constrained
clustering, Computational Statistics & Data Analysis 61).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mixtura.errors import Coincident
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.families.gaussian.triangular import within
from mixtura.families.ratio import EigenvalueRatio
from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class Bounded:
    """The constraint for one table.

    units  (d, d) lower triangular or (d,), in which the table's covariance is the identity; () one
    """

    ratio: EigenvalueRatio
    units: Array = field(repr=False, compare=False)

    def roots(self, form: Form, now: GaussianParams, scatter: Array, counts: Array) -> Array:
        """The M-step: roots of the covariances, from the scatter in the units of `now`.

        A component without rows keeps its covariance, as far as that may be. Coincident where
        all eigenvalues are zero.
        """
        rows = counts.sum(keepdims=True) if form.shared else counts
        cov = form.whitened(now.root, scatter)
        shape = (-1,) + (1,) * (cov.ndim - 1)
        some = np.where(rows > 0, rows, 1.0)
        cov = cov / (some[0] if form.shared else some.reshape(shape))
        if not form.shared and (rows <= 0).any():
            cov = np.where((rows > 0).reshape(shape), cov, now.covariances)
        return form.root_of(self.imposed(form, cov, rows))

    def imposed(self, form: Form, cov: Array, rows: Array) -> Array:
        """The covariances of the highest likelihood within the bounds; rows (K,) or (1,)."""
        values, axes = self.spectrum(form, cov)
        low = best_floor(values, rows, self.ratio.c)
        kept = np.clip(values, low, self.ratio.c * low)
        if (kept == values).all():
            return cov
        if axes is None:
            shaped = kept.reshape(cov.shape)
            return np.asarray(shaped / self.units**2)
        turned = np.linalg.inv(self.units) @ axes
        found = (turned * kept[:, None, :]) @ np.swapaxes(turned, 1, 2)
        return np.asarray(found[0] if form.shared else found)

    def spectrum(self, form: Form, cov: Array) -> tuple[Array, Array | None]:
        """(eigenvalues in the units, a line for each matrix; their axes, None for the columns)."""
        if not form.correlates:
            return (cov * self.units**2).reshape(len(cov), -1), None
        values, axes = np.linalg.eigh(within(self.units, cov if cov.ndim == 3 else cov[None]))
        return np.maximum(values, 0.0), axes

    def admitted(self, params: GaussianParams) -> GaussianParams:
        """The parameters, or the nearest within the bounds: each component as of one row."""
        if self.apart(params) <= self.ratio.c:
            return params
        rows = np.ones(1 if params.form.shared else len(params.means))
        cov = self.imposed(params.form, params.covariances, rows)
        return gaussian_params(params.means, cov, params.form)

    def apart(self, params: GaussianParams) -> float:
        """How many times the largest eigenvalue is the smallest."""
        values, _ = self.spectrum(params.form, params.covariances)
        return float(values.max() / max(values.min(), 1e-300))


def best_floor(values: Array, rows: Array, c: float) -> float:
    """The m that minimises sum_k n_k sum_j (log t + v / t), t = v cut off below m and above cm.

    `values` (K, q) are the eigenvalues v of each scatter over its rows n_k, `rows` (K,). Between
    the sorted v and v / c the set of those cut off is the same, and there the best m is
    sum n (v below m, v / c above cm) / sum n (how many): all intervals are looked at.
    Coincident where no v is above zero.
    """
    v, n = values.ravel(), np.repeat(rows, values.shape[1])
    v, n = v[n > 0], n[n > 0] / rows.sum()
    if not v.max(initial=0.0) > 0:
        raise Coincident(float(rows.sum()))
    if v.max() <= c * v.min():
        return float(v.min())
    order = np.argsort(v)
    v, n = v[order], n[order]
    edges = np.unique(np.concatenate([v, v / c]))
    middles = np.concatenate([edges[:1] / 2, (edges[1:] + edges[:-1]) / 2, edges[-1:] * 2])
    logs = np.log(v, out=np.zeros_like(v), where=v > 0)
    # Sums over those below and above each place of the sorted v.
    under = np.cumsum([[0.0, *n], [0.0, *n * v], [0.0, *n * logs]], axis=1)
    over = np.cumsum([[0.0, *n[::-1]], [0.0, *(n * v)[::-1]]], axis=1)[:, ::-1]

    def beside(low: Array) -> tuple[AnyArray, AnyArray]:
        return np.searchsorted(v, low), np.searchsorted(v, c * low, side="right")

    below, above = beside(middles)
    mass = under[0, below] + over[0, above]
    tops = (under[1, below] + over[1, above] / c) / np.maximum(mass, 1e-300)
    tops = tops[(mass > 0) & (tops > 0)]
    below, above = beside(tops)
    worth = under[0, below] * np.log(tops) + under[1, below] / tops
    worth += over[0, above] * np.log(c * tops) + over[1, above] / (c * tops)
    # In between log v + 1 each.
    worth += under[2, above] - under[2, below] + under[0, above] - under[0, below]
    return float(tops[worth.argmin()])

"""The chart of a mixture of full covariances, its points and slopes worked out in C.

A gradient solver asks for both beside every pass, where the interpreter is slow. The mathematics is
that of `models/chart.py` and `families/gaussian/chart.py`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from mixtura.engines.native import Array, Int, Pointer, address, checked, library, run
from mixtura.families.gaussian.chart import GaussianChart
from mixtura.families.gaussian.records import GaussianParams
from mixtura.models.chart import MixtureChart
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Chart, Summary

# Of more columns BLAS multiplies faster; PLACING_COLUMNS in native/placing.h.
COLUMNS = 16


class _Placing(ctypes.Structure):
    _fields_ = [
        *((name, Pointer) for name in ("log_weights", "basis", "means", "roots", "whiten")),
        *((name, Pointer) for name in ("mean_scale", "root_scale", "free", "weights")),
        *((name, Pointer) for name in ("at_means", "at_roots", "at_whiten", "log_norm")),
        *((name, Pointer) for name in ("counts", "rows", "first", "second")),
        *((name, Int) for name in ("K", "d", "z", "finite")),
    ]


class PlacingChart(Chart):
    """The same chart as `chart`, whose components are a `GaussianChart` of full covariances."""

    def __init__(self, chart: MixtureChart) -> None:
        parts: GaussianChart = chart.components
        self.chart, self.size, self.form = chart, chart.size, parts.form
        centre, basis = parts.centre, chart.weights.basis
        K, d = self.shape = centre.means.shape
        with np.errstate(divide="ignore"):
            log_weights = np.log(chart.weights.centre)
        arrays = {
            "log_weights": log_weights,
            "basis": basis,
            "means": centre.means,
            "roots": centre.root,
            "whiten": centre.whiten,
            "mean_scale": parts.mean_scale,
            "root_scale": parts.root_scale,
        }
        # Held here: the record knows addresses only.
        self._held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        places = {name: address(array) for name, array in self._held.items()}
        self._asked = _Placing(**places, K=K, d=d, z=basis.shape[1])

    @property
    def radius(self) -> Array:
        return self.chart.radius

    def coordinates(self, params: MixtureParams) -> Array:
        return self.chart.coordinates(params)

    def observed(self, summary: Summary, params: MixtureParams, lost: Array) -> Array:
        return self.chart.observed(summary, params, lost)

    def params(self, free: Array) -> MixtureParams:
        K, d = self.shape
        weights, means, log_norm = np.empty(K), np.empty((K, d)), np.empty(K)
        root, whiten = np.empty((K, d, d)), np.empty((K, d, d))
        asked = self._asked
        asked.free = checked("free", free, (self.size,))
        asked.weights, asked.at_means, asked.at_roots = map(address, (weights, means, root))
        asked.at_whiten, asked.log_norm = address(whiten), address(log_norm)
        run(library().mixtura_placed, asked)
        if not asked.finite:
            raise FloatingPointError("parameters that are no finite numbers")
        return MixtureParams(weights, GaussianParams(means, root, whiten, log_norm, self.form))

    def gradient(self, summary: Summary, params: MixtureParams) -> Array:
        (K, d), prior, whiten = self.shape, self.chart.prior, params.components.whiten
        stats: Any = summary.statistics
        counts = self.chart.family.counts(stats) + prior.weight_rows
        rows, second = prior.with_rows(whiten, stats.counts, stats.second, d)
        asked, found = self._asked, np.empty(self.size)
        asked.free, asked.weights = address(found), checked("weights", params.weights, (K,))
        asked.at_whiten = checked("whiten", whiten, (K, d, d))
        asked.counts, asked.rows = checked("counts", counts, (K,)), checked("rows", rows, (K,))
        asked.first = checked("first", stats.first, (K, d))
        asked.second = checked("second", second, (K, d, d))
        run(library().mixtura_sloped, asked)
        return found


def placing_chart(chart: Chart) -> Chart:
    """The same chart by a kernel; itself where there is none for it."""
    if type(chart) is not MixtureChart or type(chart.components) is not GaussianChart:
        return chart
    parts: Any = chart.components
    known = parts.form.name == "full" and parts.basis is None
    return PlacingChart(chart) if known and parts.centre.means.shape[1] <= COLUMNS else chart

"""The fused kernels in float32 while steps are large, in float64 near the top.

In float32 a vector holds twice as many numbers. The log-likelihood per row is then known to about
8 digits and moments to 6, which is enough to choose a direction far from the top and not enough to
judge that one has arrived: a pass whose gain is near that rounding is done again in float64, and
so are all later ones, until the log-likelihood falls as only a new climb's does. So convergence,
the check that no step leads down, and the certificate rest on float64 alone.

Both precisions are compared at the first pass, whenever float32 is left, and where the climb ended.
Where they part by more than is trusted float32 is not used again; where by more than 1e-5, as with
components that have grown narrow beside their distances, the fit says so.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.gaussian.compiled import CompiledSweep
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Summary

# All relative to 1 + |log-likelihood per row|. What float32 may be off where it is used, half of
# what fit.convergence takes for a fall; a gain that is told from rounding; a fall that no step of
# a climb can be.
_TRUSTED = 5e-8
_LARGE_STEP = 2e-6
_NEW_CLIMB = 1e-3
# What float32 may blur a row by, in its component's own standard deviations: rows that share a
# value are all off by the same, and their log-likelihood by so many times half a square.
_BLUR = 1e-4
# What the fit speaks of.
_WORTH_TELLING = 1e-5
# Of a number in float32, relative.
_ROUNDING = 2.0**-24
# Tables of at most so many numbers are copied into float32 (256 MB), so that a pass reads half the
# bytes and converts nothing; so many rows at a time.
_COPIED, _COPIED_ROWS = 1 << 26, 1 << 12


class MixedSweep(CompiledSweep):
    """The pass of a Gaussian mixture, fused, in float32 where that is enough."""

    engine = "mixed"

    def __init__(self, model: Mixture, rows: Source) -> None:
        super().__init__(model, rows)
        # Small tables are climbed inside the kernel, in float64.
        self.trusted: bool | None = None if self.stride == 1 else False
        self.last = float("-inf")
        self.far = True
        # The most by which the log-likelihoods in both precisions have parted.
        self.apart = 0.0
        # Whether the climb has rested on a pass in float32.
        self.used = False
        # The rows in float32 about a centre, and that centre.
        self.near: tuple[Rows, Array] | None = None
        # Passes in float32, of all.
        self.single_passes = 0

    def __call__(self, params: Any) -> Summary:
        if self.trusted is None:
            return self._first(params)
        if not self.trusted:
            return super().__call__(params)
        single = self._single(params) if self.far and self._blur(params) < _BLUR else None
        if single is not None and not self._settled(single.loglik):
            self.last, self.used = single.loglik, True
            self.passes += 1
            return single
        total = super().__call__(params)
        if single is not None:
            self.trusted = self._compared(single.loglik, total.loglik) < _TRUSTED
        self.far = self._gain(total.loglik) < -_NEW_CLIMB
        self.last = total.loglik
        return total

    def _first(self, params: MixtureParams) -> Summary:
        """In both precisions: does float32 do for this table?"""
        total, single = super().__call__(params), self._single(params)
        self.last = total.loglik
        # What float32 cannot do from the first is left to float64, and nothing is to be told.
        self.trusted = abs(self._gain(single.loglik)) < _TRUSTED
        return total

    def remark(self, params: Any, summary: Summary) -> str:
        if self.used and self._blur(params) < _BLUR:
            self._compared(self._single(params).loglik, summary.loglik)
        if self.apart <= _WORTH_TELLING:
            return ""
        return (
            f"float32 parts from float64 by {self.apart:.1g} of the log-likelihood: the passes far "
            "from the top were rough, the end is judged in float64; use engine='compiled'"
        )

    def _compared(self, single: float, double: float) -> float:
        """How far apart both are, per row and relative; infinite where float32 overflowed."""
        apart = abs(single - double) / (self.total_weight + abs(double))
        apart = apart if math.isfinite(apart) else math.inf
        self.apart = max(self.apart, apart)
        return apart

    def _settled(self, loglik: float) -> bool:
        """Whether this may be the neighbourhood of a top, a new climb, or rounding."""
        return not self._gain(loglik) > _LARGE_STEP

    def _gain(self, loglik: float) -> float:
        """Since the last pass, per row and relative."""
        return (loglik - self.last) / (self.total_weight + abs(self.last))

    def _blur(self, params: MixtureParams) -> float:
        """How far rounding to float32 moves a row at a component's mean, in whitened units."""
        parts = params.components
        centre = params.weights @ parts.means if self.near is None else self.near[1]
        rounding, narrow = np.abs(parts.means - centre) * _ROUNDING, np.abs(parts.whiten)
        still = np.zeros_like(parts.means)
        each = [
            parts.form.residuals(rounding[[k]], still, narrow, k) for k in range(len(parts.means))
        ]
        return float(np.max(np.linalg.norm(each, axis=2)))

    def _single(self, params: MixtureParams) -> Summary:
        self.single_passes += 1
        if self.near is None and isinstance(self.rows, Rows) and self.rows.X.size <= _COPIED:
            self.near = _centred(self.rows, params.weights @ params.components.means)
        if self.near is None:
            total = self.summed(self.rows, params, single=True)
        else:
            rows, centre = self.near
            components = replace(params.components, means=params.components.means - centre)
            moved = MixtureParams(params.weights, components)
            total = self.summed(rows, moved, single=True, centred=True)
        return Summary(total.loglik, self.total_weight, total.statistics)


def _centred(rows: Rows, centre: Array) -> tuple[Rows, Array]:
    """The rows about `centre`, in float32; far rows may overflow, as they would in the kernel."""
    X = np.empty(rows.X.shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for x, _, where, *_ in rows.chunks(_COPIED_ROWS):
            np.subtract(x, centre, out=X[where], casting="same_kind")
    return Rows(X, rows.sample_weight), centre

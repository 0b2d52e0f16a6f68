"""A chart in axes along which a matrix is the identity: what an optimiser sees of a turned hill."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtrs

from mixtura.records import Array, Chart, Summary
from mixtura.solvers.charted import Charted

# What is added to an information that is not positive grows by this factor.
GROWTH = 4.0


@dataclass(frozen=True)
class Turned(Chart):
    """The same chart, its coordinates turned by a matrix's lower Cholesky root."""

    chart: Chart
    root: Array
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.chart.size)

    def params(self, free: Array) -> Any:
        return self.chart.params(np.asarray(dtrtrs(self.root, free, lower=True, trans=1)[0]))

    def coordinates(self, params: Any) -> Array:
        return np.asarray(self.root.T @ self.chart.coordinates(params))

    def gradient(self, summary: Summary, params: Any) -> Array:
        return self.slope(self.chart.gradient(summary, params))

    @property
    def radius(self) -> Array:
        return np.full(self.size, np.inf)

    def slope(self, gradient: Array) -> Array:
        """A gradient in the chart's coordinates, in these."""
        return np.asarray(dtrtrs(self.root, gradient, lower=True)[0])


def turned(here: Charted, information: Array, least: float) -> Charted:
    """The objective in axes of the information and `least` in every direction.

    More where that is not positive: Nocedal & Wright (2006), Numerical Optimization, algorithm 3.3;
    of finite numbers only.
    """
    while True:
        # As LAPACK keeps it, so that it makes no further copy of a matrix that is symmetric.
        raised = information.T.copy(order="F")
        np.fill_diagonal(raised, raised.diagonal() + least)
        root, failed = dpotrf(raised, lower=True, overwrite_a=True)
        if not failed:
            break
        least *= GROWTH
    chart = Turned(here.chart, root)
    centre = replace(here.centre, gradient=chart.slope(here.centre.gradient))
    return Charted(here.model, here.sweep, chart, centre, {centre.free.tobytes(): centre})

"""The observed information of a fit, and parameters drawn from the normal law that it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.source import Source
from mixtura.engines.choose import open_sweep, resolve
from mixtura.records import Array
from mixtura.solvers.charted import Charted
from mixtura.solvers.deviations import inverse_roots, observed, slopes


@dataclass(frozen=True)
class Observed:
    """The observed information of all rows around parameters.

    chart are the free coordinates there, information is (size, size), kept says of which numbers
    the rows tell, and slopes are the derivatives of the parameters by all of them, by name.
    """

    chart: Any
    information: Array
    kept: NDArray[np.bool_]
    slopes: dict[str, Array]

    @property
    def roots(self) -> Array:
        """Columns whose squares sum to the variances of the chart's numbers."""
        return inverse_roots(self.information, self.kept)


def observed_information(
    model: Any, params: Any, rows: Source, said: tuple[str, str, str]
) -> Observed:
    """That around `params`, which are the fit to these rows.

    said are words for errors: what is asked for, the rows and the components.
    Source: Louis (1982), J. Royal Statistical Society B 44. ValueError where the log-likelihood is
    flat, or has no chart.
    """
    what, table, groups = said
    if model.obstacle():
        raise ValueError(f"{what}: {model.obstacle()}")
    sweep = open_sweep(resolve("auto", model), model, rows)
    here = Charted.around(model, sweep, params, sweep(params))
    if not here.chart.size:
        raise ValueError(f"{what}: every parameter is known in advance, so none is estimated")
    moves = slopes(here.chart)
    found = observed(here, moves)
    if found is None:
        simpler = getattr(getattr(model, "family", None), "simpler", "")
        raise ValueError(
            f"{what}: the log-likelihood is flat or rises in some direction at these "
            f"parameters: fit to these {table} first, with a smaller tol or fewer {groups}"
            + (f", or {simpler}" if simpler else "")
        )
    return Observed(here.chart, *found, moves)


def drawn_around(chart: Any, roots: Array, draws: int, rng: np.random.RandomState) -> list[Any]:
    """Parameters at normal free coordinates, the law of estimates from many rows.

    Source: McLachlan & Peel (2000), Finite Mixture Models, section 2.15.
    """
    free = rng.standard_normal((draws, chart.size)) @ roots.T
    return [chart.params(one) for one in free]

"""The observed information of a fit, and parameters drawn from the normal law that it says."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.engines.choose import open_sweep, resolve
from mixtura.records import Array
from mixtura.solvers.charted import Charted
from mixtura.solvers.deviations import inverse_roots


def information_roots(
    model: Any, params: Any, rows: Source, said: tuple[str, str, str]
) -> tuple[Any, Array]:
    """(free coordinates around `params`, columns whose squares sum to variances there).

    said are words for errors: what is asked for, the rows and the components.
    Source: Louis (1982), J. Royal Statistical Society B 44. ValueError where the log-likelihood is
    flat, or has no chart.
    """
    what, table, groups = said
    if model.obstacle():
        raise ValueError(f"{what}: {model.obstacle()}")
    sweep = open_sweep(resolve("auto", model), model, rows)
    summary = sweep(params)
    here = Charted.around(model, sweep, params, summary)
    roots = inverse_roots(here)
    if roots is None:
        simpler = getattr(getattr(model, "family", None), "simpler", "")
        raise ValueError(
            f"{what}: the log-likelihood is flat or rises in some direction at these "
            f"parameters: fit to these {table} first, with a smaller tol or fewer {groups}"
            + (f", or {simpler}" if simpler else "")
        )
    return here.chart, roots


def drawn_around(chart: Any, roots: Array, draws: int, rng: np.random.RandomState) -> list[Any]:
    """Parameters at normal free coordinates, the law of estimates from many rows.

    Source: McLachlan & Peel (2000), Finite Mixture Models, section 2.15.
    """
    free = rng.standard_normal((draws, chart.size)) @ roots.T
    return [chart.params(one) for one in free]

"""The account of a fit to a table as fewer numbers, told in the table's own."""

from __future__ import annotations

from dataclasses import replace

from mixtura.families.base import Condensed
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.result import Fit


def restored(fit: Fit, model: Mixture, way: Condensed) -> Fit:
    """The Fit in the numbers of `model`, which are the table's; `way` leads back to them."""
    within, statistics = fit.params.components, fit.summary.statistics
    components = way.params(within)
    params = MixtureParams(fit.params.weights, components)
    constant = way.constant(components, statistics.counts) if fit.floored else {}
    return replace(
        fit,
        n_parameters=model.n_parameters(params),
        floored=tuple(
            replace(spike, constant=constant.get(spike.component, ())) for spike in fit.floored
        ),
        params=params,
        summary=replace(fit.summary, statistics=way.statistics(statistics, within, components)),
    )

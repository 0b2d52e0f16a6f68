"""The account of a fit to a table as fewer numbers, told in the table's own."""

from __future__ import annotations

from dataclasses import replace

from mixtura.families.base import Family
from mixtura.families.condensed import Condensed
from mixtura.families.priors import Flat
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.result import Fit


def restored(fit: Fit, family: Family, way: Condensed) -> Fit:
    """The Fit in the numbers of the table, which `family` has seen; `way` leads back to them."""
    within, statistics = fit.params.components, fit.summary.statistics
    components = way.params(within)
    params = MixtureParams(fit.params.weights, components)
    constant = way.constant(components, statistics.counts) if fit.floored else {}
    return replace(
        fit,
        n_parameters=Mixture(family, Flat()).n_parameters(params),
        held=way.held_columns,
        equations=way.equations,
        floored=tuple(
            replace(spike, constant=constant.get(spike.component, ())) for spike in fit.floored
        ),
        params=params,
        summary=replace(fit.summary, statistics=way.statistics(statistics, within, components)),
    )

"""Free numbers of coefficients: in units of what the covariates of the table tell of them."""

from __future__ import annotations

import numpy as np

from mixtura.coordinates import Around, AroundLinear, Fields
from mixtura.families.regression.records import Coefficients, Dispersed
from mixtura.families.regression.terms import Terms
from mixtura.families.regression.ties import free_map
from mixtura.records import Array
from mixtura.supports import Positive, Real

# A component with less than this share of the rows is scaled as if it had it.
LEAST_SHARE = 1e-8


def coefficient_fields(family: Terms, params: Coefficients, weights: Array) -> Fields:
    """Around `params`, for components with these shares of the rows."""
    shares = np.maximum(weights, LEAST_SHARE)
    told = family.expected_information(params, shares)
    turn = family.seen().turn
    map_ = free_map(told, turn, family.tied(len(shares)))
    parts: dict[str, Around] = {"coefficients": AroundLinear(Real(), params.coefficients, map_)}
    if isinstance(params, Dispersed) and family.dispersion is not None:
        each = shares * family.dispersion.told(params.dispersions)
        if family.common_dispersion:
            lines = np.full((len(each), 1), 1.0 / np.sqrt(each.sum()))
        else:
            lines = np.diag(1.0 / np.sqrt(each))
        parts["dispersions"] = AroundLinear(Positive(), params.dispersions, lines)
    scales = {name: np.ones(part.map.shape[1]) for name, part in parts.items()}  # type: ignore[attr-defined]
    return Fields(parts, scales)

"""Draws of the parameters of a fitted Gaussian mixture: how sure they are, for ArviZ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mixtura.data.refusal import whole
from mixtura.data.rows import Rows
from mixtura.estimators.beside import refuse_beside
from mixtura.estimators.known import refuse_told, refuse_unweighted
from mixtura.inference.information import drawn_around, observed_information
from mixtura.records import AnyArray, Array, Seed, Weights

Parts = Callable[[Any, Any], dict[str, Array]]


def posterior_draws(mixture: Any, draws: int, rng: np.random.RandomState) -> dict[str, Array]:
    """From a variational posterior, of the components that hold rows, in their order.

    weights (draws, k), of all components, so that they add up to less where some hold none; means
    (draws, k, d); covariances (draws, k, d, d): whatever the covariance type, each component has a
    Wishart law of its own, whose scale is of that type.
    """
    held = mixture.held_
    model, params = mixture._fitted()
    weights = model.weight_prior.drawn(params.concentration, draws, rng)[:, held]
    found = mixture._components_of(held).drawn(draws, rng)
    return {"weights": weights} | dict(zip(("means", "covariances"), found, strict=True))


def likelihood_draws(
    mixture: Any,
    X: Any,
    sample_weight: Weights,
    draws: int,
    rng: np.random.RandomState,
    parts: Parts,
) -> dict[str, Array]:
    """The same for a fit at maximum likelihood, from the normal law of its free coordinates."""
    refuse_beside("to_arviz", mixture)
    refuse_told("to_arviz", mixture)
    refuse_unweighted("to_arviz", mixture, sample_weight)
    rows = mixture._asked(X, filling=True)
    if not isinstance(rows, Rows):
        raise ValueError("to_arviz: X is read in pieces, and this is of rows in memory: load it")
    if sample_weight is not None:
        rows = Rows(rows.X, mixture._weights_for(sample_weight, rows.X))
    model, params = mixture._fitted()
    model = replace(model, family=model.family.filling(rows.X))
    said = "to_arviz", "rows", "components"
    around = observed_information(model, params, rows, said)
    found = drawn_around(around.chart, around.roots, draws, rng)
    told = [{"weights": each.weights} | parts(model.family, each.components) for each in found]
    return {name: np.stack([each[name] for each in told]) for name in told[0]}


def asked_draws(
    mixture: Any, X: Any, sample_weight: Weights, draws: int, random_state: Seed, parts: Parts
) -> tuple[dict[str, Array], AnyArray, str]:
    """(draws by name, the components that they are of, from which law); ValueError where none.

    parts(family, components) names what is to be told of components.
    """
    draws = whole("draws", draws)
    rng = check_random_state(mixture.random_state if random_state is None else random_state)
    if hasattr(mixture, "weight_concentration_"):
        if X is not None or sample_weight is not None:
            raise ValueError("to_arviz: the posterior is fitted, and needs no rows: leave X out")
        return posterior_draws(mixture, draws, rng), mixture.held_, "variational posterior"
    if X is None:
        raise ValueError(
            "to_arviz: how sure a fit at maximum likelihood is hangs on its rows: give X, the rows "
            "that were fitted"
        )
    found = likelihood_draws(mixture, X, sample_weight, draws, rng, parts)
    return found, np.arange(len(mixture.means_)), "asymptotic normal law of the estimates"

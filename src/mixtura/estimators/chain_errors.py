"""Standard errors of a hidden Markov model, from the curvature of its log-likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixtura.data.sequences import Sequences
from mixtura.families.design import design
from mixtura.fitting.mixture_fit import prepare
from mixtura.inference.information import Observed, observed_information
from mixtura.models.driven import Driven
from mixtura.models.driven_first import DrivenFirst, first_design
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import Array
from mixtura.solvers.deviations import variances


def standard_errors(
    model: HiddenMarkov, params: HiddenMarkovParams, rows: Sequences
) -> dict[str, Array]:
    """Of the initial law, the transitions and the components' parameters, in their shapes.

    The observed information in the chart's free numbers, by differences of exact gradients, its
    inverse carried to the parameters by their slopes (the delta method). nan is what does not
    move: what is 0, or held.

    Louis (1982), J. Royal Statistical Society B 44; Lystig & Hughes (2002), J. Computational and
    Graphical Statistics 11. ValueError where the log-likelihood is flat, or has no chart.
    """
    # The chart of some families needs what their penalty took from the table, if without it.
    ground = prepare(rows.rows(), model.family, len(params.initial), np.random.RandomState(0))
    prior = ground.model.unpenalised().prior
    model = replace(model, prior=prior, sequences=rows.firsts / rows.weight)
    if isinstance(model, Driven):
        # What was fitted keeps the columns alone.
        told = design(ground.survey.sample, model.columns, True, "covariate")
        model = replace(model, design=told)
    if isinstance(model, DrivenFirst):
        model = replace(model, first=first_design(rows, model.first_columns))
    said = "no standard errors", "sequences", "states"
    around = observed_information(model, params, rows, said)
    names = [name for name in params.arrays() if name != "weights"]
    found = {name: _error(around, name) for name in names}
    if isinstance(model, Driven):
        logits = found.pop("logits")
        del found["transitions"]
        found |= {"transition_intercept": logits[:, :, 0], "transition_coef": logits[:, :, 1:]}
    if isinstance(model, DrivenFirst):
        logits = found.pop("first_logits")
        del found["initial"]
        found |= {"initial_intercept": logits[:, 0], "initial_coef": logits[:, 1:]}
    return found


def _error(around: Observed, name: str) -> Array:
    variance = variances(around.slopes[name], around.roots)
    return np.where(variance > 0, np.sqrt(variance), np.nan)

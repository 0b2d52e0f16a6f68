"""Covariates that transitions hang on, as estimators ask for them and keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixtura.data.column_positions import positions
from mixtura.families.design import untold
from mixtura.models.driven import Driven, DrivenParams
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import AnyArray
from mixtura.schema import Floats
from mixtura.supports import Real

# The fitted attributes.
DRIVING = ("transition_intercept_", "transition_coef_")


def columns_of(covariates: Any, names: Sequence[str]) -> tuple[int, ...]:
    """Where the covariates stand; none without any."""
    return () if covariates is None else tuple(positions(covariates, names, "covariates"))


def refuse_driven(durations: str | None, initial: str, tied: tuple[int, ...]) -> None:
    """ValueError where settings do not go together with covariates."""
    for name, asked, why in (
        ("durations", durations is not None, "states last as transitions say then"),
        ("initial='stationary'", initial == "stationary", "no law stays as it is"),
        ("tied_rows", bool(tied), "rows of transitions cannot be tied then"),
    ):
        if asked:
            raise ValueError(f"covariates with {name}: {why}: leave one of them out")


def kept(params: HiddenMarkovParams) -> dict[str, AnyArray]:
    """The fitted attributes; none of a model without covariates."""
    if not isinstance(params, DrivenParams):
        return {}
    return {DRIVING[0]: params.logits[:, :, 0], DRIVING[1]: params.logits[:, :, 1:]}


def driven(
    model: HiddenMarkov,
    params: HiddenMarkovParams,
    columns: tuple[int, ...],
    d: int,
    arrays: Mapping[str, AnyArray],
) -> tuple[Driven, DrivenParams]:
    """The model whose fitted attributes `arrays` are, as `kept` gives them."""
    logits = np.concatenate([arrays[DRIVING[0]][:, :, None], arrays[DRIVING[1]]], axis=2)
    there = params.transitions > 0
    found = Driven(
        model.family, model.prior, held=model.held, design=untold(columns, d), allowed=there
    )
    laws = params.weights, params.components, params.initial, params.transitions
    return found, DrivenParams(*laws, logits)


def stored(columns: tuple[int, ...], K: int) -> dict[str, Floats]:
    """What a model file must hold of them."""
    return {DRIVING[0]: Floats((K, K), Real()), DRIVING[1]: Floats((K, K, len(columns)), Real())}

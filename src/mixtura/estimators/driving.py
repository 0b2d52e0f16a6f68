"""Covariates that transitions hang on, as estimators ask for them and keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mixtura.data.column_positions import positions
from mixtura.families.design import untold
from mixtura.models.driven import Driven, DrivenParams
from mixtura.models.driven_first import DrivenFirst, DrivenFirstParams
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.records import AnyArray
from mixtura.schema import Floats
from mixtura.supports import Real

# The fitted attributes, those of first states last.
DRIVING = ("transition_intercept_", "transition_coef_", "initial_intercept_", "initial_coef_")


class Columns(NamedTuple):
    """Where the covariates of moves and of first states stand."""

    moves: tuple[int, ...]
    first: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        """Of both, each once."""
        return tuple(dict.fromkeys((*self.moves, *self.first)))


def columns_of(estimator: Any, names: Sequence[str]) -> Columns:
    """Those that an estimator asks for; none without any."""
    asked = {name: getattr(estimator, name, None) for name in ("covariates", "initial_covariates")}
    found = (
        () if each is None else tuple(positions(each, names, name)) for name, each in asked.items()
    )
    return Columns(*found)


def refuse_driven(columns: Columns, initial: str, tied: tuple[int, ...], sequences: int) -> None:
    """ValueError where settings, or so many sequences, do not go together with covariates."""
    asked = {"covariates": columns.moves, "initial_covariates": columns.first}
    for what in (name for name, some in asked.items() if some):
        held = initial == "fixed" and what == "initial_covariates"
        for name, met, why in (
            ("initial='stationary'", initial == "stationary", "no law stays as it is"),
            ("tied_rows", bool(tied), "rows of transitions cannot be tied then"),
            ("initial='fixed'", held, "first states hang on them"),
        ):
            if met:
                raise ValueError(f"{what} with {name}: {why}: leave one of them out")
    if columns.first and sequences == 1:
        raise ValueError(
            "initial_covariates: X is one sequence, whose one first state tells of no covariate: "
            "give lengths, or leave initial_covariates out"
        )


def kept(params: HiddenMarkovParams) -> dict[str, AnyArray]:
    """The fitted attributes; none of a model without covariates."""
    if not isinstance(params, DrivenParams):
        return {}
    found = {DRIVING[0]: params.logits[:, :, 0], DRIVING[1]: params.logits[:, :, 1:]}
    if isinstance(params, DrivenFirstParams):
        found |= {DRIVING[2]: params.first_logits[:, 0], DRIVING[3]: params.first_logits[:, 1:]}
    return found


def driven(
    model: HiddenMarkov,
    params: HiddenMarkovParams,
    columns: Columns,
    d: int,
    arrays: Mapping[str, AnyArray],
) -> tuple[Driven, DrivenParams]:
    """The model whose fitted attributes `arrays` are, as `kept` gives them."""
    logits = np.concatenate([arrays[DRIVING[0]][:, :, None], arrays[DRIVING[1]]], axis=2)
    there = params.transitions > 0
    known: dict[str, Any] = {"held": model.held, "design": untold(columns.moves, d)}
    laws = params.weights, params.components, params.initial, params.transitions
    if not columns.first:
        found = Driven(model.family, model.prior, allowed=there, **known)
        return found, DrivenParams(*laws, logits)
    known |= {"first": untold(columns.first, d), "begins": params.initial > 0}
    first = np.column_stack([arrays[DRIVING[2]], arrays[DRIVING[3]]])
    begun = DrivenFirst(model.family, model.prior, allowed=there, **known)
    return begun, DrivenFirstParams(*laws, logits, first)


def stored(columns: Columns, K: int) -> dict[str, Floats]:
    """What a model file must hold of them."""
    p, q = len(columns.moves), len(columns.first)
    found = {DRIVING[0]: Floats((K, K), Real()), DRIVING[1]: Floats((K, K, p), Real())}
    of_first = {DRIVING[2]: Floats((K,), Real()), DRIVING[3]: Floats((K, q), Real())}
    return found | of_first if q else found

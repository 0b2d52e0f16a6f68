"""The parameters of a hidden Markov model, their sums, and free coordinates around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from mixtura.coordinates import Fields, fields_around
from mixtura.models.chart import LOGIT_RADIUS
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.stationary import first_slope, stationary_law
from mixtura.models.tied_rows import first_of, pooled
from mixtura.records import AnyArray, Array, Chart, Statistics, Summary
from mixtura.supports import Simplex

# A state with less than this share of the steps is scaled as if it had it.
_LEAST_SHARE = 1e-8


@dataclass(frozen=True)
class HiddenMarkovParams(MixtureParams):
    """initial (K,) the law of a sequence's first state; transitions (K, K), rows sum to 1.

    weights (K,) are the states' shares of the steps, which no likelihood hangs on.
    """

    weights: Array
    initial: Annotated[Array, Simplex()]
    transitions: Annotated[Array, Simplex()]

    def states(self, order: AnyArray) -> HiddenMarkovParams:
        """The chain's laws with state i the former `order[i]`."""
        return replace(
            self,
            weights=self.weights[order],
            initial=self.initial[order],
            transitions=self.transitions[np.ix_(order, order)],
        )


@dataclass(frozen=True)
class ChainStatistics(Statistics):
    """components, the family's; starts (K,) sequences by first state; moves (K, K) from row to
    column, each expected."""

    components: Any
    starts: Array
    moves: Array


@dataclass(frozen=True)
class HiddenMarkovChart(Chart):
    """Free numbers of the initial law and of each row of transitions, then the components'.

    A probability that is 0 stays 0 and has none; a law that is held has none either, nor has a
    stationary one, which follows the transitions. Between them stand those of what else the chain
    has, by the model's `others`.
    """

    model: Any
    centre: HiddenMarkovParams
    chain: Fields
    components: Any

    @cached_property
    def _cut(self) -> int:
        return self.chain.size

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many free numbers there are."""
        return self._cut + int(self.components.size)

    @property
    def radius(self) -> Array:
        return np.concatenate([np.full(self._cut, LOGIT_RADIUS), self.components.radius])

    def params(self, free: Array) -> HiddenMarkovParams:
        parts = self.components.params(free[self._cut :])
        laws = {"initial": self.centre.initial, "transitions": self.centre.transitions}
        laws |= self.chain.arrays(free[: self._cut])
        if self.model.tied and "transitions" in self.model.moving():
            laws["transitions"] = laws["transitions"][np.array(self.model.tied)]
        if self.model.stationary:
            laws["initial"] = stationary_law(laws["transitions"])
        return replace(self.centre, components=parts, **laws)

    def coordinates(self, params: Any) -> Array:
        own = self.components.coordinates(params.components)
        return np.concatenate([self.chain.free(_laws(self.model, params)), own])

    def gradient(self, summary: Summary, params: Any) -> Array:
        model = self.model
        own = self.components.gradient(model.own(summary), params.components, model.prior)
        told = model.score(summary, params)
        if model.stationary:
            starts = told["initial"] * params.initial
            told["transitions"] += first_slope(starts, params.transitions, params.initial)
        if model.tied:
            told["transitions"] = pooled(told["transitions"], np.array(model.tied))
        slope = self.chain.slope(_laws(model, params), told)
        return np.concatenate([slope, own])


def _laws(model: Any, params: HiddenMarkovParams) -> dict[str, Array]:
    """The laws of the chain, of tied rows the first."""
    rows = first_of(np.array(model.tied)) if model.tied else slice(None)
    others = {name: getattr(params, name) for name in model.others}
    return {"initial": params.initial, "transitions": params.transitions[rows], **others}


def hidden_markov_chart(model: Any, params: HiddenMarkovParams) -> HiddenMarkovChart:
    """The chart around `params` of a `models.hidden_markov.HiddenMarkov`."""
    shares = np.maximum(params.weights, _LEAST_SHARE)
    rows = pooled(shares[:, None], np.array(model.tied)) if model.tied else shares[:, None]
    told = {"initial": np.asarray(model.sequences), "transitions": rows}
    here = _laws(model, params)
    moving = model.moving()
    chain = fields_around(
        {name: Simplex() for name in moving},
        {name: here[name] for name in moving},
        {name: told[name] for name in moving},
    )
    others = model.other_fields(params)
    chain = Fields(chain.parts | others.parts, chain.scales | others.scales)
    parts = model.family.chart(params.components, params.weights)
    return HiddenMarkovChart(model, params, chain, parts)

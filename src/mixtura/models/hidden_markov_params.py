"""The parameters of a hidden Markov model, their sums, and free coordinates around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from mixtura.coordinates import Fields, fields_around
from mixtura.models.chart import LOGIT_RADIUS
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chart, Statistics, Summary
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

    A probability that is 0 stays 0 and has none.
    """

    model: Mixture
    weights: Array
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
        return HiddenMarkovParams(self.weights, parts, **self.chain.arrays(free[: self._cut]))

    def coordinates(self, params: Any) -> Array:
        own = self.components.coordinates(params.components)
        chain = {"initial": params.initial, "transitions": params.transitions}
        return np.concatenate([self.chain.free(chain), own])

    def gradient(self, summary: Summary, params: Any) -> Array:
        model = self.model
        own = self.components.gradient(model.own(summary), params.components, model.prior)
        chain = {"initial": params.initial, "transitions": params.transitions}
        slope = self.chain.slope(chain, model.score(summary, params))
        return np.concatenate([slope, own])


def hidden_markov_chart(
    model: Mixture, params: HiddenMarkovParams, sequences: float
) -> HiddenMarkovChart:
    """The chart around `params`; `sequences` is how many there are for each step."""
    shares = np.maximum(params.weights, _LEAST_SHARE)
    chain = fields_around(
        {"initial": Simplex(), "transitions": Simplex()},
        {"initial": params.initial, "transitions": params.transitions},
        {"initial": np.asarray(sequences), "transitions": shares[:, None]},
    )
    parts = model.family.chart(params.components, params.weights)
    return HiddenMarkovChart(model, params.weights, chain, parts)

"""The hidden semi-Markov model whose first states hang on covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mixtura.models.driven_first import DrivenFirst, DrivenFirstParams, DrivenFirstStatistics
from mixtura.models.driven_stays import DrivenStays, DrivenStaysParams, DrivenStaysStatistics
from mixtura.models.hidden_markov import Over
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.stay_recursions import StayRecursion
from mixtura.records import AnyArray, Array, Chunk, Summary


@dataclass(frozen=True)
class DrivenFirstStaysParams(DrivenFirstParams, DrivenStaysParams):
    """The logits of first states (K, q) of `DrivenFirstParams`, beside those of stays."""

    def states(self, order: AnyArray) -> DrivenFirstStaysParams:
        return _both(super().states(order))


def _both(params: DrivenFirstParams) -> DrivenFirstStaysParams:
    assert isinstance(params, DrivenFirstStaysParams)
    return params


@dataclass(frozen=True)
class DrivenFirstStaysStatistics(DrivenFirstStatistics, DrivenStaysStatistics):
    """Those of both."""


@dataclass(frozen=True)
class DrivenFirstStays(DrivenFirst, DrivenStays):
    """As `DrivenStays`, with the state of a sequence's first stay a logit of its first row.

    p(x, stays | c) = P(z_1 | c_1) prod over stays d_z(u) G(z, z' | c_t) prod p(x_t | z_t)

    The first factor hangs on nothing else, so that its M-step is that of `DrivenFirst`, and the
    recursion that of stays, with the law of each first state in the density of its step.

    Reference: as both.
    """

    def e_step_in_stays(
        self, chunk: Chunk, params: Any, recursion: StayRecursion, over: Over = map
    ) -> Summary:
        told: list[tuple[Array, Array]] = []

        def along(rule: Any, b: Array, ends: AnyArray, weight: Array | None) -> Any:
            even, b = self.told_first(chunk.X, ends, params, b)
            found = recursion((even, *rule[1:]), b, ends, weight)
            told.append(self._told_of_first(chunk, ends, params, found[1]))
            return found

        return self._with_first(super().e_step_in_stays(chunk, params, along, over), told[0])

    def lasting(self, params: HiddenMarkovParams, stays: Array) -> DrivenFirstStaysParams:
        return _both(super().lasting(params, stays))

    def m_step(self, summary: Summary, params: Any) -> DrivenFirstStaysParams:
        return _both(super().m_step(summary, params))

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> DrivenFirstStaysParams:
        return _both(super().with_arrays(params, given))

    others: ClassVar[tuple[str, ...]] = (*DrivenStays.others, "first_logits")
    _params: ClassVar[type[DrivenFirstParams]] = DrivenFirstStaysParams
    _sums: ClassVar[type[DrivenFirstStatistics]] = DrivenFirstStaysStatistics

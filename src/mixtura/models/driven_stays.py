"""The hidden semi-Markov model in which covariates say which state comes after a stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mixtura.coordinates import Fields
from mixtura.models.driven import Driven, DrivenParams, DrivenStatistics, Moves
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.semi_markov import SemiMarkov, SemiMarkovParams, SemiMarkovStatistics
from mixtura.models.stay_laws import mean_lengths
from mixtura.models.stay_recursions import StayRule, Stays
from mixtura.records import AnyArray, Array, Chunk, Summary


@dataclass(frozen=True)
class DrivenStaysParams(DrivenParams, SemiMarkovParams):
    """The logits (K, K, q) of `DrivenParams` and the stays (K, p) of `SemiMarkovParams`."""

    def states(self, order: AnyArray) -> DrivenStaysParams:
        found = super().states(order)
        assert isinstance(found, DrivenStaysParams)
        # What is named anew has another first state to be told beside.
        K = len(order)
        beside = found.logits[np.arange(K), (np.arange(K) == 0).astype(int)]
        logits = np.where(np.eye(K)[:, :, None] > 0, 0.0, found.logits - beside[:, None])
        return replace(found, logits=logits)


@dataclass(frozen=True)
class DrivenStaysStatistics(DrivenStatistics, SemiMarkovStatistics):
    """Those of both."""


@dataclass(frozen=True)
class StayMoves(Moves):
    """`Moves` where stays end; ended, stayed (K, D) as in `Stays`."""

    ended: Array
    stayed: Array


@dataclass(frozen=True)
class DrivenStays(Driven, SemiMarkov):
    """As `SemiMarkov`, with the next state a multinomial logit of the covariates.

    p(x, stays) = d(z_1) prod over stays d_z(u) G(z, z' | c_t) prod p(x_t | z_t), t the last step
    of the stay in z: how long it lasts does not hang on covariates, and z' is another state.

    log G(j | i, c) / G(r | i, c) = a_ij + c'b_ij, beside the first state r that i may go to

    The chain of states and lengths is as there, with moves that differ from step to step, so that a
    pass costs T K (D + K) still.

    Reference: as both, and Yu (2010), Artificial Intelligence 174, section 2.
    """

    def rules(self, X: AnyArray, ends: AnyArray, params: Any) -> StayRule:
        initial, _, leave = self.rule(params)
        return initial, self.moves(X, ends, params), leave

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        return SemiMarkov.e_step(self, chunk, params)

    def told_of(self, X: AnyArray, ends: AnyArray, rule: StayRule, stays: Stays) -> StayMoves:
        found = self._told(np.asarray(X, dtype=np.float64), ends, rule[1], stays.met)
        return StayMoves(**found.__dict__, ended=stays.ended, stayed=stays.stayed)

    def sums(self, own: Any, first: Array, moves: Any) -> DrivenStaysStatistics:
        told: StayMoves = moves
        return DrivenStaysStatistics(
            own,
            first,
            told.met,
            ended=told.ended,
            stayed=told.stayed,
            slopes=told.slopes,
            information=told.information,
        )

    def lasting(self, params: HiddenMarkovParams, stays: Array) -> DrivenStaysParams:
        return self._both(Driven.lasting(self, params, stays), self.begun_stays(stays))

    def _both(self, params: DrivenParams, stays: Array) -> DrivenStaysParams:
        return DrivenStaysParams(**params.__dict__, stays=stays)

    def m_step(self, summary: Summary, params: Any) -> DrivenStaysParams:
        stats: Any = summary.statistics
        lengths = self.lengths.maximised(stats.ended, stats.stayed, params.stays)
        return self._both(Driven.m_step(self, summary, params), lengths)

    others: ClassVar[tuple[str, ...]] = ("logits", "stays")

    def left(self, params: Any) -> Array:
        return np.asarray(params.weights / mean_lengths(self.rule(params)[2]))

    def other_fields(self, params: Any) -> Fields:
        logits, stays = Driven.other_fields(self, params), SemiMarkov.other_fields(self, params)
        return Fields(logits.parts | stays.parts, logits.scales | stays.scales)

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        stays = SemiMarkov.score(self, summary, params)["stays"]
        return {**Driven.score(self, summary, params), "stays": stays}

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> DrivenStaysParams:
        arrays = {**params.arrays(), **given}
        stays = arrays.pop("stays")
        return self._both(Driven.with_arrays(self, params, arrays), stays)

    def n_parameters(self, params: Any) -> int:
        """Of lengths, and of each move but one from each state an intercept and coefficients."""
        own = len(params.initial) * self.lengths.width(self.longest)
        return Driven.n_parameters(self, params) + own

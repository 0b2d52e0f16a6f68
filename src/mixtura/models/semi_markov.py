"""The hidden semi-Markov model: states are stayed in for as long as a law of their own says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mixtura.coordinates import AroundLinear, Fields, fields_around
from mixtura.families.base import LEAST_SHARE
from mixtura.models.hidden_markov import HiddenMarkov, Over
from mixtura.models.hidden_markov_params import ChainStatistics, HiddenMarkovParams
from mixtura.models.stay_laws import LAWS, StayLaw, mean_lengths
from mixtura.models.stay_recursions import StayRecursion, StayRule, Stays, in_logarithms
from mixtura.records import AnyArray, Array, Chunk, RandomNumbers, Summary


@dataclass(frozen=True)
class SemiMarkovParams(HiddenMarkovParams):
    """stays (K, p) of the law of lengths; transitions are those where a stay ends, 0 to itself."""

    stays: Array

    def states(self, order: AnyArray) -> SemiMarkovParams:
        found = super().states(order)
        assert isinstance(found, SemiMarkovParams)
        return replace(found, stays=self.stays[order])


@dataclass(frozen=True)
class SemiMarkovStatistics(ChainStatistics):
    """ended, stayed (K, D): stays that end, and that last on, when they have lasted so long."""

    ended: Array
    stayed: Array


@dataclass(frozen=True)
class SemiMarkov(HiddenMarkov):
    """As `HiddenMarkov`, but a stay of u steps has probability d_k(u), and ends in another state.

    p(x, stays) = d(z_1) prod over stays d_z(u) G(z, z') prod p(x_t | z_t). A stay begins with the
    sequence; the last is cut off at its end, and counts as the probability to last so long.

    law      of lengths, a name in `LAWS`
    longest  D: a stay that has lasted so long ends at each step with one probability

    M-step: lengths by the law; moves as there, among other states.

    Reference: Ferguson (1980), Symposium on the application of hidden Markov models to text and
    speech; Guedon (2003), J. Computational and Graphical Statistics 12, for the end of a sequence.
    """

    law: str = "geometric"
    longest: int = 2

    @property
    def lengths(self) -> StayLaw:
        """The law of lengths."""
        return LAWS[self.law]

    def rule(self, params: Any) -> StayRule:
        """(first states (K,), moves (K, K), P(a stay ends | it has lasted so long) (K, D))."""
        leave = np.ascontiguousarray(self.lengths.leave(params.stays, self.longest))
        return params.initial, params.transitions, leave

    def rules(self, X: AnyArray, ends: AnyArray, params: SemiMarkovParams) -> StayRule:
        """The same for rows, where moves hang on these: (n, K, K), into each."""
        return self.rule(params)

    def lasting(self, params: HiddenMarkovParams, stays: Array) -> SemiMarkovParams:
        """A start from that of a plain chain, whose states were stayed in so likely."""
        return SemiMarkovParams(**params.__dict__, stays=self.begun_stays(stays))

    def begun_stays(self, stays: Array) -> Array:
        """The law's parameters (K, p) of states that were stayed in so likely."""
        means = np.clip(1.0 / (1.0 - np.minimum(stays, 1.0 - 1e-9)), 1.5, self.longest)
        return self.lengths.begun(means, self.longest)

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        return self.e_step_in_stays(chunk, params, in_logarithms)

    def e_step_in_stays(
        self, chunk: Chunk, params: SemiMarkovParams, recursion: StayRecursion, over: Over = map
    ) -> Summary:
        """The same, forward and backward by `recursion`, `over` the pieces of a long chunk."""

        def along(
            log_density: Array, _1: Array, _2: Array, ends: AnyArray, weight: Array | None
        ) -> Any:
            rule = self.rules(chunk.X, ends, params)
            loglik, posterior, stays = recursion(rule, log_density, ends, weight)
            return loglik, posterior, self.told_of(chunk.X, ends, rule, stays)

        return self.e_step_by(chunk, params, along, over)

    def told_of(self, X: AnyArray, ends: AnyArray, rule: StayRule, stays: Stays) -> Any:
        """What the stays met say of the parameters, at the rule that was expected."""
        return stays

    def sums(self, own: Any, first: Array, moves: Any) -> SemiMarkovStatistics:
        stays: Stays = moves
        return SemiMarkovStatistics(own, first, stays.met, stays.ended, stays.stayed)

    def m_step(self, summary: Summary, params: Any) -> SemiMarkovParams:
        stats: Any = summary.statistics
        lengths = self.lengths.maximised(stats.ended, stats.stayed, params.stays)
        found = HiddenMarkov.m_step(self, summary, params)
        return SemiMarkovParams(**found.__dict__, stays=lengths)

    others: ClassVar[tuple[str, ...]] = ("stays",)

    def other_fields(self, params: Any) -> Fields:
        law, D = self.lengths, self.longest
        lasts = mean_lengths(self.rule(params)[2])
        rows = np.maximum(params.weights / lasts, LEAST_SHARE)[:, None]
        told, still = rows * law.information(params.stays, D), law.still(params.stays)
        if not still.any():
            return fields_around({"stays": law.support}, {"stays": params.stays}, {"stays": told})
        free = ~still.ravel()
        around = AroundLinear(law.support, params.stays, np.eye(still.size)[:, free])
        return Fields({"stays": around}, {"stays": np.sqrt(told.ravel()[free])})

    def edge(self, params: Any) -> str:
        still = self.lengths.still(params.stays).any(axis=1)
        said = "" if not still.any() else f"lengths of {still.sum()} of the states are Poisson"
        return "; ".join(filter(None, [HiddenMarkov.edge(self, params), said]))

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        stats: Any = summary.statistics
        stays = self.lengths.slope(stats.ended, stats.stayed, params.stays)
        return {**HiddenMarkov.score(self, summary, params), "stays": stays}

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> SemiMarkovParams:
        arrays = {**params.arrays(), **given}
        stays = arrays.pop("stays")
        return SemiMarkovParams(
            **HiddenMarkov.with_arrays(self, params, arrays).__dict__, stays=stays
        )

    def n_parameters(self, params: Any) -> int:
        """Also of the law of lengths, in each state."""
        own = len(params.initial) * self.lengths.width(self.longest)
        return HiddenMarkov.n_parameters(self, params) + own

    def sample(self, n: int, params: Any, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        """One sequence of n steps, and its states."""
        initial, moves, leave = self.rule(params)
        states, lasted = np.empty(n, dtype=np.int64), 0
        for t in range(n):
            before = states[t - 1]
            if t and rng.uniform() >= leave[before, min(lasted, self.longest - 1)]:
                states[t], lasted = before, lasted + 1
                continue
            upto = np.cumsum(moves[before] if t else initial)
            states[t] = np.searchsorted(upto, rng.uniform() * upto[-1], side="right")
            lasted = 0
        return self.family.sample(states, params.components, rng), states

"""The pass over sequences with forward and backward in C: lanes side by side, in threads.

What steps are worth to states comes from the family's own kernel where it has one, else from a
table of the kinds of rows where these are few, else from the family's densities of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.data.sequences import Sequences
from mixtura.engines.chain_steps import KindSteps, Steps, TableSteps
from mixtura.engines.lanes import packs
from mixtura.engines.native import chain as sequential
from mixtura.engines.native.stretches import NoLaw, Paths, RunOut, Stretches, Swept, swept
from mixtura.engines.threads import ThreadsSweep, ordered_map
from mixtura.errors import FitError
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import ChainStatistics, HiddenMarkovParams
from mixtura.models.recursions import filtered_in_logarithms, or_in_logarithms
from mixtura.records import AnyArray, Array, Summary


@dataclass(frozen=True)
class Found:
    """loglik (S,) of sequences; expected first states (K,) and moves (K, K); sums of all calls."""

    loglik: Array
    starts: Array
    met: Array
    sums: list[Any]


def beside(
    steps: Steps,
    law: tuple[Array, Array],
    stops: AnyArray,
    weight: Array | None = None,
    *,
    posterior: Array | None = None,
    ahead: bool = True,
) -> Found | None:
    """All sequences, in lanes side by side; None where scaled numbers run out.

    law is the initial one (K,) and the transitions (K, K); for the rest see `swept`.
    """
    initial, moves = law

    def one(part: Stretches) -> tuple[Swept, Any]:
        emission, sums = steps.emission()
        return swept(part, emission, initial, moves, posterior=posterior, ahead=ahead), sums

    for whole in (False, True):
        parts = packs(stops, weight, len(initial), whole=whole)
        try:
            found, sums = zip(*ordered_map(one, parts), strict=True)
        except NoLaw:
            continue
        except RunOut:
            return None
        sequence = np.concatenate([part.sequence for part in parts])
        loglik = np.zeros(len(stops))
        np.add.at(loglik, sequence, np.concatenate([each.loglik for each in found]))
        starts, met = (sum(getattr(each, name) for each in found) for name in ("starts", "met"))
        return Found(loglik, starts, met, list(sums))
    return None


def likeliest(steps: Steps, law: tuple[Array, Array], stops: AnyArray) -> tuple[Array, AnyArray]:
    """Log joint densities (S,) of the likeliest paths, and their states (n,); Viterbi (1967)."""
    states = np.empty(int(stops[-1]), dtype=np.int64)

    def one(part: Stretches) -> Paths:
        return Paths(part, steps.emission()[0], law, states)

    try:
        parts = list(ordered_map(one, packs(stops, None, len(law[0]))))
    except NoLaw:
        parts = list(ordered_map(one, packs(stops, None, len(law[0]), whole=True)))
    behind = 0
    for part in reversed(parts):
        behind = part.tell(behind)
    return _worth(parts, states, len(stops)), states


def _worth(parts: list[Paths], states: AnyArray, many: int) -> Array:
    """Log joint densities of the paths told: of pieces that go on, what they began with apart."""
    found = np.zeros(many)
    for paths in parts:
        part = paths.part
        last = part.cuts[1:] - 1
        at_end = paths.final[np.arange(len(last)), states[last]]
        within = np.flatnonzero(part.cuts[:-1] > part.begins)
        at_end[within] -= paths.enter[within, states[part.cuts[within] - 1]]
        np.add.at(found, part.sequence, at_end)
    # Of a sequence that cannot be there may be nothing less nothing.
    return np.where(np.isnan(found), -np.inf, found)


def _scaled(
    log_density: Array, initial: Array, moves: Array, ends: AnyArray, weight: Array | None = None
) -> tuple[Array, Array, Array]:
    """A `Recursion` that knows no more than scaled numbers tell."""
    posterior = np.empty(log_density.shape)
    law = initial, moves
    found = beside(TableSteps(log_density), law, ends, weight, posterior=posterior)
    if found is None:
        return sequential.smoothed(log_density, initial, moves, ends, weight)
    return found.loglik, posterior, found.met


RECURSION = or_in_logarithms(_scaled)


class ChainSweep(ThreadsSweep):
    """Sum of the E-steps of a hidden Markov model of any family."""

    engine = "compiled"
    model: HiddenMarkov
    rows: Sequences

    def steps(self, params: HiddenMarkovParams) -> Steps | None:
        """What rows are worth at these parameters, where the kernel can sum; else None."""
        kinds = self.rows.kinds
        if kinds is None:
            return None
        try:
            log_density = self.model.emissions(kinds.rows, params)
        except FitError:
            # What is told of a row must name the row.
            return None
        return KindSteps(kinds, log_density, self.model.family, params.components)

    def __call__(self, params: Any) -> Summary:
        found = self._fused(params)
        if found is not None:
            return found
        model = self.model
        return self.folded(lambda chunk: model.e_step_by(chunk, params, RECURSION, ordered_map))

    def _fused(self, params: HiddenMarkovParams) -> Summary | None:
        rows, w = self.rows, self.rows.sample_weight
        steps = self.steps(params) if rows.n else None
        if steps is None:
            return None
        many = None if w is None else np.ascontiguousarray(w[rows.starts])
        found = beside(steps, (params.initial, params.transitions), rows.stops, many)
        if found is None:
            return None
        self.passes += 1
        total = found.loglik.sum() if many is None else many @ found.loglik
        own = steps.statistics(found.sums)
        return Summary(float(total), rows.weight, ChainStatistics(own, found.starts, found.met))

    def smoothed(self, params: Any) -> tuple[Array, Array]:
        """Log-likelihoods (S,), -inf of what cannot be, and P(state | whole sequence) (n, K)."""
        found = self._states(params, ahead=True)
        if found is not None:
            return found
        emitted = self.model.emissions(self.rows.X, params, ordered_map)
        return RECURSION(emitted, params.initial, params.transitions, self.rows.stops, None)[:2]

    def filtered(self, params: Any) -> tuple[Array, Array]:
        """The same with P(state | its sequence up to that step) (n, K)."""
        found = self._states(params, ahead=False)
        if found is not None:
            return found
        rows, law = self.rows, (params.initial, params.transitions)
        emitted = self.model.emissions(rows.X, params, ordered_map)
        loglik, states = sequential.filtered(emitted, *law, rows.stops)
        for s in np.flatnonzero(np.isneginf(loglik)):
            part = slice(int(rows.starts[s]), int(rows.stops[s]))
            loglik[s], states[part] = filtered_in_logarithms(emitted[part], *law)
        return loglik, states

    def _states(self, params: Any, *, ahead: bool) -> tuple[Array, Array] | None:
        states = np.empty((self.rows.n, len(params.initial)))
        law = params.initial, params.transitions
        steps = self._any_steps(params)
        found = beside(steps, law, self.rows.stops, posterior=states, ahead=ahead)
        return None if found is None else (found.loglik, states)

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        """Log joint densities (S,) of the likeliest paths, and their states (n,) int64."""
        law = params.initial, params.transitions
        return likeliest(self._any_steps(params), law, self.rows.stops)

    def _any_steps(self, params: Any) -> Steps:
        steps = self.steps(params)
        if steps is None:
            steps = TableSteps(self.model.emissions(self.rows.X, params, ordered_map))
        return steps

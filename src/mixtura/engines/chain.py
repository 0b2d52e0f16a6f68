"""The pass over sequences with forward and backward in C: lanes side by side, in threads.

What steps are worth to states comes from the family's own kernel where it has one, else from a
table of the kinds of rows where these are few, else from the family's densities of all rows.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.sequences import Sequences
from mixtura.data.source import Source
from mixtura.engines.chain_steps import KindSteps, Steps, TableSteps
from mixtura.engines.lanes import Lanes
from mixtura.engines.local import LocalSweep
from mixtura.engines.native import address
from mixtura.engines.native import chain as sequential
from mixtura.engines.native.stretches import NoLaw, Paths, RunOut, Stretches, Swept, paths, swept
from mixtura.engines.threads import ThreadsSweep, ordered_map, shared, single_blas, workers
from mixtura.errors import FitError
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import ChainStatistics, HiddenMarkovParams
from mixtura.models.known_states import as_known
from mixtura.models.recursions import filtered_in_logarithms, or_in_logarithms
from mixtura.records import AnyArray, Array, Chunk, Summary

# Rows of a chunk whose densities and states are in memory.
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Found:
    """loglik (S,) of sequences; expected first states (K,) and moves (K, K); sums of all calls."""

    loglik: Array
    starts: Array
    met: Array
    sums: list[Any]


def in_lanes(
    steps: Steps,
    law: tuple[Array, Array],
    lanes: Lanes,
    *,
    posterior: Array | None = None,
    back: bool = True,
    sums: bool = True,
) -> Found | None:
    """All sequences, in lanes side by side; None where scaled numbers run out. Else see `swept`."""

    def one(part: Stretches) -> tuple[Swept, Any]:
        emission, own = steps.emission()
        return swept(part, emission, law, posterior=posterior, back=back, sums=sums), own

    try:
        parts, found = lanes.cut, shared(one, lanes.cut)
    except NoLaw:
        try:
            parts, found = lanes.whole, shared(one, lanes.whole)
        except RunOut:
            return None
    except RunOut:
        return None
    loglik = np.zeros(len(lanes.stops))
    for part, (each, _) in zip(parts, found, strict=True):
        np.add.at(loglik, part.sequence, each.loglik)
    starts = np.sum([each.starts for each, _ in found], axis=0)
    met = np.sum([each.met for each, _ in found], axis=0)
    return Found(loglik, starts, met, [own for _, own in found])


def likeliest(steps: Steps, law: tuple[Array, Array], lanes: Lanes) -> tuple[Array, AnyArray]:
    """Log joint densities (S,) of the likeliest paths, and their states (n,); Viterbi (1967)."""
    states = np.empty(int(lanes.stops[-1]), dtype=np.int64)

    def one(part: Stretches) -> Paths:
        return paths(part, steps.emission()[0], law, states)

    try:
        parts = shared(one, lanes.cut)
    except NoLaw:
        parts = shared(one, lanes.whole)
    for part, behind in itertools.pairwise(parts):
        part.join(states, behind.before)
    return _worth(parts, states, len(lanes.stops)), states


def _worth(parts: list[Paths], states: AnyArray, many: int) -> Array:
    """Log joint densities of the paths told: of pieces that go on, what they began with apart."""
    found = np.zeros(many)
    for told in parts:
        part = told.part
        last = part.cuts[1:] - 1
        at_end = told.final[np.arange(len(last)), states[last]]
        within = np.flatnonzero(part.cuts[:-1] > part.begins)
        at_end[within] -= told.enter[within, states[part.cuts[within] - 1]]
        np.add.at(found, part.sequence, at_end)
    # Of a sequence that cannot be there may be nothing less nothing.
    return np.where(np.isnan(found), -np.inf, found)


def _scaled(
    log_density: Array, initial: Array, moves: Array, ends: AnyArray, weight: Array | None = None
) -> tuple[Array, Array, Array]:
    """A `Recursion` that knows no more than scaled numbers tell."""
    posterior = np.empty(log_density.shape)
    steps, law = TableSteps(log_density), (initial, moves)
    found = in_lanes(steps, law, Lanes(ends, weight), posterior=posterior)
    if found is None:
        return sequential.smoothed(log_density, initial, moves, ends, weight)
    return found.loglik, posterior, found.met


RECURSION = or_in_logarithms(_scaled)


def _lines(n: int, K: int) -> Array:
    """Room for (n, K), begun where a line of the cache does: of 8 states none lies on two."""
    room = np.empty(n * K + 7)
    skipped = -address(room) % 64 // 8
    return room[skipped : skipped + n * K].reshape(n, K)


class ChainSweep(ThreadsSweep):
    """Sum of the E-steps of a hidden Markov model of any family."""

    engine = "compiled"
    model: HiddenMarkov
    rows: Sequences

    def __init__(self, model: HiddenMarkov, rows: Source) -> None:
        if not isinstance(rows, Sequences):
            if not isinstance(rows, Rows):
                raise ValueError(
                    "X: a hidden Markov model holds its sequences in memory, and these rows are "
                    "read in pieces: load the table, and give the array"
                )
            # Without lengths they are one sequence.
            rows = Sequences(rows.X, rows.sample_weight)
        super().__init__(model, rows)
        self.chunk_rows = max(self.chunk_rows, _CHUNK)

    @cached_property
    def lanes(self) -> Lanes:
        """Where the sequences run, as often as they were seen."""
        w = self.rows.sample_weight
        many = None if w is None else np.ascontiguousarray(w[self.rows.starts])
        return Lanes(self.rows.stops, many)

    def steps(self, params: HiddenMarkovParams) -> Steps | None:
        """What rows are worth at these parameters, where the kernel can sum; else None."""
        kinds = self.rows.kinds
        if kinds is None or not len(kinds.rows):
            return None
        try:
            log_density, looks = self.model.looked(kinds.rows, params)
        except FitError:
            # What is told of a row must name the row.
            return None
        return KindSteps(kinds, log_density, looks)

    def __call__(self, params: Any) -> Summary:
        found = self._fused(params)
        if found is not None:
            return found

        def step(chunk: Chunk) -> Summary:
            return self.model.e_step_by(chunk, params, RECURSION, ordered_map)

        # Threads are within a chunk, for it may be one long sequence.
        with single_blas:
            return LocalSweep.folded(self, step)

    def _fused(self, params: HiddenMarkovParams) -> Summary | None:
        # Steps of which more is known than they hold are no rows of a kind.
        steps = self.steps(params) if self.rows.n and self.rows.known is None else None
        if steps is None:
            return None
        found = in_lanes(steps, (params.initial, params.transitions), self.lanes)
        if found is None:
            return None
        self.passes += 1
        many = self.lanes.weight
        total = found.loglik.sum() if many is None else many @ found.loglik
        stats = ChainStatistics(steps.statistics(found.sums), found.starts, found.met)
        return Summary(float(total), self.rows.weight, stats)

    def smoothed(self, params: Any) -> tuple[Array, Array]:
        """Log-likelihoods (S,), -inf of what cannot be, and P(state | whole sequence) (n, K)."""
        found = self._states(params, back=True)
        if found is not None:
            return found
        law, emitted = (params.initial, params.transitions), self.emitted(params)
        loglik, posterior, _ = RECURSION(emitted, *law, self.rows.stops, None)
        # Sums of rounded shares may exceed 1 by a unit in the last place.
        return loglik, np.minimum(posterior, 1.0, out=posterior)

    @property
    def _unsummed(self) -> Lanes:
        """Where the sequences run if nothing is added: in few calls, some for each core."""
        return Lanes(self.rows.stops, calls=2 * workers())

    def logliks(self, params: Any) -> Array:
        """Log-likelihoods of sequences alone, (S,)."""
        law = params.initial, params.transitions
        found = in_lanes(self._any_steps(params), law, self._unsummed, back=False, sums=False)
        return self.filtered(params)[0] if found is None else found.loglik

    def filtered(self, params: Any) -> tuple[Array, Array]:
        """The same with P(state | its sequence up to that step) (n, K)."""
        found = self._states(params, back=False)
        if found is not None:
            return found
        rows, law = self.rows, (params.initial, params.transitions)
        emitted = self.emitted(params)
        loglik, states = sequential.filtered(emitted, *law, rows.stops)
        for s in np.flatnonzero(np.isneginf(loglik)):
            part = slice(int(rows.starts[s]), int(rows.stops[s]))
            loglik[s], states[part] = filtered_in_logarithms(emitted[part], *law)
        return loglik, states

    def foretold(self, params: Any) -> Array:
        """P(state | its sequence before that step), (n, K)."""
        ahead = np.empty((self.rows.n, len(params.initial)))
        ahead[1:] = self.filtered(params)[1][:-1] @ params.transitions
        ahead[self.rows.starts] = params.initial
        return ahead

    def _states(self, params: Any, *, back: bool) -> tuple[Array, Array] | None:
        states = _lines(self.rows.n, len(params.initial))
        law = params.initial, params.transitions
        steps = self._any_steps(params)
        found = in_lanes(steps, law, self._unsummed, posterior=states, back=back, sums=False)
        return None if found is None else (found.loglik, states)

    def likeliest(self, params: Any) -> tuple[Array, AnyArray]:
        """Log joint densities (S,) of the likeliest paths, and their states (n,) int64."""
        law = params.initial, params.transitions
        return likeliest(self._any_steps(params), law, self._unsummed)

    def emitted(self, params: Any) -> Array:
        """log p(step, what is known of its state | state), (n, K)."""
        return as_known(self.model.emissions(self.rows.X, params, ordered_map), self.rows.known)

    def _any_steps(self, params: Any) -> Steps:
        steps = self.steps(params) if self.rows.known is None else None
        return TableSteps(self.emitted(params)) if steps is None else steps

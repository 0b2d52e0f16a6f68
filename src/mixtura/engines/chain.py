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
from mixtura.engines.native.stretches import NoLaw, RunOut, Stretches, Swept, swept
from mixtura.engines.threads import ThreadsSweep, ordered_map
from mixtura.errors import FitError
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import ChainStatistics, HiddenMarkovParams
from mixtura.models.recursions import or_in_logarithms
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
        loglik = np.bincount(sequence, np.concatenate([each.loglik for each in found]))
        starts, met = (sum(getattr(each, name) for each in found) for name in ("starts", "met"))
        return Found(loglik, starts, met, list(sums))
    return None


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
        rows, law = self.rows, (params.initial, params.transitions)
        steps = self.steps(params)
        if steps is not None:
            posterior = np.empty((rows.n, len(params.initial)))
            found = beside(steps, law, rows.stops, posterior=posterior)
            if found is not None:
                return found.loglik, posterior
        emitted = self.model.emissions(rows.X, params, ordered_map)
        return RECURSION(emitted, *law, rows.stops, None)[:2]

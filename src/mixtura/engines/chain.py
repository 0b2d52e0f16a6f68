"""The pass over sequences with forward and backward in C: chunks of whole ones, in threads."""

from __future__ import annotations

from typing import Any

from mixtura.engines.native.chain import smoothed
from mixtura.engines.threads import ThreadsSweep, ordered_map
from mixtura.models.recursions import or_in_logarithms
from mixtura.records import Summary

RECURSION = or_in_logarithms(smoothed)


class ChainSweep(ThreadsSweep):
    """Sum of the E-steps of a hidden Markov model of any family."""

    engine = "compiled"

    def __call__(self, params: Any) -> Summary:
        model: Any = self.model
        return self.folded(lambda chunk: model.e_step_by(chunk, params, RECURSION, ordered_map))

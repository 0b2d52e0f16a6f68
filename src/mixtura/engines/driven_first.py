"""The pass over sequences whose first states hang on covariates: that of others, told so."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.engines.chain import ChainSweep
from mixtura.engines.driven import DrivenSweep
from mixtura.engines.stays import StaySweep
from mixtura.models.driven_first import DrivenFirst
from mixtura.models.driven_first_stays import DrivenFirstStays
from mixtura.models.stay_recursions import StayRule
from mixtura.records import AnyArray, Array


class _FirstTold(ChainSweep):
    """What is foretold of a first step is its own law."""

    model: Any

    def foretold(self, params: Any) -> Array:
        found = super().foretold(params)
        found[self.rows.starts] = np.exp(self.model.first_law(self.rows.X, self.rows.stops, params))
        return found


class DrivenFirstSweep(_FirstTold, DrivenSweep):
    """Sum of the E-steps; each sequence's own initial law is in the densities of its first step."""

    model: DrivenFirst

    def _asked(self, params: Any) -> tuple[Array, Array, Array, AnyArray]:
        _, moves, log_density, ends = super()._asked(params)
        even, told = self.model.told_first(self.rows.X, ends, params, log_density)
        return even, moves, told, ends


class DrivenFirstStaySweep(_FirstTold, StaySweep):
    """The same where states last by a law of their own."""

    model: DrivenFirstStays

    def _asked(self, params: Any) -> tuple[StayRule, Array, AnyArray]:
        rule, log_density, ends = super()._asked(params)
        even, told = self.model.told_first(self.rows.X, ends, params, log_density)
        return (even, *rule[1:]), told, ends

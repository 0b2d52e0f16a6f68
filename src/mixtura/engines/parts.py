"""Rows that lie apart: each part is swept where it is, by the sweep it would have here."""

from __future__ import annotations

import operator
from copy import copy
from functools import partial
from typing import Any

from mixtura.data.source import Source
from mixtura.engines.base import Opener, Step, Sweep
from mixtura.models.base import Model
from mixtura.records import Summary


class PartsSweep(Sweep):
    """Sum of the sweeps over the parts of a source; `opener` opens those."""

    engine = "parts"

    def __init__(self, model: Model, rows: Source, opener: Opener) -> None:
        super().__init__(rows)
        self.model, self.opener = model, opener

    def __call__(self, params: Any) -> Summary:
        return self._summed(partial(_passed, self.opener, self.model, params))

    def folded(self, step: Step) -> Summary:
        return self._summed(partial(_folded, self.opener, self.model, step))

    def _summed(self, work: Any) -> Summary:
        self.passes += 1
        total: Summary = self.rows.reduced(work, operator.add)
        return total

    def over(self, rows: Source) -> Sweep:
        opener = self.opener
        return PartsSweep(self.model, rows, opener) if rows.apart else opener(self.model, rows)


# Functions of a module, for they are sent out anew in each pass.
def _passed(opener: Opener, model: Model, params: Any, part: Source) -> Summary:
    # A part's sweep is met once, so there is nothing for it to remember.
    return opener(model, part).forgetful()(params)


def _folded(opener: Opener, model: Model, step: Step, part: Source) -> Summary:
    # Some steps write into themselves what a next pass over the same rows may use.
    return opener(model, part).folded(copy(step))

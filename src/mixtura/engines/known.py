"""Passes over rows of some of which the component is known: the others go through the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.known_rows import KnownRows
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import Opener, Sweep
from mixtura.engines.threads import ThreadsSweep
from mixtura.models.base import Model
from mixtura.records import Summary


class KnownSweep(ThreadsSweep):
    """The sum of a kernel's sweep over unlabelled rows and a plain one over labelled ones.

    Steps that see rows (`folded`) see all of them, in their order.
    """

    def __init__(self, opener: Opener, model: Model, rows: KnownRows) -> None:
        super().__init__(model, rows)
        self.opener = opener
        told, w = rows.told, rows.sample_weight
        others = np.flatnonzero(~told)
        plain = Rows(np.ascontiguousarray(rows.X[others]), None if w is None else w[others])
        self.parts: list[Sweep] = []
        if told.any():
            self.parts.append(ThreadsSweep(model, rows.take(np.flatnonzero(told))))
        if len(others):
            self.parts.append(opener(model, plain))
        self.engine = self.parts[-1].engine

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        first, *others = (part(params) for part in self.parts)
        return sum(others, start=first)

    def over(self, rows: Source) -> KnownSweep:
        assert isinstance(rows, KnownRows)
        return KnownSweep(self.opener, self.model, rows)

    def forgetful(self) -> KnownSweep:
        new = self.over(self.rows)
        new.parts = [part.forgetful() for part in self.parts]
        return new

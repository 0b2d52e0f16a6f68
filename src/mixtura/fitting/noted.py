"""A sweep that writes down what a bound was at every step."""

from __future__ import annotations

from typing import Any

from mixtura.engines.base import Sweep, SweepAround
from mixtura.records import Summary


class Noted(SweepAround):
    """`inner`, with the bounds of all parameters that it sweeps at written down.

    last are the parameters of the last sweep.
    """

    def __init__(self, inner: Sweep, model: Any) -> None:
        super().__init__(inner.rows)
        self.inner, self.model, self.engine = inner, model, inner.engine
        # The bound is known at every step.
        self.stride = 1
        self.bounds: list[float] = []
        self.last: Any = None

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        summary = self.inner(params)
        self.bounds.append(summary.loglik + self.model.log_prior(params))
        self.last = params
        return summary

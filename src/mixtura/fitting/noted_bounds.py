"""A sweep that writes down the bounds of a variational mixture."""

from __future__ import annotations

from typing import Any

from mixtura.data.source import Source
from mixtura.engines.base import Step, Sweep
from mixtura.models.variational import VariationalMixture
from mixtura.records import Summary


class Noted(Sweep):
    """`inner`, with the bounds of all parameters that it sweeps at written down."""

    def __init__(self, inner: Sweep, model: VariationalMixture, K: int) -> None:
        super().__init__(inner.rows)
        self.inner, self.model, self.K, self.engine = inner, model, K, inner.engine
        # The bound is known at every step.
        self.stride = 1
        self.bounds: list[float] = []
        self.theirs: list[float] = []

    def __call__(self, params: Any) -> Summary:
        self.passes += 1
        summary = self.inner(params)
        self.bounds.append(summary.loglik + self.model.log_prior(params))
        whole = params if len(params.weights) == self.K else self.model.extended(params, self.K)
        self.theirs.append(self.model.lower_bound(whole))
        return summary

    def folded(self, step: Step) -> Summary:
        return self.inner.folded(step)

    def over(self, rows: Source) -> Sweep:
        return self.inner.over(rows)

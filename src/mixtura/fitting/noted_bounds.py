"""A sweep that writes down the bounds of a variational mixture: ours and scikit-learn's."""

from __future__ import annotations

from typing import Any

from mixtura.engines.base import Sweep
from mixtura.fitting.noted import Noted
from mixtura.models.variational import VariationalMixture
from mixtura.records import Summary


class NotedBounds(Noted):
    """And scikit-learn's numbers, of all K components."""

    def __init__(self, inner: Sweep, model: VariationalMixture, K: int) -> None:
        super().__init__(inner, model)
        self.K = K
        self.theirs: list[float] = []

    def __call__(self, params: Any) -> Summary:
        summary = super().__call__(params)
        whole = params if len(params.weights) == self.K else self.model.extended(params, self.K)
        self.theirs.append(self.model.lower_bound(whole))
        return summary

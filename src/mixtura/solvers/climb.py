"""Where a climb ends, and what it climbs: the objective and its slope."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from mixtura.errors import FAILURES
from mixtura.models.base import Model
from mixtura.records import Summary, difference, inner
from mixtura.solvers.convergence import ROUNDING


@dataclass(frozen=True)
class Climb:
    """Where one climb ended.

    summary is that of `params`; logliks holds the total log-likelihood at the start and after
    each step, earlier the part of the history that led up to them, objective the last one plus
    the log-prior; gradient_norm and gap as in `Fit`; ran names the solvers that took the steps;
    stationary is False where a solver that converged does not look for a maximum of the likelihood.
    """

    params: Any
    summary: Summary
    logliks: tuple[float, ...]
    earlier: tuple[float, ...]
    objective: float
    converged: bool
    reason: str
    gradient_norm: float
    gap: float
    ran: str = "em"
    stationary: bool = True

    @property
    def iterations(self) -> int:
        """Steps taken."""
        return len(self.logliks) - 1

    @property
    def at_rounding(self) -> bool:
        """Whether what is left to gain is no more than a log-likelihood's rounding."""
        mean = abs(self.objective) / self.summary.weight
        return self.gap <= 2 * ROUNDING * (1.0 + mean)

    def followed(self, after: Climb, *, jump: bool = False) -> Climb:
        """This climb and the one that went on from its end, as one; a `jump` between is a step."""
        ran = self.ran if after.ran in self.ran.split(", ") else f"{self.ran}, {after.ran}"
        logliks = (*self.logliks, *after.logliks[0 if jump else 1 :])
        return replace(after, logliks=logliks, earlier=self.earlier, ran=ran)


def objective_at(model: Model, summary: Summary, params: Any) -> float:
    """The log-likelihood plus the log-prior."""
    return summary.loglik + model.log_prior(params)


def directional(model: Model, summary: Summary, params: Any) -> float:
    """The objective's slope along EM's own step, per row.

    EM's step is the gradient times a positive definite matrix, near an optimum the inverse of the
    complete-data information (Xu & Jordan 1996, Neural Computation 8), so the slope is a squared
    gradient norm that does not depend on units, and at most twice the gap to the optimum.
    Infinite where EM has no step to take because a component would collapse; NaN for a model
    without a score.
    """
    if not model.scored:
        return math.nan
    try:
        after = model.m_step(summary, params)
    except FAILURES:
        return math.inf
    if model.curved and not model.obstacle():
        chart = model.chart(params)
        slope = float(chart.gradient(summary, params) @ chart.coordinates(after))
    else:
        slope = inner(model.score(summary, params), difference(after, params))
    return max(0.0, slope / summary.weight)

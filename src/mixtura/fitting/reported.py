"""What is reported of a start: how it was made, and where it led."""

from __future__ import annotations

from mixtura.models.base import Model
from mixtura.result import StartReport
from mixtura.solvers.climb import Climb


def reported(
    name: str, steps: int, climb: Climb | None, outcome: str, model: Model, error: str = ""
) -> StartReport:
    """The report of a start that `climb` has led so far; None where it failed."""
    if climb is None:
        return StartReport(name, steps, None, outcome, error)
    weight, ended = climb.summary.weight, outcome in ("kept", "collapsed")
    belief = model.belief(climb.params) / weight if ended else 0.0
    mean, unfinished = climb.summary.loglik / weight, ended and not climb.converged
    return StartReport(name, steps, mean, outcome, error, belief, unfinished)

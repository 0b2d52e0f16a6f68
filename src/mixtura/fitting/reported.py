"""What is reported of a start: how it was made, and where it led."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mixtura.models.base import Model
from mixtura.records import Spike
from mixtura.result import StartReport
from mixtura.solvers.climb import Climb


def reported(
    name: str,
    steps: int,
    climb: Climb | None,
    outcome: str,
    model: Model,
    error: str = "",
    judge: Callable[[Climb], Sequence[Spike]] | None = None,
) -> StartReport:
    """The report of a start that `climb` has led so far; None where it failed.

    Components that are spurious are told by `judge`, by default the model.
    """
    if climb is None:
        return StartReport(name, steps, None, outcome, error)
    weight, ended = climb.summary.weight, outcome in ("kept", "collapsed")
    belief = model.belief(climb.params) / weight if ended else 0.0
    mean, unfinished = climb.summary.loglik / weight, ended and not climb.converged
    doubtful = judge or (lambda end: model.doubtful(end.summary, end.params))
    spurious = outcome == "kept" and bool(doubtful(climb))
    return StartReport(name, steps, mean, outcome, error, belief, unfinished, spurious)

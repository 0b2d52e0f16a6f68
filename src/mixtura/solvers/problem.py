"""What a solver is given, and what a solver is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mixtura.data.source import Source
from mixtura.models.base import Labelled, Model
from mixtura.records import Array, Chart, Chunk, Params, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import NEVER, Clock

# Called after every step with (iterations so far, gain per row of the last step).
OnStep = Callable[[int, float], None]
# Told of points on the way of a climb.
OnWay = Callable[[Climb], None]


class SweepLike(Protocol):
    """What a climb needs of an engine; see engines.base.Sweep."""

    stride: int
    passes: int
    rows: Source

    def __call__(self, params: Any) -> Summary: ...

    def advance(
        self, model: Model, params: Any, summary: Summary, steps: int
    ) -> tuple[Params, Summary, list[float]]: ...

    def begun(
        self, model: Labelled, resp: Array, params: Any, steps: int = 1
    ) -> tuple[Params, Summary]: ...

    def information_price(self, params: Any, *, led: bool = False) -> float: ...

    def information_lost(self, params: Any, least: float = ...) -> Array: ...

    def charted(self, chart: Chart) -> Chart: ...

    def one_thread(self) -> AbstractContextManager[Any]: ...

    def folded(self, step: Callable[[Chunk], Summary]) -> Summary: ...

    def over(self, rows: Source) -> SweepLike: ...

    def remark(self, params: Any, summary: Summary) -> str: ...


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be climbed, from where, and how far.

    model, sweep   what is climbed over which rows
    params         where the climb begins
    tol            it stops when the estimated gain still to come, per row, is at most this; 0 asks
                   for the steps themselves, and ends early only where rounding leaves an optimiser
                   no step to take
    max_iter       steps at most
    history        objectives of an earlier climb, used if it ended at `params`
    on_step        told of every step
    summary        that of `params`, where it is already known
    clock          when it ends wherever it is
    taken          steps that others took before, to be counted where the limit is named
    on_way         told where legs of the climb ended: whoever knows may go on from there, so one
                   that runs into a singularity need not try another way
    """

    model: Model
    sweep: SweepLike
    params: Any
    tol: float
    max_iter: int
    history: Sequence[float] = ()
    on_step: OnStep | None = None
    summary: Summary | None = None
    clock: Clock = NEVER
    taken: int = 0
    on_way: OnWay | None = None

    @property
    def limit(self) -> str:
        """What is said of a climb that ran out of steps."""
        return f"stopped: max_iter={self.taken + self.max_iter} steps were taken"

    @property
    def late(self) -> bool:
        """Whether its time has passed."""
        return self.clock.passed

    def first(self) -> Summary:
        """The summary of `params`, which takes a pass where it is not known."""
        return self.summary or self.sweep(self.params)

    def replaced(self, **changes: Any) -> Problem:
        """The same with other fields."""
        return replace(self, **changes)

    def onward(self, climb: Climb, **changes: Any) -> Problem:
        """What is left to do from the end of a climb, whose steps are counted on."""
        left = {
            "params": climb.params,
            "max_iter": self.max_iter - climb.iterations,
            "history": (),
            "on_step": counted(self.on_step, climb.iterations),
            "summary": climb.summary,
            "taken": self.taken + climb.iterations,
        }
        return replace(self, **(left | changes))


def counted(on_step: OnStep | None, after: int) -> OnStep | None:
    """The same, told of steps that come after so many others."""
    if on_step is None:
        return None
    return lambda steps, gain: on_step(after + steps, gain)


class Solver(Protocol):
    """Climbs from a problem's parameters to a stationary point of the objective.

    Any callable serves: one with attributes is best a frozen dataclass with `__call__` and `name`.
    Raises one of `errors.FAILURES`.
    """

    def __call__(self, problem: Problem, /) -> Climb: ...

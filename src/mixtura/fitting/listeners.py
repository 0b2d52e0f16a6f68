"""Who may be told of progress, and of what."""

from __future__ import annotations

from typing import Any, Protocol

from mixtura.solvers.climb import Climb


class FitListener(Protocol):
    """Told which start is climbing, of each of its steps, and where it ended.

    Before each start that follows an end also how things stand: the log-likelihood per row of the
    best end so far (of posteriors the bound), and the estimated chance that one more start ends
    higher, None where it is not estimated.
    """

    def stands(self, best: float, chance: float | None) -> None: ...

    def started(self, index: int) -> None: ...

    def stepped(self, iterations: int, gain: float) -> None: ...

    def ended(self, climb: Climb, mean_loglik: float) -> None: ...


class ComparisonListener(Protocol):
    """Told which climb begins, and of each of its steps."""

    def began(self, start: int, solver: str) -> None: ...

    def stepped(self, iterations: int, gain: float) -> None: ...


class BootstrapListener(Protocol):
    """Told which test begins, and how many resamples have been looked at."""

    def began(self, n_components: int, statistic: float) -> None: ...

    def resampled(self, resamples: int, exceeded: int) -> None: ...


class GridListener(Protocol):
    """Told of the cells of a search that have ended or were left out, of how many."""

    def tried(self, done: int, total: int, trial: Any) -> None: ...

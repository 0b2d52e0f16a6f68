"""The algorithms that climb, by name: a new one is a new file and a line here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from mixtura.fit.em import Climb, OnStep, SweepLike, em
from mixtura.models.base import Model


class Solver(Protocol):
    """Climbs from given parameters to a stationary point of the objective; see `em`."""

    def __call__(
        self,
        model: Model,
        sweep: SweepLike,
        params: Any,
        *,
        tol: float,
        max_iter: int,
        history: Iterable[float] = (),
        on_step: OnStep | None = None,
    ) -> Climb: ...


SOLVERS: dict[str, Solver] = {"em": em}


def resolve_solver(name: str) -> str:
    """The solver that runs: "auto" is "em". ValueError for an unknown name."""
    if name == "auto":
        return "em"
    if name not in SOLVERS:
        raise ValueError(f"solver must be 'auto' or one of {sorted(SOLVERS)}, got {name!r}")
    return name

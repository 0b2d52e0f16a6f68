"""The algorithms that climb, by name: a new one is a new file and a line here."""

from __future__ import annotations

from mixtura.fit.anderson import anderson
from mixtura.fit.auto import auto
from mixtura.fit.climb import Solver
from mixtura.fit.em import em
from mixtura.fit.lbfgs import lbfgs
from mixtura.fit.squarem import squarem

SOLVERS: dict[str, Solver] = {
    "auto": auto,
    "em": em,
    "squarem": squarem,
    "anderson": anderson,
    "lbfgs": lbfgs,
}


def resolve_solver(name: str) -> str:
    """The solver that runs: "auto" is "em". ValueError for an unknown name."""
    if name == "auto":
        return "em"
    if name not in SOLVERS:
        raise ValueError(f"solver must be 'auto' or one of {sorted(SOLVERS)}, got {name!r}")
    return name

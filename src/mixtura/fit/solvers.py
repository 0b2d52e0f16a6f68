"""The algorithms that climb, by name: a new one is a new file and a line here."""

from __future__ import annotations

from dataclasses import dataclass

from mixtura.fit.anderson import anderson
from mixtura.fit.annealed import Annealed
from mixtura.fit.auto import auto
from mixtura.fit.climb import Solver
from mixtura.fit.contrastive import NoiseContrastive
from mixtura.fit.em import em
from mixtura.fit.hard import hard
from mixtura.fit.lbfgs import lbfgs
from mixtura.fit.newton import newton
from mixtura.fit.online import Online
from mixtura.fit.squarem import squarem
from mixtura.fit.stochastic import Stochastic
from mixtura.models.base import Model


@dataclass(frozen=True)
class Entry:
    """One row of the table: the solver, and two things that it may ask for.

    free says that it moves in free coordinates, in_memory that it wants all rows at hand.
    """

    solver: Solver
    free: bool = False
    in_memory: bool = False


SOLVERS: dict[str, Entry] = {
    "auto": Entry(auto),
    "em": Entry(em),
    "squarem": Entry(squarem, free=True),
    "anderson": Entry(anderson, free=True),
    "lbfgs": Entry(lbfgs, free=True),
    "newton": Entry(newton, free=True),
    "hard": Entry(hard, in_memory=True),
    "stochastic": Entry(Stochastic()),
    "annealed": Entry(Annealed(), free=True),
    "online": Entry(Online(), in_memory=True),
    "nce": Entry(NoiseContrastive(), free=True, in_memory=True),
}


def resolve_solver(solver: str | Solver, model: Model) -> tuple[str, Solver]:
    """(name, the solver itself); ValueError for an unknown name or one that cannot run here."""
    if not isinstance(solver, str):
        return solver_name(solver), solver
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {solver!r}")
    entry = SOLVERS[solver]
    if entry.free and model.obstacle():
        raise ValueError(
            f"solver={solver!r} cannot climb here: {model.obstacle()}. Use solver='em' or 'auto'"
        )
    return solver, entry.solver


def needs_memory(solver: str | Solver) -> bool:
    """Whether a solver cannot climb over rows that are read in pieces."""
    name = solver if isinstance(solver, str) else solver_name(solver)
    return name in SOLVERS and SOLVERS[name].in_memory


def solver_name(solver: object) -> str:
    """What a solver given as an object is called."""
    return str(getattr(solver, "name", getattr(solver, "__name__", type(solver).__name__)))

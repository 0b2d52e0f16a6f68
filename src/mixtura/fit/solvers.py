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
from mixtura.fit.truncated import Truncated
from mixtura.models.base import Model


@dataclass(frozen=True)
class Entry:
    """One row of the table: the solver, and whether it moves in free coordinates."""

    solver: Solver
    free: bool = False


SOLVERS: dict[str, Entry] = {
    "auto": Entry(auto),
    "em": Entry(em),
    "squarem": Entry(squarem, free=True),
    "anderson": Entry(anderson, free=True),
    "lbfgs": Entry(lbfgs, free=True),
    "newton": Entry(newton, free=True),
    "hard": Entry(hard),
    "stochastic": Entry(Stochastic()),
    "annealed": Entry(Annealed(), free=True),
    "online": Entry(Online()),
    "nce": Entry(NoiseContrastive(), free=True),
    "truncated": Entry(Truncated()),
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


def solver_name(solver: object) -> str:
    """What a solver given as an object is called."""
    return str(getattr(solver, "name", getattr(solver, "__name__", type(solver).__name__)))

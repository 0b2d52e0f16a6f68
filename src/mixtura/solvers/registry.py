"""The algorithms that climb, by name: a new one is a new file and a line here."""

from __future__ import annotations

from dataclasses import dataclass

from mixtura.models.base import Model
from mixtura.solvers.anderson import anderson
from mixtura.solvers.annealed import Annealed
from mixtura.solvers.auto import auto
from mixtura.solvers.contrastive import NoiseContrastive
from mixtura.solvers.em import em
from mixtura.solvers.hard import hard
from mixtura.solvers.lbfgs import lbfgs
from mixtura.solvers.moments import moments
from mixtura.solvers.newton import newton
from mixtura.solvers.online import Online
from mixtura.solvers.problem import Solver
from mixtura.solvers.settings import refuse_obstacle
from mixtura.solvers.squarem import squarem
from mixtura.solvers.stochastic import Stochastic
from mixtura.solvers.truncated import Truncated


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    free says that the solver follows gradients in free coordinates, extrapolates that it takes
    EM's steps further in them (where a model has none it is the model that says whether it may),
    climbs that it looks for a maximum of the likelihood from wherever it is put, so that it can be
    compared with EM, linear that its steps gain a constant share of what is left, so that the last
    digits take thousands of them, in_memory that it wants all rows at hand,
    begins that it needs somewhere to begin, timed that it ends when its time is over.
    """

    solver: Solver
    free: bool = False
    extrapolates: bool = False
    climbs: bool = False
    linear: bool = False
    in_memory: bool = False
    begins: bool = True
    timed: bool = True


SOLVERS: dict[str, Entry] = {
    "em": Entry(em, climbs=True, linear=True),
    "squarem": Entry(squarem, extrapolates=True, climbs=True),
    "anderson": Entry(anderson, extrapolates=True, climbs=True),
    "lbfgs": Entry(lbfgs, free=True, climbs=True),
    "newton": Entry(newton, free=True, climbs=True),
    "auto": Entry(auto, climbs=True),
    "hard": Entry(hard, in_memory=True),
    "stochastic": Entry(Stochastic(), timed=False),
    "annealed": Entry(Annealed(), free=True, timed=False),
    "online": Entry(Online(), in_memory=True, timed=False),
    "nce": Entry(NoiseContrastive(), free=True, in_memory=True),
    "truncated": Entry(Truncated()),
    "moments": Entry(moments, in_memory=True, begins=False),
}
CLIMBERS = tuple(name for name, entry in SOLVERS.items() if entry.climbs)


def resolve_solver(solver: str | Solver, model: Model) -> tuple[str, Solver]:
    """(name, the solver itself); ValueError for an unknown name or one that cannot run here."""
    refuse_no_solver("solver", solver)
    if not isinstance(solver, str):
        return solver_name(solver), solver
    entry = SOLVERS[solver]
    if entry.free or (entry.extrapolates and not model.extrapolates):
        refuse_obstacle(solver, model)
    return solver, entry.solver


def refuse_no_solver(argument: str, solver: object) -> None:
    """ValueError unless `solver`, given as `argument`, is a name of the table or a solver."""
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(f"{argument} must be one of {sorted(SOLVERS)}, got {solver!r}")
    elif isinstance(solver, type):
        name = solver.__name__
        raise ValueError(f"{argument} must be a solver, got the class {name}: give {name}(...)")
    elif not callable(solver):
        raise ValueError(f"{argument} must be a name or a callable, got {solver!r}")


def needs_memory(solver: str | Solver) -> bool:
    """Whether a solver cannot climb over rows that are read in pieces."""
    name = solver if isinstance(solver, str) else solver_name(solver)
    return name in SOLVERS and SOLVERS[name].in_memory


def begins(solver: str) -> bool:
    """Whether the solver of this name begins somewhere; one of the user's own does."""
    return solver not in SOLVERS or SOLVERS[solver].begins


def ends_by_clock(solver: str) -> bool:
    """Whether the solver of this name ends when its time is over; one of the user's own does."""
    return solver not in SOLVERS or SOLVERS[solver].timed


def refuse_untimed(solver: str) -> None:
    """ValueError where the solver of this name does not end when its time is over."""
    if not ends_by_clock(solver):
        raise ValueError(
            f"max_seconds: solver={solver!r} runs as long as its schedule says: limit it by "
            "max_iter, or use solver='auto'"
        )


def solver_name(solver: object) -> str:
    """What a solver given as an object is called."""
    return str(getattr(solver, "name", getattr(solver, "__name__", type(solver).__name__)))

"""The algorithms that climb, by name; they are listed in `mixtura.homes`."""

from __future__ import annotations

from mixtura import homes
from mixtura.models.base import Model
from mixtura.solvers.problem import Solver
from mixtura.solvers.settings import refuse_obstacle

SOLVERS = homes.SOLVERS
CLIMBERS = homes.CLIMBERS


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

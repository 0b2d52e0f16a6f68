"""A solver with settings of its own as plain data, and back: `Truncated(keep=2)` in a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from scipy.stats import multivariate_normal

from mixtura.schema import Floats, read, read_arrays
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import SOLVERS, solver_name
from mixtura.store import StoreError
from mixtura.supports import Real

# An estimator as a document, and back: noise may be a fitted mixture.
Document = dict[str, Any]
_NORMAL = type(multivariate_normal(np.zeros(1)))


@dataclass(frozen=True)
class StoredSolver:
    """A solver that is not named alone."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class StoredNormal:
    """Noise that is a frozen normal distribution of SciPy."""

    mean: Any
    cov: Any
    singular: bool = False


def solver_document(solver: str | Solver, of_mixture: Callable[[Any], Document]) -> Any:
    """The name of a solver, or its name and settings.

    What JSON cannot hold is left out with a warning: a solver of the user's own becomes "auto", and
    noise that is neither a fitted mixture nor a frozen multivariate normal of SciPy the default.
    """
    if isinstance(solver, str):
        return solver
    name = solver_name(solver)
    entry = SOLVERS.get(name)
    if entry is not None and entry.solver is solver:
        return name
    if entry is None or type(entry.solver) is not type(solver) or not is_dataclass(solver):
        _left_out(f"the solver {name} of your own", "'auto'")
        return "auto"
    settings = {field.name: getattr(solver, field.name) for field in fields(solver)}
    if "noise" in settings:
        settings["noise"] = _noise_document(settings["noise"], of_mixture)
    return {"name": name, "settings": settings}


def restored_solver(stored: Any, mixture_of: Callable[[Document], Any]) -> str | Solver:
    """The solver that `solver_document` described; StoreError where there is none."""
    if isinstance(stored, str):
        return stored
    try:
        given: StoredSolver = read(StoredSolver, stored, "solver")
        kind: Any = type(SOLVERS[given.name].solver)
        settings = dict(given.settings)
        if settings.get("noise") is not None:
            settings["noise"] = _noise(settings["noise"], mixture_of)
        solver: Solver = kind(**settings)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"the model file is damaged: its solver is none ({error})") from None
    return solver


def _noise_document(noise: Any, of_mixture: Callable[[Any], Document]) -> Document | None:
    if noise is None:
        return None
    if isinstance(noise, _NORMAL):
        mean, cov = np.asarray(noise.mean), np.asarray(noise.cov_object.covariance)
        singular = bool(noise.allow_singular)
        return {"kind": "multivariate_normal", "mean": mean, "cov": cov, "singular": singular}
    if hasattr(noise, "fit_result_"):
        return of_mixture(noise)
    _left_out(f"the noise of the solver, {type(noise).__name__},", "the default noise")
    return None


def _noise(stored: Any, mixture_of: Callable[[Document], Any]) -> Any:
    document: Document = read(dict[str, Any], stored, "noise")
    if document.get("kind") != "multivariate_normal":
        return mixture_of(document)
    # Files of earlier versions do not say whether it is.
    given = read(StoredNormal, {k: v for k, v in document.items() if k != "kind"}, "noise")
    d = np.size(given.mean)
    kinds = {"mean": Floats((d,), Real()), "cov": Floats((d, d), Real())}
    read_arrays(kinds, {"mean": given.mean, "cov": given.cov}, "noise")
    return multivariate_normal(given.mean, given.cov, allow_singular=given.singular)


def _left_out(what: str, instead: str) -> None:
    warnings.warn(
        f"{what} cannot be kept in a model file, which has {instead} in its place: set it again "
        "after load",
        UserWarning,
        stacklevel=5,
    )

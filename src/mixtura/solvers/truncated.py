"""Truncated EM: every row has responsibilities in a few components only. An approximation.

Forster & Lücke (2018), Can clustering scale sublinearly with its clusters?, AISTATS, and
Hirschberger, Forster & Lücke (2022), A variational EM acceleration for efficient clustering at very
large scales, IEEE Trans. Pattern Analysis and Machine Intelligence 44. Beside the few components
that a row keeps, a pass looks at the neighbours of its best one, and keeps the best of all those.
What rises is the free energy, sum_i w_i log sum_{k kept by i} pi_k p(x_i | k): a lower bound of
the log-likelihood, exact where all other responsibilities are zero. Theirs find neighbours from
the densities that were worked out, and look at one random component besides; here the parameters
tell them, so nothing is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from mixtura.models.truncated import TruncatedStep
from mixtura.records import Summary
from mixtura.solvers.climb import Climb, objective_at
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem

# What the kernels have room for in registers.
MOST_KEPT = 8


@dataclass(frozen=True)
class Truncated:
    """EM with at most `keep` components a row, searched among `search` neighbours of its best.

    Parameters
    ----------
    keep : int from 1 to 8, default 3
        Components in which a row has a responsibility. 1 is hard assignment.
    search : int, at least 1, default 15
        Neighbours of the best component that a row looks at in each pass. Only the fused kernels
        (full and tied covariances up to 16 columns, diag and spherical ones) search; elsewhere a
        pass looks at all components, and takes as long as EM's.

    Raises
    ------
    ValueError
        For values outside these ranges.
    """

    name: ClassVar[str] = "truncated"

    keep: int = 3
    search: int = 15

    def __post_init__(self) -> None:
        for field, most in (("keep", MOST_KEPT), ("search", None)):
            value = getattr(self, field)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or value < 1 or (most is not None and value > most):
                asked = "at least 1" if most is None else f"from 1 to {most}"
                raise ValueError(f"Truncated: {field} must be an integer {asked}, got {value!r}")

    def __call__(self, problem: Problem) -> Climb:
        """Climb the free energy by at most `max_iter` steps; see `problem.Solver`.

        Guarantees that the free energy (plus the log-prior) never falls, which is checked while it
        runs; not that the log-likelihood rises, nor that its maximum is reached. `tol`, `gap` and
        what `on_step` is told are about the free energy, and so is `logliks` but for its last
        value, which is the log-likelihood reached. Raises what `em` does.
        """
        model, params = problem.model, problem.params
        part, kept = self._pass(problem, params, None)
        value = objective_at(model, part, params)
        book = Logbook(problem, part, value, what="free energy")
        while book.left:
            before, params = params, model.m_step(part, params)
            part, kept = self._pass(problem, params, kept)
            book.note(params, part, before)
            book.judge_by_gains()
        summary = problem.sweep(params) if book.steps else problem.first()
        return book.finish(params, summary, "truncated", stationary=False)

    def _pass(self, problem: Problem, params: Any, kept: Any) -> tuple[Summary, Any]:
        step = TruncatedStep(problem.model, params, self.keep, self.search, kept)
        return problem.sweep.folded(step), step.kept

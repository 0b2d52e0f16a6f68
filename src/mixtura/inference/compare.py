"""The same start through every solver: one hill, several ways up, every pass counted.

Passes over the rows are the unit of cost: they depend neither on the machine nor on the engine.
Line searches, looks at the curvature and climbs that came to nothing are passes too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.base import Sweep
from mixtura.engines.threads import single_blas
from mixtura.errors import FAILURES
from mixtura.fitting.listeners import ComparisonListener
from mixtura.inference.agreement import difference
from mixtura.inference.recording import Entry, Log, Recorder
from mixtura.models.mixture import Mixture
from mixtura.result import Certificate
from mixtura.solvers.certificate import certify
from mixtura.solvers.climb import Climb
from mixtura.solvers.problem import Problem, Solver
from mixtura.solvers.registry import resolve_solver

# A climb has come to the top where this much is left to gain, per row.
CLOSE = 1e-8
NOT_EXAMINED = Certificate("not examined")


class Mark(NamedTuple):
    """After so many passes and seconds: the gap per row of the best point met so far.

    Infinite where no pass yet has had a likelihood of its own.
    """

    passes: int
    seconds: float
    gap: float


@dataclass(frozen=True)
class Run:
    """One solver's climb from one start; frozen.

    start, solver   which start (counted from 1) and the solver's name
    ran             the solvers that took the steps
    passes          sweeps over all rows, whatever for
    seconds         wall clock of the solver's own run, without the recording
    iterations      steps
    loglik          total log-likelihood where it ended, never penalised; None where it failed
    mean_loglik     the same per row
    gap             what is missing per row to the best objective at which a solver with the same
                    one (penalised or not) ended from this start
    passes_to_top   passes until it met a point at most 1e-8 per row below that best; None if never
    difference      from the parameters of the best of those solvers: `agreement.difference`
    penalised       whether the penalty against collapse was needed: then the objective includes it
                    and the passes include those of the climb that collapsed
    converged, reason   as in `Fit`; where the solver failed or cannot run, why
    certificate     what kind of point it ended at; its passes are not among those above
    trail           a `Mark` for every pass, and one for the end
    """

    start: int
    solver: str
    ran: str = ""
    passes: int = 0
    seconds: float = 0.0
    iterations: int = 0
    loglik: float | None = None
    mean_loglik: float | None = None
    gap: float | None = None
    passes_to_top: int | None = None
    difference: float | None = None
    penalised: bool = False
    converged: bool = False
    reason: str = ""
    certificate: Certificate = NOT_EXAMINED
    trail: tuple[Mark, ...] = field(default=(), repr=False)

    @property
    def failed(self) -> bool:
        """Whether it led nowhere; `reason` says why."""
        return self.loglik is None

    @property
    def verdict(self) -> str:
        """What kind of point it ended at: "interior maximum", "saddle", ..."""
        return self.certificate.verdict


class OpenSweep(Protocol):
    """Opens a sweep of an engine."""

    def __call__(self, model: Mixture, rows: Rows) -> Sweep: ...


@dataclass(frozen=True)
class Ended:
    """A run that led somewhere, its climb and its log: what is left to say is relative."""

    run: Run
    climb: Climb
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Course:
    """What all climbs share. `model` carries the penalty, which is tried only where it must be."""

    model: Mixture
    rows: Rows
    open_sweep: OpenSweep
    tol: float
    max_iter: int
    listener: ComparisonListener | None = None

    def race(
        self, start: int, params: Any, solvers: Sequence[tuple[str, str | Solver]]
    ) -> list[Run]:
        """Every (name, solver) from the same parameters."""
        # What solvers compute between passes is small: threads of BLAS would wait for each other.
        with single_blas:
            met = [self.climbed(start, params, name, solver) for name, solver in solvers]
        runs = {end.solver: end for end in met if isinstance(end, Run)}
        for penalised in (False, True):
            same = [e for e in met if isinstance(e, Ended) and e.run.penalised == penalised]
            runs |= {run.solver: run for run in self._judged(same)}
        return [runs[name] for name, _ in solvers]

    def climbed(self, start: int, params: Any, name: str, solver: str | Solver) -> Ended | Run:
        """One solver's climb; the Run alone where it led nowhere."""
        if self.listener is not None:
            self.listener.began(start, name)
        log = Log()
        try:
            _, climber = resolve_solver(solver, self.model)
            model, climb = self._climb(climber, params, log)
        except (ArithmeticError, ValueError) as error:
            return Run(start, name, passes=log.passes, seconds=log.seconds, reason=str(error))
        run = Run(
            start,
            name,
            ran=climb.ran,
            passes=log.passes,
            seconds=log.seconds,
            iterations=climb.iterations,
            loglik=climb.summary.loglik,
            mean_loglik=climb.summary.loglik / climb.summary.weight,
            penalised=model.penalised,
            converged=climb.converged,
            reason=climb.reason,
        )
        run = replace(run, certificate=self._certificate(model, climb))
        last = Entry(run.passes, run.seconds, climb.objective)
        return Ended(run, climb, (*log.entries, last))

    def _climb(self, solver: Solver, params: Any, log: Log) -> tuple[Mixture, Climb]:
        """(the model, the climb): penalised only if maximum likelihood runs into a singularity."""
        step = None if self.listener is None else self.listener.stepped

        def by(model: Mixture) -> tuple[Mixture, Climb]:
            sweep = Recorder(self.open_sweep(model, self.rows), model, log)
            problem = Problem(model, sweep, params, self.tol, self.max_iter, on_step=step)
            return model, solver(problem)

        try:
            return by(self.model.unpenalised())
        except FAILURES:
            log.forget()
            return by(self.model)

    def _certificate(self, model: Mixture, climb: Climb) -> Certificate:
        at_edge = model.at_edge(climb.summary, climb.params)
        edge = "a component is empty or held up by the penalty" if at_edge else ""
        sweep = self.open_sweep(model, self.rows)
        return certify(model, sweep, climb, edge, np.random.RandomState(0))[0]

    def _judged(self, same: Sequence[Ended]) -> Iterator[Run]:
        """The runs that climbed the same objective, against the best of them."""
        best = max((end.climb for end in same), key=lambda climb: climb.objective, default=None)
        for end in same:
            assert best is not None
            trail = _trail(end, best.objective)
            yield replace(
                end.run,
                gap=(best.objective - end.climb.objective) / end.climb.summary.weight,
                passes_to_top=next((mark.passes for mark in trail if mark.gap <= CLOSE), None),
                difference=difference(end.climb.params, best.params, self.model.family),
                trail=trail,
            )


def _trail(end: Ended, top: float) -> tuple[Mark, ...]:
    """The log relative to the top.

    A point above the top is the trial of a step that was not taken, towards a singularity.
    """
    missing = (
        top - np.array([entry.objective for entry in end.entries])
    ) / end.climb.summary.weight
    missing[~(missing >= -CLOSE)] = math.inf
    gaps = np.maximum(np.minimum.accumulate(missing), 0.0)
    return tuple(
        Mark(entry.passes, entry.seconds, float(gap))
        for entry, gap in zip(end.entries, gaps, strict=True)
    )

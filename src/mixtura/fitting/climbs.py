"""Climbs on all rows, and what their ends look like.

They are at maximum likelihood. One that runs into a singularity is climbed again with the penalty
that keeps every component at finite width, and is preferred to a regular end only where it is far
ahead without the gain of its spikes (`outcome.better`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mixtura.data.source import Source
from mixtura.errors import FAILURES, Collapse, Heywood, IllDefined, Vanishing
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.outcome import Outcome
from mixtura.fitting.partial import Part
from mixtura.fitting.race import OpenSweep
from mixtura.models.base import Model
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Spike
from mixtura.result import Certificate, StartReport
from mixtura.solvers.certificate import LONG, bound_on_gap
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import NEVER, Clock
from mixtura.solvers.em import em
from mixtura.solvers.examine import Examiner
from mixtura.solvers.logbook import still_to_come
from mixtura.solvers.newton import newton
from mixtura.solvers.problem import OnWay, Problem, Solver
from mixtura.solvers.registry import solver_name

# What is said of an end with a component that only the penalty holds up.
UPHELD = "a component is held up by the penalty against collapse"
# Steps with the penalty beside those that ran into a singularity without it.
SHORT = 40
# Newton steps at most that finish a search: they are quadratic.
FEW = 4


@dataclass
class Climbs:
    """What all climbs share, and the tally of what they did.

    They end by the `clock` with what they have then; `place` says where the search is, `cut` what
    it left out, `table` is the model in the table's own scale, and `rest` what may be left to gain
    in all (nats), as an `Examiner` takes it.
    """

    model: Model
    rows: Source
    open_sweep: OpenSweep
    tol: float
    max_iter: int
    rng: np.random.RandomState
    solver: Solver = em
    listener: FitListener | None = None
    passes: int = 0
    sample_passes: int = 0
    moves: int = 0
    reports: list[StartReport] = field(default_factory=list)
    clock: Clock = NEVER
    place: str = ""
    cut: str = ""
    rest: float = math.inf
    table: Model = field(init=False)

    def __post_init__(self) -> None:
        self.table = self.model

    @property
    def late(self) -> bool:
        """Whether its time has passed."""
        return self.clock.passed

    def spurious(self, climb: Climb | Part) -> tuple[Spike, ...]:
        """The components of few rows that are narrow for the table, whatever the model's own scale.

        Those that the fit would warn of, so that a race is not won by what some few rows always
        make; of a finer scale also what is a spike by the table's, for there every spike would be a
        sound component.
        """
        summary, params = climb.summary, climb.params
        found = {spike.component: spike for spike in self.table.doubtful(summary, params)}
        if self.model is not self.table:
            spikes = self.table.unpenalised().guard(summary, params)
            found |= {spike.component: spike for spike in spikes}
        return tuple(found.values())

    def climb(
        self, start: MixtureParams, history: Sequence[float] = (), *, pause: bool = False
    ) -> Outcome:
        """Climb from one start, penalised only if maximum likelihood runs into a singularity.

        That may `pause` where only the penalty holds a component up: `resumed` goes on from there.
        """
        start, before = self.model.begun_at(start), self.passes
        try:
            outcome = self._climbed(self.model.unpenalised(), start, history)
        except FAILURES as error:
            return self.upheld(start, error, self.passes - before, pause)
        return self._told(outcome)

    def upheld(self, start: MixtureParams, error: Exception, passes: int, pause: bool) -> Outcome:
        """`climb`, once that at maximum likelihood has failed after so many passes."""
        if not self.model.penalised:
            raise error
        start = self.model.begun_at(start)
        if isinstance(error, Vanishing):
            # From the end of the penalised climb the same way would be as slow.
            return self._told(replace(self._climbed(self.model, start, ()), remark=str(error)))
        # As many steps as led there show whether the penalty leads elsewhere.
        begun = self._begun(start, passes + SHORT) if pause else None
        if begun is not None:
            return begun if begun.paused else self.resumed(begun)
        return self._told(self._penalised(start))

    def bare(self, start: MixtureParams, on_way: OnWay) -> Outcome:
        """The climb at maximum likelihood alone: raises what it runs into."""
        model = self.model.unpenalised()
        return self._told(self._climbed(model, self.model.begun_at(start), (), on_way=on_way))

    def resumed(self, begun: Outcome) -> Outcome:
        """A climb with the penalty that was begun, from there to its end."""
        outcome = self._penalised(begun.climb.params, begun.climb.iterations)
        return self._told(replace(outcome, climb=begun.climb.followed(outcome.climb)))

    def _told(self, outcome: Outcome) -> Outcome:
        if self.listener is not None:
            summary = outcome.climb.summary
            self.listener.ended(outcome.climb, summary.loglik / summary.weight)
        return outcome

    def _begun(self, start: MixtureParams, steps: int) -> Outcome | None:
        """The first steps of a climb with the penalty; None where those are all or fail."""
        if steps >= self.max_iter:
            return None
        model, sweep = self.model, self.open_sweep(self.model, self.rows)
        step = None if self.listener is None else self.listener.stepped
        problem = Problem(model, sweep, start, self.tol, steps, on_step=step, clock=self.clock)
        try:
            climb = self.solver(problem)
        except FAILURES:
            return None
        finally:
            self.passes += sweep.passes
        found = tuple(model.guard(climb.summary, climb.params))
        certificate = Certificate("not converged", detail=UPHELD)
        worth = self._worth(model, climb) + model.belief(climb.params)
        return Outcome(climb, found, True, worth, certificate, paused=bool(found))

    def _penalised(self, start: MixtureParams, taken: int = 0) -> Outcome:
        """A climb with the penalty; without it from there on, where that ends in a regular top."""
        outcome = self._climbed(self.model, start, (), taken)
        if outcome.floored or not outcome.climb.converged:
            return outcome
        try:
            freed = self._climbed(self.model.unpenalised(), outcome.climb.params, ())
        except (Collapse, IllDefined) as error:
            return self._held_up(outcome, error)
        except FAILURES:
            return outcome
        return freed if freed.climb.converged else outcome

    def _held_up(self, outcome: Outcome, error: Collapse | IllDefined) -> Outcome:
        """An end from where a component collapses as soon as there is no penalty."""
        climb, model, k = outcome.climb, self.model, error.component
        found = {each.component: each for each in model.standings(climb.summary, climb.params)}
        # Where a noise runs to zero nothing is without bound, and the end is that of the penalty.
        top = outcome.certificate.verdict == "penalised maximum" and not isinstance(error, Heywood)
        if k not in found or not (top or found[k].held_up):
            return outcome
        floored = (Spike(k, found[k].rows, found[k].spread or 0.0),)
        certificate = replace(outcome.certificate, verdict="boundary", detail=UPHELD)
        # What is mostly the width of its own rows keeps its gain.
        worth = self._worth(model, climb, [k]) if found[k].held_up else outcome.worth
        return replace(outcome, floored=floored, certificate=certificate, worth=worth)

    def _climbed(
        self,
        model: Model,
        start: MixtureParams,
        history: Sequence[float],
        taken: int = 0,
        on_way: OnWay | None = None,
    ) -> Outcome:
        """One climb, of which so many steps are `taken`, and what its end looks like."""
        step = None if self.listener is None else self.listener.stepped
        sweep = self.open_sweep(model, self.rows)
        left = self.max_iter - taken
        problem = Problem(
            model, sweep, start, self.tol, left, history, step, None, self.clock, taken, on_way
        )
        # There is a penalised climb to fall back on.
        strict = self.model.penalised and not model.penalised
        try:
            climb = self.solver(problem)
            if not isinstance(climb, Climb):
                raise TypeError(
                    f"solver {solver_name(self.solver)!r} returned {type(climb).__name__}: it "
                    "returns a Climb, as `Logbook.finish` makes one"
                )
            model.refuse_inadmissible(climb.params)
            examiner = Examiner(problem, self.solver, strict, self.rest)
            climb, certificate = examiner.examined(climb, lambda climb: self._edge(model, climb))
            remark = sweep.remark(climb.params, climb.summary)
        finally:
            self.passes += sweep.passes
        found = model.guard(climb.summary, climb.params) if self.model.penalised else []
        if strict and found:
            # On the way only a bound was looked at, and this end is a spike.
            if on_way is not None:
                on_way(climb)
            raise Collapse(found[0].component, found[0].count, found[0].spread)
        if strict and certificate.verdict == "not converged" and certificate.curvature is not None:
            # Towards a noise of zero the slope fades so slowly that a climb may not get there.
            for part in model.vanishing(climb.summary, climb.params, slowly=True).items():
                raise Vanishing(*part)
        columns = model.vanishing(climb.summary, climb.params)
        floored = tuple(replace(spike, columns=columns.get(spike.component, ())) for spike in found)
        if model.penalised and certificate.verdict == "interior maximum":
            certificate = replace(certificate, verdict="penalised maximum")
        worth = self._worth(model, climb) + model.belief(climb.params)
        spurious, vacant = self.spurious(climb), bool(model.empty(climb.summary, climb.params))
        return Outcome(
            climb, floored, model.penalised, worth, certificate, remark, spurious, vacant=vacant
        )

    def finished(self, outcome: Outcome) -> Outcome:
        """The end of a search, by Newton's method on to where no more than `rest` is left.

        Only at a maximum, which is in sight, and not over long tables, where a step is dear.
        """
        climb, certificate = outcome.climb, outcome.certificate
        weight, left = climb.summary.weight, self.max_iter - climb.iterations
        much = bound_on_gap(climb, certificate) * weight > self.rest
        ready = certificate.verdict == "interior maximum" and self.rows.n <= LONG and not self.late
        if not (much and ready) or left <= 0:
            return outcome
        model = self.model.unpenalised()
        sweep = self.open_sweep(model, self.rows)
        start = Problem(model, sweep, climb.params, self.rest / weight, min(left, FEW))
        try:
            after = newton(start.replaced(summary=climb.summary, clock=self.clock))
        except FAILURES:
            return outcome
        finally:
            self.passes += sweep.passes
        # What is left is below the climb's own tolerance, whether or not it is below this one.
        after = replace(after, converged=climb.converged, reason=still_to_come(after.gap, self.tol))
        return replace(outcome, climb=climb.followed(after)) if after.iterations else outcome

    def _edge(self, model: Model, climb: Climb) -> str:
        """Why the end of a climb lies at the edge of the parameters; empty where it does not."""
        if model.penalised and model.guard(climb.summary, climb.params):
            return UPHELD
        if model.at_edge(climb.summary, climb.params):
            for spike in model.guard(climb.summary, climb.params):
                return (
                    f"component {spike.component} holds {spike.count:.3g} rows, and its smallest "
                    f"variance is only {spike.spread:.2g} of the table's"
                )
            return "a component holds less than a row"
        endless = [each.said() for each in model.endless(climb.summary, climb.params)]
        return "; ".join(filter(None, [model.edge(climb.params), *endless]))

    def _worth(self, model: Model, climb: Climb, also: Sequence[int] = ()) -> float:
        # By the model it climbed: no penalty is taken away that an end never had.
        sober = model.sobered(climb.summary, climb.params, also)
        if sober is climb.params:
            return climb.summary.loglik
        self.passes += 1
        return self.open_sweep(model, self.rows)(sober).loglik

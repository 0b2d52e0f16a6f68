"""Many starts, a principled choice among them, and a report of what each one met.

Climbs are at maximum likelihood. One that runs into a singularity is climbed again with the
penalty that keeps every component at finite width, and is preferred to a regular end only where it
is far ahead without the gain of its spikes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.errors import FAILURES, Collapse, FitError, IllDefined, Vanishing
from mixtura.fitting.budget import allowed_work, pass_work
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.race import RACE, OpenSweep, Race, Runner
from mixtura.fitting.starts import StartMaker
from mixtura.models.base import Model
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Spike
from mixtura.result import FEWEST, Certificate, StartReport, chance_of_higher, landscape_of
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import NEVER, Clock
from mixtura.solvers.em import em
from mixtura.solvers.examine import Examiner
from mixtura.solvers.problem import Problem, Solver
from mixtura.solvers.registry import solver_name

# Asking for fewer EM steps than this is asking for the steps themselves: the first start is taken.
RACE_STEPS = 10
# Nats per row by which a start that was left for its narrow components must be ahead to be climbed.
THIN_GAIN = 0.01
# What is said of such an end.
UPHELD = "a component is held up by the penalty against collapse"
# At most this many starts of a race are climbed to the top, if the first ones end on a spike; and
# then so many of those that were on none when they were left. So many are even where the search may
# cost no more.
FINALISTS, SOUND, SURE = 3, 2, 2
# Searches in ever finer scales, groups within groups within groups.
SCALES = 3
# `n_init="auto"` ends where one more start ends higher with this chance, or after so many.
HARDLY, ENDLESS = 0.01, 100


@dataclass
class Search:
    """What all starts share, and the tally of what they did.

    It ends by the `clock` with what it has then; `place` says where it is, `cut` what it left out.
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
    narrow: list[Climb] = field(default_factory=list)

    def from_starts(self, maker: StartMaker, init: str, n_init: int | str) -> Outcome:
        """The best of the initialisations; raises the last error if every one failed."""
        best: Outcome | None = None
        failure: Exception | None = None
        # From given means there is one start only.
        n_init = 1 if isinstance(n_init, str) and "means" in maker.given else n_init
        for index in count():
            if not self.goes_on(index, n_init, best):
                break
            if self.listener is not None:
                self.listener.started(index)
            try:
                outcome = self._at_scales(maker, init)
            except FAILURES as error:
                failure = error
                continue
            if best is None or better(outcome, best):
                best = outcome
        if best is None:
            raise failure or FitError("no start was tried")
        return best

    @property
    def late(self) -> bool:
        """Whether its time has passed."""
        return self.clock.passed

    def goes_on(self, index: int, n_init: int | str, best: Outcome | None) -> bool:
        """Whether initialisation `index`, from 0 on, is begun: one of `n_init`, in time.

        With "auto" of so many that one more hardly ends higher, at most ENDLESS.
        """
        if isinstance(n_init, str):
            most, asked = index if self.enough(index, best) else ENDLESS, ""
        else:
            most, asked = n_init, f" of {n_init}"
        if index >= most:
            return False
        if best is not None and self.late:
            self.cut = f"max_seconds ended the search after {index}{asked} initialisations"
            return False
        self.place = f"initialisation {index + 1}{asked}"
        return True

    def enough(self, tried: int, best: Outcome | None) -> bool:
        """Whether one more initialisation hardly ends higher."""
        if best is None:
            return tried >= FEWEST
        chance = chance_of_higher(landscape_of(self.reports, best.climb.gap))
        return chance is not None and chance <= HARDLY

    def _at_scales(self, maker: StartMaker, init: str) -> Outcome:
        """An initialisation; and another in the scale of its components."""

        def first() -> Outcome:
            return self._initialisation(maker, init)

        def again(end: MixtureParams) -> Outcome:
            finer = replace(maker, model=maker.model.as_fine_as(self.model))
            return self._in_scale(finer, init, end)

        return self.at_scales(first, again) if init == "auto" else first()

    def at_scales(self, first: Callable[[], Outcome], again: Callable[[Any], Outcome]) -> Outcome:
        """The first end; or one reached `again` from there in the scale of its components, where
        these are far narrower than the table, so that a penalty of the table's width hid what is
        inside them."""
        best, coarse = first(), self.model
        try:
            for _ in range(SCALES):
                finer, end = self._finer(best.climb)
                if finer is None or self.late:
                    break
                self.model = finer
                outcome = again(end.params)
                if not better(outcome, best):
                    break
                best = outcome
        except FAILURES as error:
            logged = StartReport("finer scale", 0, None, "failed", str(error))
            self.reports.append(logged)
        finally:
            self.model = coarse
        return best

    def _finer(self, best: Climb) -> tuple[Model | None, Climb]:
        """(the model in the scale of an end's components, that end): of the best, else of one that
        was left because all its components are narrow."""
        for end in (best, *self.narrow):
            found = self.model.finer(end.summary, end.params)
            if found is not None:
                return found, end
        return None, best

    def _in_scale(self, maker: StartMaker, init: str, coarse: MixtureParams) -> Outcome:
        """An initialisation, or the climb from a coarse end: where float64 holds no start of that
        scale, about its own means alone it knows sums to all digits."""
        try:
            best = self._initialisation(maker, init)
        except FAILURES:
            return self.climb(coarse)
        try:
            other = self.climb(coarse)
        except FAILURES:
            return best
        return other if better(other, best) else best

    def _initialisation(self, maker: StartMaker, init: str) -> Outcome:
        """Climb from the best start; from the next ones only while the climbs end on a spike."""
        best: Outcome | None = None
        failure: Exception = FitError("no start was tried")
        runners = self._runners(maker, init)
        # Beside noise starts are without it, and their ends tell nothing of its climbs.
        alike = type(maker.model) is type(self.model)
        ends = [one.climb for one in runners if alike and one.climb is not None]
        self.narrow = [end for end in ends if self._all_narrow(end)]
        whole = pass_work(maker.model, maker.base, self.rows.positive)
        most = self.passes + allowed_work(maker.model, maker.base, self.rows) / whole
        for place in range(FINALISTS + SOUND):
            if best is not None and (self.late or (place >= SURE and self.passes > most)):
                break
            runner = self._next(runners, place) if best is None or best.floored else None
            if runner is None:
                break
            try:
                outcome = self.climb(runner.params)
            except FAILURES as error:
                failure = error
                self._report(replace(runner, error=str(error)), "failed")
                continue
            spent = runner.spent + outcome.climb.iterations
            ended = replace(runner, climb=outcome.climb, spent=spent)
            self._report(ended, "collapsed" if outcome.floored else "kept")
            if best is None or better(outcome, best):
                best = outcome
        thin = self._thin(runners, best) if alike else None
        for runner in runners:
            self._report(runner, "kept" if thin is not None and runner is thin[0] else "dropped")
        if thin is not None:
            return thin[1]
        if best is None:
            raise failure
        return best

    def _all_narrow(self, climb: Climb) -> bool:
        found = self.model.guard(climb.summary, climb.params)
        return len(found) == len(climb.params.weights)

    def _next(self, runners: list[Runner], place: int) -> Runner | None:
        """The start whose turn it is, taken out: the first ones, then those without a spike."""
        for i, runner in enumerate(runners):
            climb = runner.climb
            if place < FINALISTS or (climb and not self.model.guard(climb.summary, climb.params)):
                return runners.pop(i)
        return None

    def _thin(self, runners: list[Runner], best: Outcome | None) -> tuple[Runner, Outcome] | None:
        """The start that was left for its narrow components, and its end if that is regular.

        A component far thinner than the table may be a spike, or a thin group. Only the climb at
        maximum likelihood tells.
        """
        if best is None or not self.model.penalised or self.late:
            return None
        least = best.climb.summary.loglik / best.climb.summary.weight + THIN_GAIN
        higher = [each for each in runners if _height(each) > least]
        if not higher:
            return None
        runner = max(higher, key=_height)
        try:
            outcome = self._climbed(self.model.unpenalised(), runner.params, ())
        except FAILURES:
            return None
        higher_up = outcome.climb.summary.loglik > best.climb.summary.loglik
        sound = not outcome.floored and outcome.worth >= best.worth
        return (runner, outcome) if higher_up and sound else None

    def from_given(self, start: MixtureParams) -> Outcome:
        """Climb from a mixture the caller gave; if that only leads to a singularity, keep it."""
        try:
            return self.at_scales(lambda: self.climb(start), self.climb)
        except FAILURES as error:
            start = self.model.begun_at(start)
            kept = em(Problem(self.model, self.open_sweep(self.model, self.rows), start, 0, 0))
            reason = f"stopped: EM from the given parameters fails, so they are returned. {error}"
            self.reports.append(StartReport("given", 0, None, "failed", str(error)))
            certificate = Certificate("not converged", detail=reason)
            return Outcome(
                replace(kept, reason=reason), (), False, kept.summary.loglik, certificate
            )

    def climb(self, start: MixtureParams, history: Sequence[float] = ()) -> Outcome:
        """Climb from one start, penalised only if maximum likelihood runs into a singularity."""
        start = self.model.begun_at(start)
        try:
            outcome = self._climbed(self.model.unpenalised(), start, history)
        except FAILURES as error:
            if not self.model.penalised:
                raise
            if isinstance(error, Vanishing):
                # From the end of the penalised climb the same way would be as slow.
                outcome = replace(self._climbed(self.model, start, ()), remark=str(error))
            else:
                outcome = self._penalised(start)
        if self.listener is not None:
            summary = outcome.climb.summary
            self.listener.ended(outcome.climb, summary.loglik / summary.weight)
        return outcome

    def _penalised(self, start: MixtureParams) -> Outcome:
        """A climb with the penalty; without it from there on, where that ends in a regular top."""
        outcome = self._climbed(self.model, start, ())
        if outcome.floored or not outcome.climb.converged:
            return outcome
        try:
            freed = self._climbed(self.model.unpenalised(), outcome.climb.params, ())
        except (Collapse, IllDefined) as error:
            return self._held_up(outcome, error.component)
        except FAILURES:
            return outcome
        return freed if freed.climb.converged else outcome

    def _held_up(self, outcome: Outcome, k: int) -> Outcome:
        """An end from where component k collapses as soon as there is no penalty."""
        climb, model = outcome.climb, self.model
        found = {each.component: each for each in model.standings(climb.summary, climb.params)}
        if k not in found or not found[k].held_up:
            return outcome
        floored = (Spike(k, found[k].rows, found[k].spread or 0.0),)
        certificate = replace(outcome.certificate, verdict="boundary", detail=UPHELD)
        worth = self._worth(model, climb, [k])
        return replace(outcome, floored=floored, certificate=certificate, worth=worth)

    def _climbed(self, model: Model, start: MixtureParams, history: Sequence[float]) -> Outcome:
        """One climb and what its end looks like."""
        step = None if self.listener is None else self.listener.stepped
        sweep = self.open_sweep(model, self.rows)
        problem = Problem(
            model, sweep, start, self.tol, self.max_iter, history, step, clock=self.clock
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
            examiner = Examiner(problem, self.solver, strict)
            climb, certificate = examiner.examined(climb, lambda climb: self._edge(model, climb))
            remark = sweep.remark(climb.params, climb.summary)
        finally:
            self.passes += sweep.passes
        found = model.guard(climb.summary, climb.params) if self.model.penalised else []
        if strict and found:
            # On the way only a bound was looked at, and this end is a spike.
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
        return Outcome(climb, floored, model.penalised, worth, certificate, remark)

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

    def _runners(self, maker: StartMaker, init: str) -> list[Runner]:
        """Starting mixtures in order of promise."""
        raced = init == "auto" and len(maker.base.weights) > 1
        if raced and "means" not in maker.given and self.max_iter >= RACE_STEPS:
            allowed = allowed_work(maker.model, maker.base, self.rows)
            race = Race(maker, self.open_sweep, self.tol, self.rng, allowed, self.clock)
            try:
                return race.run()
            finally:
                for runner in race.failed:
                    self._report(runner, "failed")
                self.sample_passes += math.ceil(race.passes - 1e-6)
                self.moves += race.moves
        name, frame = RACE[0] if init == "auto" else (init, 0)
        try:
            return [Runner(name, maker.make(name, frame, self.rng))]
        except FAILURES as error:
            self._report(Runner(name, maker.base, error=str(error)), "failed")
            raise

    def _report(self, runner: Runner, outcome: str) -> None:
        climb = runner.climb
        mean = None if climb is None else climb.summary.loglik / climb.summary.weight
        self.reports.append(StartReport(runner.name, runner.spent, mean, outcome, runner.error))


def _height(runner: Runner) -> float:
    """The log-likelihood per row where it stands; minus infinity where it has not begun."""
    climb = runner.climb
    return -np.inf if climb is None else climb.summary.loglik / climb.summary.weight

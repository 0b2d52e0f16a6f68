"""Many starts, a principled choice among them, and a report of what each one met."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from mixtura.errors import FAILURES, FitError
from mixtura.fitting.budget import allowed_work, pass_work
from mixtura.fitting.climbs import Climbs
from mixtura.fitting.entrants import MANY, RACE
from mixtura.fitting.mending import Failed, mended_end
from mixtura.fitting.outcome import Outcome, among, beaten, better
from mixtura.fitting.plainer import unless_surely_above
from mixtura.fitting.race import Race, Runner
from mixtura.fitting.reported import reported
from mixtura.fitting.starts import StartMaker
from mixtura.models.base import Model
from mixtura.models.mixture_params import MixtureParams
from mixtura.result import FEWEST, Certificate, StartReport, chance_of_higher, landscape_of
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# Asking for fewer EM steps than this is asking for the steps themselves: the first start is taken.
RACE_STEPS = 10
# Nats per row by which a start that was left for its narrow components must be ahead to be climbed.
THIN_GAIN = 0.01
# At most this many starts of a race are climbed to the top, if the first ones end on a spike; and
# then so many of those that were on none when they were left. So many are even where the search may
# cost no more.
FINALISTS, SOUND, SURE = 3, 2, 2
# Searches in ever finer scales, groups within groups within groups.
SCALES = 3
# `n_init="auto"` ends where one more start ends higher with this chance, or after so many.
HARDLY, ENDLESS = 0.01, 100


@dataclass
class Search(Climbs):
    """Starts, and what they share.

    narrow  the ends of a race that were left because all their components are narrow
    plainly whether, where rows are few, the plain hill is climbed too: see `plainer`
    sure    whether the best of one initialisation must then surely be above it
    """

    narrow: list[Climb] = field(default_factory=list)
    plainly: bool = False
    sure: bool = True

    def from_starts(self, maker: StartMaker, init: str, n_init: int | str) -> Outcome:
        """The best of the initialisations; raises the last error if every one failed."""
        best: Outcome | None = None
        failure: Exception | None = None
        bests: dict[bool, Outcome] = {}
        plainly = self.plainly and init == "auto" and self.max_iter >= RACE_STEPS
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
            if plainly and best is None:
                # At once, so that more initialisations end no lower than the first alone.
                plain = unless_surely_above(self, maker, outcome)
                if n_init == 1 and self.sure:
                    return plain
                if better(plain, outcome):
                    among(bests, plain)
            best = among(bests, outcome)
        if best is None:
            raise failure or FitError("no start was tried")
        return best

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
        if best is not None and self.listener is not None:
            end = best.climb.summary
            self.listener.stands(end.loglik / end.weight, self._chance(best))
        return True

    def enough(self, tried: int, best: Outcome | None) -> bool:
        """Whether one more initialisation hardly ends higher."""
        if best is None:
            return tried >= FEWEST
        chance = self._chance(best)
        return chance is not None and chance <= HARDLY

    def _chance(self, best: Outcome) -> float | None:
        """That one more initialisation ends higher."""
        return chance_of_higher(landscape_of(self.reports, best.climb.gap))

    def _at_scales(self, maker: StartMaker, init: str) -> Outcome:
        """An initialisation; and another in the scale of its components."""
        if init != "auto":
            return self._climbs(maker, self._runners(maker, init))
        return self.at_scales(
            lambda: self._first(maker),
            lambda end: self._in_scale(_as_fine(maker, self.model), end),
        )

    def at_scales(self, first: Callable[[], Outcome], again: Callable[[Any], Outcome]) -> Outcome:
        """The first end; or one reached `again` from there in the scale of its components, where
        these are far narrower than the table, so that a penalty of the table's width hid what is
        inside them."""
        coarse = self.model
        try:
            best = first()
            with suppress(*FAILURES):
                for _ in range(SCALES):
                    finer, end = self._finer(best.climb)
                    if finer is None or self.late:
                        break
                    self.model = finer
                    outcome = again(end.params)
                    if not better(outcome, best):
                        break
                    best = outcome
        finally:
            self.model = coarse
        return best

    def _first(self, maker: StartMaker) -> Outcome:
        """An initialisation, in the scale of the winner of the race where that asks for one and
        leads to a regular end: moves and a climb in the table's would be for nothing."""
        if not self._raced(maker):
            return self._climbs(maker, self._runners(maker, "auto"))
        race, coarse, moved = self._race(maker), self.model, False
        with self._tallied(race):
            runners = race.started()
            finer = self._asked(runners[0])
            if finer is None:
                runners, moved = race.moved(runners), True
                finer = self._asked(runners[0])
        if finer is not None:
            self.model, fine = finer, _as_fine(maker, finer)
            with suppress(*FAILURES):
                found = self._climbs(fine, self._run(replace(self._race(fine), splits=race.splits)))
                if _regular(found):
                    for runner in runners:
                        self.report(runner, "dropped")
                    return found
            self.model = coarse
        if not moved:
            with self._tallied(race):
                runners = race.moved(runners)
        return self._climbs(maker, runners)

    def _asked(self, winner: Runner) -> Model | None:
        """The model in the scale of a race's winner, where that is far finer than the table's."""
        climb = winner.climb
        if climb is None or self.late:
            return None
        return self.model.finer(climb.summary, climb.params)

    def _finer(self, best: Climb) -> tuple[Model | None, Climb]:
        """(the model in the scale of an end's components, that end): of the best, else of one that
        was left because all its components are narrow."""
        for end in (best, *self.narrow):
            found = self.model.finer(end.summary, end.params)
            if found is not None:
                return found, end
        return None, best

    def _in_scale(self, maker: StartMaker, coarse: MixtureParams) -> Outcome:
        """An initialisation, or the climb from a coarse end: where float64 holds no start of that
        scale, about its own means alone it knows sums to all digits."""
        try:
            best = self._climbs(maker, self._runners(maker, "auto"))
        except FAILURES:
            return self.climb(coarse)
        try:
            other = self.climb(coarse)
        except FAILURES:
            return best
        return other if better(other, best) else best

    def _climbs(self, maker: StartMaker, runners: list[Runner]) -> Outcome:
        """Climb from the best start; from the next ones only while the climbs end on a spike."""
        best: Outcome | None = None
        failure: Exception = FitError("no start was tried")

        def ended(runner: Runner, climb: Callable[[], Outcome]) -> Outcome | None:
            """Where it led; None, which is reported, where it failed."""
            nonlocal failure
            try:
                return climb()
            except FAILURES as error:
                failure = error
                self.report(replace(runner, error=str(error)), "failed")
                return None

        # Beside noise starts are without it, and their ends tell nothing of its climbs.
        alike = type(maker.model) is type(self.model)
        ends = [one.climb for one in runners if alike and one.climb is not None]
        many = alike and self._mendable(maker)
        self.narrow = [end for end in ends if self._all_narrow(end)]
        whole = pass_work(maker.model, maker.base, self.rows.positive)
        most = self.passes + allowed_work(maker.model, maker.base, self.rows) / whole
        waiting: list[tuple[Runner, Outcome]] = []
        for place in range(FINALISTS + SOUND):
            long = self.late or (place >= SURE and self.passes > most)
            if long and (waiting or best is not None):
                break
            runner = None
            if best is None or best.floored or best.vacant:
                runner = self._next(runners, place)
            elif best.spurious and place < SURE and not many:
                runner = self._next(runners, FINALISTS)
            if runner is None:
                break
            first = partial(self._first_of_many, maker) if many and place == 0 else self.climb
            outcome = ended(runner, partial(first, runner.params, pause=bool(runners)))
            if outcome is not None and outcome.paused:
                waiting.append((runner, outcome))
            elif outcome is not None:
                best = self._kept(runner, outcome, best)
        for runner, begun in waiting:
            left = beaten(begun, best, many)
            outcome = begun if left else ended(runner, partial(self.resumed, begun))
            if outcome is not None:
                best = self._kept(runner, outcome, best)
        thin = self._thin(runners, best) if alike else None
        for runner in runners:
            if thin is not None and runner is thin[0]:
                self.report(replace(runner, climb=thin[1].climb), "kept")
            else:
                self.report(runner, "dropped")
        if thin is not None:
            return thin[1]
        if best is None:
            raise failure
        return best

    def _first_of_many(self, maker: StartMaker, start: MixtureParams, pause: bool) -> Outcome:
        """The first of the climbs of many components."""
        end = mended_end(self, partial(self._race, maker), self._tallied, start)
        if isinstance(end, Failed):
            return self.upheld(start, end.error, end.passes, pause)
        return self.climb(start, pause=pause) if end is None else end

    def _mendable(self, maker: StartMaker) -> bool:
        """Whether spikes are moved elsewhere: of many components, where looks at them are cheap."""
        many = len(maker.base.weights) >= MANY and self.model.penalised
        if not many or self.max_iter < RACE_STEPS:
            return False
        race = self._race(maker)
        return race.movable and race.quick

    def _kept(self, runner: Runner, outcome: Outcome, best: Outcome | None) -> Outcome | None:
        """The best with one more, whose start is reported; one that waits is none."""
        spent = runner.spent + outcome.climb.iterations
        ended = replace(runner, climb=outcome.climb, spent=spent)
        self.report(ended, "collapsed" if outcome.floored else "kept")
        ahead = best is None or better(outcome, best)
        return outcome if ahead and not outcome.paused else best

    def _all_narrow(self, climb: Climb) -> bool:
        found = self.model.guard(climb.summary, climb.params)
        return len(found) == len(climb.params.weights)

    def _spiked(self, climb: Climb) -> bool:
        """Whether it is no sound end: on a spike, or with components that have lost their rows."""
        model, at = self.model, (climb.summary, climb.params)
        return bool(model.guard(*at) or model.empty(*at) or self.spurious(climb))

    def _next(self, runners: list[Runner], place: int) -> Runner | None:
        """The start whose turn it is, taken out: the first ones, then those without a spike."""
        for i, runner in enumerate(runners):
            if place < FINALISTS or (runner.climb and not self._spiked(runner.climb)):
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
        sound = not outcome.floored and better(outcome, best)
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

    def _raced(self, maker: StartMaker) -> bool:
        """Whether starts race: where means are given there is one only."""
        asked = len(maker.base.weights) > 1 and self.max_iter >= RACE_STEPS
        return asked and "means" not in maker.given

    def _race(self, maker: StartMaker) -> Race:
        allowed = allowed_work(maker.model, maker.base, self.rows)
        return Race(maker, self.open_sweep, self.tol, self.rng, allowed, self.clock, self.spurious)

    def _run(self, race: Race) -> list[Runner]:
        with self._tallied(race):
            return race.run()

    @contextmanager
    def _tallied(self, race: Race) -> Iterator[None]:
        """What a race does meanwhile is counted."""
        failed, passes, moves = len(race.failed), race.passes, race.moves
        try:
            yield
        finally:
            for runner in race.failed[failed:]:
                self.report(runner, "failed")
            self.sample_passes += math.ceil(race.passes - passes - 1e-6)
            self.moves += race.moves - moves

    def _runners(self, maker: StartMaker, init: str) -> list[Runner]:
        """Starting mixtures in order of promise."""
        if init == "auto" and self._raced(maker):
            return self._run(self._race(maker))
        name, frame = RACE[0] if init == "auto" else (init, 0)
        try:
            return [Runner(name, maker.make(name, frame, self.rng))]
        except FAILURES as error:
            self.report(Runner(name, maker.base, error=str(error)), "failed")
            raise

    def report(self, runner: Runner, outcome: str) -> None:
        """Note where a start led."""
        name, steps, error = runner.name, runner.spent, runner.error
        told = reported(name, steps, runner.climb, outcome, self.model, error, self.spurious)
        self.reports.append(told)


def _as_fine(maker: StartMaker, model: Model) -> StartMaker:
    """The same, whose components are kept as wide as this model keeps them."""
    return replace(maker, model=maker.model.as_fine_as(model))


def _regular(end: Outcome) -> bool:
    """Whether no component is narrow, held up or without rows."""
    at_edge = end.floored or end.certificate.verdict == "boundary"
    return not at_edge and end.worth >= end.climb.objective


def _height(runner: Runner) -> float:
    """The log-likelihood per row where it stands; minus infinity where it has not begun."""
    climb = runner.climb
    return -np.inf if climb is None else climb.summary.loglik / climb.summary.weight

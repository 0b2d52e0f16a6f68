"""Short runs from many starts on a sample of the rows; the worse half leaves at each round.

The short-run idea of Biernacki, Celeux & Govaert (2003), Computational Statistics & Data Analysis
41, with successive halving of the field. Runs are EM with the penalty against collapse, and are
ranked without the gain of narrow components, so that a spike of the likelihood neither ends a run
nor wins the race.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs, Sweep
from mixtura.engines.choose import fill
from mixtura.engines.refits import Refits, Refitted, Removals, Removed, Swap
from mixtura.errors import FAILURES
from mixtura.fitting.budget import CALL, CLIMB, LEAST, LOOK, pass_work
from mixtura.fitting.entrants import Entrants
from mixtura.fitting.hope import NOTABLE
from mixtura.fitting.moves import GAIN, improve
from mixtura.fitting.partial import Part
from mixtura.fitting.role_moves import exchanged, freely
from mixtura.fitting.starts import StartMaker
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise, one_hot
from mixtura.records import AnyArray, Array, Spike, Summary
from mixtura.solvers.climb import Climb, objective_at
from mixtura.solvers.clock import NEVER, Clock
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem, SweepLike

# EM steps of each round.
ROUNDS = (8, 16, 32)
# A start that would lose is kept where at its pace it is ahead of the first one within so many
# steps: a slow basin may be the higher one.
HORIZON = 50
# Where every component of so many starts is narrow the race ends: there is no width to lend, so
# what tells starts apart are made-up ones.
HOPELESS = 3
# Where so many ordinary climbs take no longer than a search always may, it goes into detail.
CLIMBS = 10

OpenSweep = Callable[[Any, Source], Sweep]


@dataclass(frozen=True)
class Runner:
    """One start: how it was made, where it is, the EM steps it has had, why it fell out.

    worth is its log-likelihood per row without the gain of narrow components.
    """

    name: str
    params: MixtureParams
    spent: int = 0
    climb: Climb | None = None
    worth: float = -np.inf
    error: str = ""


@dataclass
class Race:
    """One race, and the moves of its winner.

    allowed  multiplications that both may take; `work` counts them, and `passes` those over the
             sample, of which one over a part with few components is that share
    clock    when it ends with what it has
    spurious the components of few rows that are narrow for the table
    moves    those that improved the winner
    splits   the cluster of each row (n,) in the starts that gave each row to one, by their place;
             those of another race in a finer scale need not be made again
    """

    maker: StartMaker
    open_sweep: OpenSweep
    tol: float
    rng: np.random.RandomState
    allowed: float
    clock: Clock = NEVER
    spurious: Callable[[Climb | Part], Sequence[Spike]] = lambda _: ()
    work: float = 0.0
    passes: float = 0.0
    moves: int = 0
    failed: list[Runner] = field(default_factory=list)
    splits: dict[int, AnyArray] = field(default_factory=dict)

    def run(self) -> list[Runner]:
        """Every start that is still standing, the best first and moved; raises if none is."""
        return self.moved(self.started())

    def started(self) -> list[Runner]:
        """The same before any move."""
        runners: list[Runner] = []
        rounds = self._rounds()
        for place, (name, frame) in enumerate(self.entrants.starts):
            if runners and self.clock.passed:
                break
            runner = Runner(name, self.maker.base)
            try:
                runners.append(self._after(runner, self._first(place, name, frame, rounds[0])))
            except FAILURES as error:
                self.failed.append(replace(runner, error=str(error)))
                failure = error
            if len(runners) == HOPELESS and all(map(self._all_narrow, runners)):
                return sorted(runners, key=_rank)
        if not runners:
            raise failure
        left: list[Runner] = []
        keep = len(runners)
        for steps in rounds[1:]:
            if self.clock.passed:
                break
            keep = (keep + 1) // 2
            kept, dropped = _cut(sorted(runners, key=_rank), keep, early=steps == rounds[1])
            left = [*dropped, *left]
            runners = [self._further_or_as_is(runner, steps) for runner in kept]
        return [*sorted(runners, key=_rank), *left]

    def moved(self, runners: list[Runner]) -> list[Runner]:
        """These, the best first, after moves of its components."""
        winner, *rest = runners
        if self._all_narrow(winner):
            return runners
        if self.movable:
            winner = self._moved(winner, rest)
        elif self.maker.roles and not self.maker.given and not self.entrants.known:
            assert winner.climb is not None
            climb, self.moves = exchanged(self.maker, winner.climb, self, self.maker.roles)
            winner = self._led(winner, climb)
        return [winner, *rest]

    @property
    def left(self) -> float:
        """Multiplications that the search may still take; none when its time is over."""
        return 0.0 if self.clock.passed else self.allowed - self.work

    @property
    def movable(self) -> bool:
        """Whether components may be moved: what is known of them must be the same of all."""
        anchors = self.maker.anchors
        if self.maker.given or self.entrants.known:
            return False
        return anchors is None or anchors.alike

    def spikes(self, climb: Climb | Part) -> set[int]:
        """The components that are narrow, or that the fit would warn of as spurious."""
        narrow = self.maker.model.guard(climb.summary, climb.params)
        return {spike.component for spike in (*narrow, *self.spurious(climb))}

    @cached_property
    def small(self) -> bool:
        """Whether a fifth of a second is many ordinary climbs."""
        return max(self.allowed, CLIMBS * CLIMB * self._whole) <= LEAST

    @cached_property
    def entrants(self) -> Entrants:
        """The starts."""
        return Entrants(self.maker, self.allowed)

    @cached_property
    def _whole(self) -> float:
        return pass_work(self.maker.model, self.maker.base, self.maker.rows.n)

    @cached_property
    def quick(self) -> bool:
        """Whether the engine has a kernel for partial EM."""
        return self.open_sweep(self.maker.model, self.maker.rows).refits_inside

    def begun(self, rows: Rows, resp: Array, params: MixtureParams, steps: int) -> Climb:
        """At most `steps` EM steps on these rows from given responsibilities (n, K).

        `params` lends its units and shapes.
        """
        sweep = self.open_sweep(self.maker.model, rows)
        try:
            start, summary = sweep.begun(self.maker.model, resp, params)
            return self._run(sweep, start, summary, steps)
        finally:
            self._count(sweep, params)

    def answered(self, X: Array, params: Any) -> tuple[Array, Array]:
        """(log pi_k + log p(x_i | k), responsibilities) of rows, each (n, K)."""
        model = self.maker.model
        if not self.quick:
            joint = model.log_joint(X, params)
            return joint, normalise(joint)[1]
        joint, resp = np.empty((2, len(X), len(params.weights)))
        out = RowOutputs(responsibilities=resp, component_log_density=joint)
        fill("compiled", model, X, params, out)
        joint += params.log_weights
        return joint, resp

    def fitted(self, rows: Rows, resp: Array, params: MixtureParams, steps: int) -> Part:
        """Just so many EM steps on these rows from given responsibilities."""
        sweep = self.open_sweep(self.maker.model, rows)
        try:
            return Part(*sweep.begun(self.maker.model, resp, params, steps))
        finally:
            self._count(sweep, params)

    def refitted(self, refits: Refits) -> Refitted | None:
        """Partial EM of many sets of components in one call, where the engine has a kernel."""
        sweep, units = self.open_sweep(self.maker.model, self.maker.rows), self.maker.fewer(2)
        found = sweep.refitted(self.maker.model, units, refits)
        if found is not None:
            tries, sizes = refits.asked.shape[1], (refits.sets >= 0).sum(axis=1)
            onward = refits.steps - refits.first + 1
            each = 2.0 * (1 + sizes) + 2.0 * (tries * (refits.first + 1) + onward)
            self._called(float(found.held @ each) / refits.shares.size)
        return found

    def removed(self, removals: Removals) -> Removed | None:
        """The same of removals, each with its heirs fitted anew."""
        sweep = self.open_sweep(self.maker.model, self.maker.rows)
        units = self.maker.fewer(removals.sets.shape[1] - 1)
        found = sweep.removed(self.maker.model, units, removals)
        if found is not None:
            # All rows of the sets, whose shares in the set tell how many there are.
            heirs = removals.sets[:, 1:]
            mass = np.append(removals.shares.sum(axis=1), 0.0)[removals.sets].sum(axis=1)
            each = (removals.steps + 1) * (heirs >= 0).sum(axis=1)
            self._called(float(mass @ each) / removals.shares.size)
        return found

    def _called(self, passes: float) -> None:
        """Count one call that takes so many passes over the sample."""
        self.passes += passes
        self.work += CALL + passes * self._whole

    def tried(
        self, params: Any, trials: Sequence[Sequence[Swap]], steps: int
    ) -> list[Climb | None] | None:
        """Just so many EM steps from each of some mixtures, `params` after swaps, at once; None of
        one that fails, and where the engine has no kernel."""
        model = self.maker.model
        sweep = self.open_sweep(model, self.maker.rows)
        found = sweep.tried(model, params, trials, steps)
        if found is None:
            return None
        self.passes += sweep.passes
        self.work += max(CALL, sweep.passes * self._whole / len(trials))
        return [None if each is None else self._climb(*each) for each in found]

    def _climb(self, params: Any, summary: Summary, logliks: Sequence[float]) -> Climb:
        objective = objective_at(self.maker.model, summary, params)
        steps = "stopped: a trial's steps were taken"
        return Climb(params, summary, tuple(logliks), (), objective, False, steps, np.inf, np.inf)

    def sound(self, params: Any, summary: Summary) -> AnyArray:
        """Which components (K,) are not narrow."""
        self.work += LOOK
        found = np.ones(len(params.weights), dtype=bool)
        found[list(self.spikes(Part(params, summary)))] = False
        return found

    def further(self, params: MixtureParams, summary: Summary | None, steps: int) -> Climb:
        """The same on the sample from a mixture, whose summary may be known."""
        sweep = self.open_sweep(self.maker.model, self.maker.rows)
        try:
            return self._run(sweep, params, summary, steps)
        finally:
            self._count(sweep, params)

    def _count(self, sweep: Sweep, params: MixtureParams) -> None:
        K = len(self.maker.base.weights)
        share = sweep.rows.n * len(params.weights) / (self.maker.rows.n * K)
        self.passes += sweep.passes * share
        calls = 1 if sweep.steps_inside else sweep.passes
        self.work += max(CALL * calls, sweep.passes * share * self._whole)

    def _run(self, sweep: SweepLike, params: Any, summary: Summary | None, steps: int) -> Climb:
        problem = Problem(self.maker.model, sweep, params, self.tol, steps, summary=summary)
        return em(problem, brief=True)

    def _rounds(self) -> list[int]:
        """EM steps of each round: at most half of what is allowed, and at least one."""
        field = len(self.entrants.starts)
        all_steps = sum(steps * max(field >> i, 1) for i, steps in enumerate(ROUNDS))
        share = 0.5 * self.allowed / (all_steps * self._whole)
        return [max(1, int(steps * min(share, 1.0))) for steps in ROUNDS]

    def _first(self, place: int, name: str, frame: int, steps: int) -> Climb:
        """The first round of one start."""
        if self.maker.given:
            return self.further(self.maker.make(name, frame, self.rng), None, steps)
        resp = self._split(place, name, frame)
        if self.maker.roles and frame % 2 and not self.entrants.known:
            resp = self.maker.in_roles(freely(self.maker, self.open_sweep, resp, steps))
        return self.begun(self.maker.rows, resp, self.maker.base, steps)

    def _split(self, place: int, name: str, frame: int) -> Array:
        """The responsibilities of one start."""
        if place in self.splits:
            return one_hot(self.splits[place], len(self.maker.base.weights))
        resp = self.maker.split(name, frame, self.rng)
        self.work += self.entrants.work(name)
        labels = resp.argmax(axis=1)
        if (resp[np.arange(len(resp)), labels] == 1.0).all():
            self.splits[place] = labels
        return resp

    def _after(self, runner: Runner, climb: Climb) -> Runner:
        spent = runner.spent + climb.iterations
        worth = self.worth(self.maker.rows, climb)
        return replace(runner, params=climb.params, spent=spent, climb=climb, worth=worth)

    def worth(self, rows: Rows, climb: Climb | Part, narrow: Sequence[int] | None = None) -> float:
        """Log-likelihood per row of these rows, narrow components, where somebody knows them, made
        as wide as the others."""
        self.work += LOOK  # it is looked at in the interpreter
        model, at = self.maker.model, (climb.summary, climb.params)
        if narrow is None:
            sober = model.sobered(*at, [spike.component for spike in self.spurious(climb)])
        else:
            sober = model.widened(*at, narrow)
        if sober is climb.params:
            return climb.summary.loglik / climb.summary.weight
        sweep = self.open_sweep(model, rows)
        try:
            return sweep(sober).loglik / climb.summary.weight
        finally:
            self._count(sweep, climb.params)

    def _all_narrow(self, runner: Runner) -> bool:
        climb = runner.climb
        assert climb is not None
        if runner.worth == climb.summary.loglik / climb.summary.weight:
            return False
        narrow = self.maker.model.guard(climb.summary, climb.params)
        return len(narrow) == len(climb.params.weights)

    def _further_or_as_is(self, runner: Runner, steps: int) -> Runner:
        # Without a penalty a late step may collapse; the full climb will say whether it must.
        try:
            assert runner.climb is not None
            if runner.climb.at_rounding:
                return runner  # as a start whose rows are parted for good after a step or two
            return self._after(runner, self.further(runner.params, runner.climb.summary, steps))
        except FAILURES:
            return runner

    def _moved(self, winner: Runner, others: list[Runner]) -> Runner:
        assert winner.climb is not None
        alike = [other.worth > winner.worth - GAIN for other in others]
        share = float(np.mean(alike)) if others and not self.entrants.wide else 0.0
        climb, self.moves = improve(
            self.maker, winner.climb, self, self.rng, share, self._alone(winner, others)
        )
        return self._led(winner, climb)

    def _alone(self, winner: Runner, others: list[Runner]) -> bool:
        """Whether no other start came near, and no other scale will be searched.

        Where rows are fewer than parameters moves lead nowhere.
        """
        climb = winner.climb
        assert climb is not None
        near = any(other.worth > winner.worth - NOTABLE for other in others)
        if near or self.entrants.wide:
            return False
        return self.maker.model.finer(climb.summary, climb.params) is None

    def _led(self, winner: Runner, climb: Climb) -> Runner:
        """The winner where a move has led it."""
        worth = self.worth(self.maker.rows, climb)
        return replace(winner, params=climb.params, climb=climb, worth=worth)


def _cut(runners: list[Runner], keep: int, early: bool) -> tuple[list[Runner], list[Runner]]:
    """(the first ones, if it is `early` with one that is on its way past them; the others)."""
    kept, dropped = runners[:keep], runners[keep:]
    slow = max(range(len(dropped)), key=lambda i: _promise(dropped[i]), default=None)
    if early and slow is not None and _promise(dropped[slow]) > _promise(kept[0]) + GAIN:
        kept.append(dropped.pop(slow))
    return kept, dropped


def _promise(runner: Runner) -> float:
    """What a start may be worth after HORIZON steps more."""
    climb = runner.climb
    if climb is None or climb.converged or len(climb.logliks) < 2:
        return runner.worth
    pace = (climb.logliks[-1] - climb.logliks[-2]) / climb.summary.weight
    return runner.worth + min(climb.gap, HORIZON * pace)


def _rank(runner: Runner) -> float:
    """The best first; among equals to a millionth of a nat per row the order stays."""
    return -round(runner.worth, 6)

"""The climb after the climb: look at the point reached, leave a saddle, go on if much is left."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.errors import FAILURES
from mixtura.result import Certificate
from mixtura.solvers.certificate import bound_on_gap, certify, way_up
from mixtura.solvers.climb import Climb, directional, objective_at
from mixtura.solvers.convergence import ROUNDING
from mixtura.solvers.curvature import EXACT, Curvature
from mixtura.solvers.edges import uphill
from mixtura.solvers.logbook import still_to_come
from mixtura.solvers.problem import Problem, Solver
from mixtura.supports import EDGE, NEAR

# Saddles left and refinements made at most.
ROUNDS = 6
# By how much the tolerance is tightened to come down from a shoulder.
ONWARD = 0.01
# Where no curvature bounds what is left its estimate is asked to be so much smaller.
SURE = 0.1
# So many times the rounding of a log-likelihood is as near as a bound can be trusted to come.
ROUGH = 1e3
# What is said of an end from which nothing led on.
RISES = (
    "stopped: numbers on the edge from which the objective still rises, and max_iter or a "
    "singularity ended the way up"
)


@dataclass(frozen=True)
class Examiner:
    """Examines the ends of a problem's climbs by one solver, which goes on where it must.

    With `strict` a saddle from which every way up leads to a singularity raises what was met there,
    one of `errors.FAILURES`; else it is the climb's end. Where more than `rest` nats may be left in
    all, whatever `tol` allows of a row, it takes the step to the summit that the curvature points
    to, at which the examination has looked anyway; also instead of another climb, where it knows
    the whole curvature of many numbers.
    """

    problem: Problem
    solver: Solver
    strict: bool = False
    rest: float = math.inf

    def examined(
        self, climb: Climb, edge: Callable[[Climb], str] = lambda _: ""
    ) -> tuple[Climb, Certificate]:
        """(the climb, continued past saddles and to the tolerance; its certificate)."""
        rng = np.random.RandomState(0)
        model, sweep, asked = self.problem.model, self.problem.sweep, self.problem.tol
        passes, left, tol = 0, 0, asked
        before = sweep.passes
        climb = self._at_edge(climb, tol)
        passes += sweep.passes - before
        for later in reversed(range(ROUNDS)):
            before = sweep.passes
            inner = self._inside(climb)
            further = self._from(climb, inner, tol) if later and inner is not None else None
            if further is not None:
                climb = self._at_edge(further, tol)
                passes += sweep.passes - before
                continue
            if inner is not None:
                climb = replace(climb, converged=False, reason=RISES)
            certificate, seen = certify(model, sweep, climb, edge(climb), rng)
            if seen is None or self.problem.late:
                # Not converged, or not to be examined: there is nothing to go on from, or no time.
                passes += sweep.passes - before
                break
            start = None
            if later and certificate.verdict in ("saddle", "ridge"):
                start = self._way_up(climb, seen, rng)
            passes += sweep.passes - before
            if start is not None:
                further = self._from(climb, start, tol)
                left += further is not None
            climb = self._on_top(climb, certificate, seen)
            finer = _finer(climb, certificate, asked)
            if later and further is None and finer < 1.0:
                tol *= finer
                further = self._from(climb, climb.params, tol)
            if further is None:
                break
            climb = further
        if certificate.curvature is not None:
            climb = self._judged(climb, certificate)
        return climb, replace(certificate, passes=passes, saddles_left=left)

    def _at_edge(self, climb: Climb, tol: float) -> Climb:
        """The climb, continued on the edge of the parameters where that is no lower.

        Towards an edge a climb takes ever shorter steps and ends on the way, where the curvature in
        logarithms is that of a maximum, a ridge or a saddle as it happens. What is left of numbers
        that end there hangs on the steps taken, and decides what rows are whose that none of the
        components allows: so they are alike even where nothing is gained.
        """
        model, ready = self.problem.model, climb.converged and climb.stationary
        for near in (NEAR, EDGE):
            params = model.edged(climb.params, near) if ready else None
            if params is None or self.problem.late:
                break
            summary = self.problem.sweep(params)
            value = objective_at(model, summary, params)
            if value >= climb.objective - ROUNDING * (summary.weight + abs(value)):
                logliks = (*climb.logliks[:-1], summary.loglik)
                there = replace(climb, params=params, summary=summary, logliks=logliks)
                return self._from(climb, params, tol) or replace(there, objective=value)
        return climb

    def _inside(self, climb: Climb) -> Any | None:
        """Where the climb goes on from an edge at which it still rises; None where it does not."""
        if self.problem.late or not (climb.converged and climb.stationary):
            return None
        weight = climb.summary.weight
        rounding = ROUGH * ROUNDING * (weight + abs(climb.objective))
        least = max(self.problem.tol * weight, rounding)
        return uphill(self.problem.model, self.problem.sweep, climb, least)

    def _way_up(self, climb: Climb, seen: Curvature, rng: np.random.RandomState) -> Any | None:
        try:
            return way_up(self.problem.model, self.problem.sweep, climb, seen, rng)
        except FAILURES:
            if self.strict:
                raise
            return None

    def _on_top(self, climb: Climb, certificate: Certificate, seen: Curvature) -> Climb:
        """The climb with Newton's step behind it, where much is left and that step rises."""
        model, there, weight = self.problem.model, seen.summit, climb.summary.weight
        bound = bound_on_gap(climb, certificate)
        # With all directions of many at hand that step is another climb's.
        whole = seen.exact and len(seen.directions) > EXACT
        much = bound * weight > self.rest or (whole and bound > self.problem.tol)
        if not much or there is None or there.value <= climb.objective:
            return climb
        gap = max(seen.newton(there.gradient)[1], ROUNDING * (1.0 + abs(there.value) / weight))
        top = replace(
            climb,
            params=there.params,
            summary=there.summary,
            logliks=(climb.summary.loglik, there.summary.loglik),
            objective=there.value,
            gradient_norm=math.sqrt(directional(model, there.summary, there.params)),
            gap=gap,
            reason=still_to_come(gap, self.problem.tol),
            ran="newton",
        )
        return climb.followed(top)

    def _judged(self, climb: Climb, certificate: Certificate) -> Climb:
        """The climb with what may be left; not converged where that is too much."""
        bound = bound_on_gap(climb, certificate)
        mean = abs(climb.objective) / climb.summary.weight
        if certificate.verdict == "saddle":
            reason = "stopped: at a saddle, and max_iter or a singularity ended every way up"
        elif certificate.verdict == "not converged":
            reason = f"stopped: on {certificate.detail}"
        elif bound <= max(self.problem.tol, ROUGH * ROUNDING * (1.0 + mean)):
            return replace(climb, gap=bound)
        else:
            reason = f"stopped: up to {bound:.2g} per row may be left, and max_iter ended the climb"
        reason = self.problem.clock.why if self.problem.late else reason
        return replace(climb, gap=bound, converged=False, reason=reason)

    def _from(self, climb: Climb, start: object, tol: float) -> Climb | None:
        """The climb continued from `start`; None if that ends no higher."""
        # A solver that begins in its own way leaves the rest to another.
        onward: Solver = getattr(self.solver, "onward", self.solver)
        left = self.problem.onward(climb, params=start, tol=tol, summary=None)
        if left.max_iter <= 0:
            return None
        try:
            after = onward(left)
        except FAILURES:
            return None
        if after.objective <= climb.objective or not after.converged:
            return None
        return climb.followed(after, jump=start is not climb.params)


def _finer(climb: Climb, certificate: Certificate, asked: float) -> float:
    """What to multiply the tolerance by so that no more than `asked` is left; 1 where it is met."""
    if certificate.verdict == "not converged":
        return ONWARD
    bound = bound_on_gap(climb, certificate)
    if bound == climb.gap and certificate.verdict in ("boundary", "ridge"):
        return SURE if bound > SURE * asked else 1.0
    return asked / bound if asked < bound < math.inf else 1.0

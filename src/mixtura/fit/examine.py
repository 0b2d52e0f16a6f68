"""The climb after the climb: look at the point reached, leave a saddle, go on if much is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.errors import FAILURES
from mixtura.fit.certificate import bound_on_gap, certify, way_up
from mixtura.fit.climb import Climb, OnStep, Solver, SweepLike
from mixtura.fit.result import Certificate
from mixtura.models.base import Model

# Saddles left and refinements made at most.
ROUNDS = 6
# Refined is where the bound on the gap exceeds the tolerance by more than this factor.
EXCESS = 2.0


@dataclass(frozen=True)
class Examiner:
    """Examines the ends of climbs of one model over one sweep."""

    model: Model
    sweep: SweepLike
    solver: Solver
    tol: float
    max_iter: int
    on_step: OnStep | None = None

    def examined(self, climb: Climb, edge: str = "") -> tuple[Climb, Certificate]:
        """(the climb, continued past saddles and to the tolerance; its certificate)."""
        rng = np.random.RandomState(0)
        passes = left = 0
        tol = self.tol
        for _ in range(ROUNDS):
            before = self.sweep.passes
            certificate, seen = certify(self.model, self.sweep, climb, edge, rng)
            further = None
            if seen is None:
                # Not converged, or not to be examined: there is nothing to go on from.
                passes += self.sweep.passes - before
                break
            if certificate.verdict in ("saddle", "ridge"):
                start = way_up(self.model, self.sweep, climb, seen, rng)
                passes += self.sweep.passes - before
                further = None if start is None else self._from(climb, start, tol)
                left += further is not None
            else:
                passes += self.sweep.passes - before
                bound = bound_on_gap(climb, certificate)
                if bound > EXCESS * self.tol and climb.iterations < self.max_iter:
                    tol *= self.tol / bound
                    further = self._from(climb, climb.params, tol)
            if further is None:
                break
            climb = further
        if certificate.curvature is not None:
            climb = replace(climb, gap=bound_on_gap(climb, certificate))
        return climb, replace(certificate, passes=passes, saddles_left=left)

    def _from(self, climb: Climb, start: object, tol: float) -> Climb | None:
        """The climb continued from `start`; None if that ends no higher."""
        steps = self.max_iter - climb.iterations
        if steps <= 0:
            return None
        try:
            after = self.solver(
                self.model, self.sweep, start, tol=tol, max_iter=steps, on_step=self.on_step
            )
        except FAILURES:
            return None
        if after.objective <= climb.objective or not after.converged:
            return None
        return replace(after, logliks=(*climb.logliks, *after.logliks), earlier=climb.earlier)

"""One more component: what the log-likelihood gains by it, by a search that is always the same.

The larger mixture contains the smaller one (one component of it twice), so it cannot be worse.
Where its own start ends below the smaller one, or at a component that only the penalty holds up, it
is started from the splits of the smaller one's components; where they fail too, it is taken to be
the smaller one: a gain of 0, never a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.threads import single_blas, single_openmp
from mixtura.errors import FAILURES, FitError
from mixtura.families.base import Family
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.outcome import Outcome
from mixtura.fitting.prepared import Ground
from mixtura.fitting.search import Search
from mixtura.inference.nesting import responsibilities, split
from mixtura.records import Array
from mixtura.solvers.climb import Climb
from mixtura.solvers.registry import resolve_solver

# Up to so many numbers EM takes its steps inside C, where many of them cost less than one step of
# another solver.
SMALL = 32_768


@dataclass(frozen=True)
class Effort:
    """How hard one looks for the two maxima: alike on the table and on every resample."""

    family: Family
    init_params: str
    n_init: int
    tol: float
    max_iter: int

    def pair(self, X: Array, w: Array | None, n_components: int, seed: int) -> Pair:
        """The maxima met with n_components and with one more; raises FitError for the former."""
        rng = np.random.RandomState(seed)
        with single_blas, single_openmp():
            one = _Search(self, Rows(X, w), n_components, rng)
            smaller = one.own()
            if smaller is None:
                raise FitError(
                    f"n_components={n_components}: no maximum without a collapsed component was "
                    "met. Use fewer components or another covariance_type or family"
                )
            larger = _Search(self, Rows(X, w), n_components + 1, rng).above(one.ground, smaller)
        gained = smaller if larger is None else larger
        return Pair(one.ground, smaller, (smaller.summary.loglik, gained.summary.loglik))


@dataclass(frozen=True)
class Pair:
    """The ground and the maximum of the smaller mixture, and both log-likelihoods."""

    ground: Ground
    smaller: Climb
    logliks: tuple[float, float]


@dataclass(frozen=True)
class _Search:
    effort: Effort
    rows: Rows
    n_components: int
    rng: np.random.RandomState

    @cached_property
    def ground(self) -> Ground:
        return prepare(self.rows, self.effort.family, self.n_components, self.rng)

    @cached_property
    def search(self) -> Search:
        model, effort = self.ground.model, self.effort
        solver = resolve_solver("em" if self.rows.X.size <= SMALL else "auto", model)[1]
        open_sweep = self.ground.open_sweep
        return Search(model, self.rows, open_sweep, effort.tol, effort.max_iter, self.rng, solver)

    def own(self) -> Climb | None:
        """From the starts asked for; None where every one of them failed."""
        effort = self.effort
        try:
            outcome = self.search.from_starts(self.ground.maker, effort.init_params, effort.n_init)
        except FAILURES:
            return None
        return _regular(outcome)

    def above(self, ground: Ground, smaller: Climb) -> Climb | None:
        """A maximum no lower than one with a component less; None where none is met."""
        own = self.own()
        if own is not None and own.summary.loglik >= smaller.summary.loglik:
            return own
        resp = responsibilities(ground.model, self.rows, smaller.params)
        frame = ground.model.family.frame(self.rows.X)
        best: Climb | None = None
        for component in range(self.n_components - 1):
            climb = self._from(split(resp, frame, self.rows, component))
            if climb is None or climb.summary.loglik < smaller.summary.loglik:
                continue
            if best is None or climb.summary.loglik > best.summary.loglik:
                best = climb
        return best

    def _from(self, resp: Array) -> Climb | None:
        w = self.rows.sample_weight
        try:
            start = self.ground.model.first_step(self.rows.X, w, resp, self.ground.maker.base)
            return _regular(self.search.climb(start))
        except FAILURES:
            return None


def _regular(outcome: Outcome) -> Climb | None:
    return None if outcome.floored else outcome.climb

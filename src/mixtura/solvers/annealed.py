"""Deterministic annealing EM: melt the mixture, let it freeze slowly, then climb as ever.

Ueda & Nakano (1998), Deterministic annealing EM algorithm, Neural Networks 11: responsibilities
proportional to (pi_k p(x | k))^beta. A low beta spreads every row over all components until they
are the same; as beta rises to 1 they part again, in an order that the data and not the start
decide. A merged state stays merged by symmetry, so each rise of beta comes with a tiny push.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mixtura.errors import FAILURES
from mixtura.models.base import Model
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chunk, Params, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem, Solver, SweepLike, counted
from mixtura.solvers.settings import check_integer, check_number, check_seed, refuse_obstacle

# Temperatures in a schedule, at most.
MOST_LEVELS = 10_000


@dataclass(frozen=True)
class Annealed:
    """EM to `tol`, and annealed EM with EM to `tol` after it; the better end. See `problem.Solver`.

    Parameters
    ----------
    first : float, default 0.1
        beta of the first temperature, above 0 and below 1.
    factor : float, default 1.2
        beta grows by this factor, above 1, from one temperature to the next while it is below 1.
    steps : int, default 20
        EM steps at each temperature: 13 times 20 with the defaults, before plain EM begins.
    push : float, default 0.01
        The size of the push at each rise of beta, from 0 to 1: a mean moves by about
        0.01 / sqrt(pi_k) of its component's standard deviations, at most 0.1.
    seed : int, default 0
        The seed of the pushes; equal seeds give equal climbs.

    Guarantees a stationary point of the likelihood, at `tol`, never below the one where EM ends
    from the same start. Not that it is the highest. While beta is below 1 the log-likelihood may
    fall, and nothing is checked.

    `max_iter` counts all steps; where EM leaves too few of them for the annealing, its end is
    returned as not converged. An end with a component that only the penalty holds up yields to one
    without. With `tol=0`, which asks for steps, only the annealing runs.

    Made for spherical covariances. Around the merged state, where every component is the whole
    table with covariance S, a tempered step multiplies differences of means by beta S Sigma^-1. A
    spherical Sigma is the mean variance, so the widest direction freezes first, well below
    beta = 1, and the others follow in order. Full and tied Sigma are S itself: nothing freezes
    before beta = 1, and then all directions alike, as from a random start. Measured from 50 starts
    at random rows on each of five tables (4 to 9 clusters, 2 to 4 columns), how many percent
    reached the best optimum known, by table:

                    EM                the annealing alone    both, the better end
        spherical   44 16 16 24 98    78 88 76 16 100        86 94 82 34 100
        diag        40 34 20 12 96    60 16  6 18 100        70 48 26 26 100
        full        42  8 16  2 62     2  2  6  0  88        44 10 20  2  96
        tied        42 22 30 24 84     0  8  0 24   0        42 28 30 44  84

    For the same passes EM climbs from four starts or more, which is the better use of them but
    for the second and third table with spherical covariances.

    Raises ValueError for a setting out of range, and for a model without free coordinates; one of
    `errors.FAILURES` where EM does.
    """

    name: ClassVar[str] = "annealed"
    # From a saddle, or to a finer tolerance, EM goes on: annealing again would begin anew.
    onward: ClassVar[Solver] = staticmethod(em)

    first: float = 0.1
    factor: float = 1.2
    steps: int = 20
    push: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_number("first", self.first, "above 0 and below 1", lambda v: 0 < v < 1)
        check_number("factor", self.factor, "above 1 and finite", lambda v: 1 < v < np.inf)
        check_integer("steps", self.steps, 1)
        check_number("push", self.push, "from 0 to 1", lambda v: 0 <= v <= 1)
        check_seed(self.seed)
        levels = -math.log(self.first) / math.log(self.factor)
        if levels > MOST_LEVELS:
            raise ValueError(
                f"first={self.first!r} and factor={self.factor!r} make {levels:.0f} temperatures, "
                f"more than {MOST_LEVELS:,}: use a larger factor"
            )

    @property
    def schedule(self) -> tuple[float, ...]:
        """The values of beta below 1, in order."""
        betas, beta = [], self.first
        while beta < 1:
            betas.append(beta)
            beta *= self.factor
        return tuple(betas)

    @property
    def length(self) -> int:
        """Steps until beta is 1."""
        return self.steps * len(self.schedule)

    def __call__(self, problem: Problem) -> Climb:
        """Climb both ways."""
        refuse_obstacle(self.name, problem.model)
        problem = problem.replaced(summary=problem.first())
        plain, taken = None, 0
        if problem.tol > 0:
            plain, max_iter = em(problem), problem.max_iter
            taken = plain.iterations
            if max_iter - taken <= self.length:
                reason = f"stopped: EM took {taken} of {max_iter=} steps, where the annealing "
                reason += f"after it takes {self.length} and more"
                return replace(plain, converged=False, reason=reason)
        try:
            frozen = self._frozen(problem, taken)
        except FAILURES:
            if plain is None:
                raise
            return plain
        frozen = replace(frozen, earlier=Logbook(problem, problem.first()).earlier)
        if plain is None or better(problem.model, frozen, plain, problem.tol):
            return frozen
        return plain

    def _frozen(self, problem: Problem, taken: int) -> Climb:
        """Melt, freeze slowly, and climb, in `max_iter` steps less those taken."""
        model, params, left = problem.model, problem.params, problem.max_iter - taken
        told = counted(problem.on_step, taken)
        rng = np.random.default_rng(self.seed)
        logliks: list[float] = []
        for beta in self.schedule:
            if len(logliks) == left:
                break
            if logliks:
                params = pushed(model, params, self.push, rng)
            for _ in range(min(self.steps, left - len(logliks))):
                part = tempered(model, problem.sweep, params, beta)
                if logliks and told is not None:
                    told(len(logliks), (part.loglik - logliks[-1]) / part.weight)
                logliks.append(part.loglik)
                params = model.m_step(part, params)
        left -= len(logliks)
        told = counted(told, len(logliks))
        climb = em(Problem(model, problem.sweep, params, problem.tol, left, on_step=told))
        limit = problem.limit
        reason = climb.reason if climb.converged else limit
        return replace(climb, logliks=(*logliks, *climb.logliks), reason=reason, ran=self.name)


def better(model: Model, frozen: Climb, plain: Climb, tol: float) -> bool:
    """Whether the annealing's end is worth leaving EM's for, beyond `tol` per row.

    Above all an end without a component that only the penalty holds up, where the other has one.
    """
    held = [bool(model.guard(end.summary, end.params)) for end in (frozen, plain)]
    if held[0] != held[1]:
        return held[1]
    return frozen.objective > plain.objective + tol * plain.summary.weight


def tempered(model: Model, sweep: SweepLike, params: Any, beta: float) -> Summary:
    """The summary with responsibilities proportional to (pi_k p(x | k))^beta.

    Its loglik is the ordinary log-likelihood.
    """

    def respond(joint: Array) -> tuple[Array, Array]:
        return normalise(joint)[0], normalise(beta * joint)[1]

    def step(chunk: Chunk) -> Summary:
        return model.e_step_with(chunk, params, respond)

    return sweep.folded(step)


def pushed(model: Model, params: Any, size: float, rng: np.random.Generator) -> Params:
    """`params` after a random step in the coordinates of their chart.

    A component with hardly a row has a radius below 1 there and is pushed less in proportion.
    """
    chart = model.chart(params)
    away: Params = chart.params(
        size * np.minimum(chart.radius, 1.0) * rng.standard_normal(chart.size)
    )
    return away

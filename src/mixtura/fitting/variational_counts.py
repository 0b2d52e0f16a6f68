"""How probable each number of components is, by the bounds of the posteriors met.

A bound is one of ln p(rows, about this way of sharing them out). Posteriors that differ in the
names of components alone are as many more such ways (`WeightPrior.log_copies`), so the bound and
the logarithm of their number, added, can be compared between numbers of components under one prior;
their exponentials, made to sum to one, are an approximation of P(number | rows).
Source: Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.errors import FAILURES
from mixtura.fitting.variational_moves import TRIAL, Moves, Standing, parted, without
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.models.weight_priors import held
from mixtura.records import Array
from mixtura.solvers.climb import Climb
from mixtura.solvers.clock import Clock
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# Numbers whose best bound met is this far below the highest, in nats, are followed no further:
# they are a thousand times less probable.
REACH = 7.0


@dataclass
class Counts:
    """Of each number of components that hold rows the best posterior met.

    best   {number: (bound with the logarithm of its copies, the posterior)}
    """

    model: VariationalMixture
    best: dict[int, tuple[float, VariationalParams]] = field(default_factory=dict)

    def number(self, params: VariationalParams) -> int:
        """How many of its components hold rows."""
        return len(held(self.model.weight_prior, params.concentration))

    def meet(self, climb: Climb) -> None:
        """Note where a climb ended."""
        params, law = climb.params, self.model.weight_prior
        which = held(law, params.concentration)
        value = climb.objective + law.log_copies(law.rows(params.concentration)[which])
        before = self.best.get(len(which))
        if np.isfinite(value) and (before is None or value > before[0]):
            self.best[len(which)] = value, params

    def near(self, number: int) -> bool:
        """Whether its best bound is within reach of the highest."""
        top = max(value for value, _ in self.best.values())
        return number in self.best and self.best[number][0] >= top - REACH

    def probabilities(self, most: int) -> Array:
        """Of 0 to `most` components, (most + 1,); 0 for numbers not met."""
        values = np.full(most + 1, -np.inf)
        for number, (value, _) in self.best.items():
            values[number] = value
        found = np.exp(values - values.max())
        return np.asarray(found / found.sum())


class CountedMoves(Moves):
    """Moves that note what they meet in `counts`, and look for other numbers of components."""

    def __init__(self, *given: Any, counts: Counts) -> None:
        super().__init__(*given)
        self.counts = counts

    def _climbed(self, params: VariationalParams, steps: int = TRIAL) -> Climb:
        climb = super()._climbed(params, steps)
        self.counts.meet(climb)
        return climb

    def look_around(self, params: VariationalParams, tol: float, steps: int, clock: Clock) -> None:
        """Meet one component fewer and one more than `params`, and so on while within reach.

        A climb that fails ends it: the fit is there already.
        """
        with suppress(*FAILURES):
            self._look(params, tol, steps, clock)

    def _look(self, params: VariationalParams, tol: float, steps: int, clock: Clock) -> None:
        counts = self.counts
        self._climbed(params, 0)
        here = counts.number(params)
        for step in (-1, 1):
            number = here
            while not clock.passed and counts.near(number) and 1 <= number + step <= self.most:
                # Moves have tried births whatever they promise, merges only where they may gain.
                tried = step > 0 and number + step in counts.best
                if not tried or counts.near(number + step):
                    self._force(counts.best[number][1], step)
                number += step
                if counts.near(number):
                    self._settle(counts.best[number][1], tol, steps, clock)

    def _settle(self, params: VariationalParams, tol: float, steps: int, clock: Clock) -> None:
        problem = Problem(self.model, self.sweep, params, tol, steps, clock=clock)
        self.counts.meet(em(problem, brief=True))

    def _force(self, params: VariationalParams, step: int) -> None:
        """Climb shortly from the merge, or birth, that promises most, whatever it promises."""
        here = self._standing(self._climbed(params, 0))
        resp = here.resp
        kept = held(self.model.weight_prior, params.concentration)
        empty = np.setdiff1d(np.arange(resp.shape[1]), kept)
        try:
            if len(empty):
                resp = without(resp, [(k, None) for k in empty.tolist()])
                here = self._standing(self._climbed(self._begun(resp), 0))
            ways = list(self._ways(here, step))
            if ways:
                self._climbed(self._begun(max(ways, key=lambda each: each[0])[1]))
        except FAILURES:
            return

    def _ways(self, here: Standing, step: int) -> Iterator[tuple[float, Array]]:
        """(what they promise, responsibilities) of one component fewer, or more."""
        if step < 0:
            for gain, k, heir in self._fewer(here):
                yield gain, without(here.resp, [(k, heir)])
            return
        for k in range(here.resp.shape[1]):
            for birth in self._parted(here, k, 1):
                yield birth.gain, parted(here.resp, [birth])

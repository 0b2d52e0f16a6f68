"""Generalised EM: where an M-step overshoots the step is halved, and every solver still climbs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.local import LocalSweep
from mixtura.errors import LikelihoodFell
from mixtura.families.base import Family
from mixtura.families.gaps import ColumnSums
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.priors import Flat
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.generalised import HALVINGS
from mixtura.solvers.problem import Problem, SweepLike
from mixtura.solvers.registry import SOLVERS


class Hasty(Poisson):
    """One Newton step in the logarithm of the rate: far too far from below."""

    generalised = True

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        return PoissonParams(params.rates * np.exp(stats.sums / stats.cells / params.rates - 1.0))


class Charless(Hasty):
    """Without a score there is no chart."""

    score = Family.score


class Wrong(Poisson):
    """Away from the maximum."""

    generalised = True

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        means = stats.sums / stats.cells
        return PoissonParams(params.rates * (params.rates / means) ** 3)


X = np.random.default_rng(3).poisson(np.repeat([2.0, 40.0], [120, 180]))[:, None].astype(float)


def problem(family: Poisson, rates: tuple[float, float] = (0.4, 40.0), **more: Any) -> Problem:
    model = Mixture(family, Flat())
    start = MixtureParams(np.array([0.5, 0.5]), PoissonParams(np.array(rates)[:, None]))
    settings = {"tol": 1e-12, "max_iter": 2000} | more
    return Problem(model, LocalSweep(model, Rows(X)), start, **settings)


def climbed(family: Poisson, solver: str = "em", **more: Any) -> tuple[Climb, SweepLike]:
    given = problem(family, **more)
    return SOLVERS[solver].solver(given), given.sweep


@pytest.mark.parametrize("solver", ["em", "squarem", "anderson", "auto"])
def test_a_step_that_overshoots_is_halved(solver: str) -> None:
    exact, _ = climbed(Poisson())
    found, sweep = climbed(Hasty(), solver)
    assert found.converged, found.reason
    assert np.diff(found.logliks).min() >= -1e-9
    assert found.objective == pytest.approx(exact.objective, abs=1e-6)
    if solver == "em":
        # The halvings are passes, and are counted.
        assert sweep.passes > found.iterations + 1


def test_where_there_is_no_chart_the_arrays_are_halved() -> None:
    exact, _ = climbed(Poisson())
    found, _ = climbed(Charless())
    assert found.objective == pytest.approx(exact.objective, abs=1e-5)
    assert np.diff(found.logliks).min() >= -1e-9


def test_a_model_that_does_not_say_so_is_told_that_it_fell() -> None:
    class Silent(Hasty):
        generalised = False

    with pytest.raises(LikelihoodFell):
        climbed(Silent())


def test_a_step_that_leads_down_however_short_is_an_error() -> None:
    given = problem(Wrong(), rates=(3.0, 44.0))
    given.sweep.stride = 1
    with pytest.raises(LikelihoodFell):
        em(given)
    assert given.sweep.passes == 1 + HALVINGS + 1


def test_an_exact_m_step_costs_no_pass_more() -> None:
    class Careful(Poisson):
        generalised = True

    plain, passes = climbed(Poisson(), tol=0.0, max_iter=20)
    found, others = climbed(Careful(), tol=0.0, max_iter=20)
    assert found.logliks == plain.logliks
    assert others.passes == passes.passes == 21


def test_steps_of_a_problem_that_goes_on_are_counted_on() -> None:
    told: list[int] = []
    given = problem(Poisson(), (20.0, 22.0), on_step=lambda steps, gain: told.append(steps))
    given.sweep.stride = 1
    first = em(given.replaced(max_iter=3, tol=0.0))
    second = em(given.onward(first))
    assert second.iterations > 0
    assert told == list(range(1, 4 + second.iterations))
    np.testing.assert_array_equal(given.params.weights, 0.5)

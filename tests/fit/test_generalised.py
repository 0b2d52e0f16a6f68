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
from mixtura.fit.climb import Climb
from mixtura.fit.em import em
from mixtura.fit.generalised import HALVINGS
from mixtura.fit.problem import Problem
from mixtura.fit.solvers import SOLVERS
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams


class Hasty(Poisson):
    """One Newton step in the logarithm of the rate: far too far from below."""

    generalised = True

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        return PoissonParams(params.rates * np.exp(stats.sums / stats.cells / params.rates - 1.0))


class Charless(Hasty):
    """Without a score there is no chart."""

    score = Family.score


class Negative(Poisson):
    """One Newton step in the rate itself: from more than twice the mean it is negative."""

    generalised = True

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        return PoissonParams(params.rates * (2.0 - params.rates * stats.cells / stats.sums))


class Wrong(Poisson):
    """Away from the maximum."""

    generalised = True

    def maximize(self, stats: ColumnSums, params: Any, prior: Any) -> PoissonParams:
        means = stats.sums / stats.cells
        return PoissonParams(params.rates * (params.rates / means) ** 3)


X = np.random.default_rng(3).poisson(np.repeat([4.0, 20.0], [120, 180]))[:, None].astype(float)


def climbed(
    family: Poisson, solver: str = "em", rates: tuple[float, float] = (0.7, 20.0), **more: Any
) -> tuple[Climb, LocalSweep]:
    model = Mixture(family, Flat())
    sweep = LocalSweep(model, Rows(X))
    start = MixtureParams(np.array([0.5, 0.5]), PoissonParams(np.array(rates)[:, None]))
    settings = {"tol": 1e-12, "max_iter": 2000} | more
    return SOLVERS[solver].solver(Problem(model, sweep, start, **settings)), sweep


@pytest.mark.parametrize("solver", ["em", "squarem", "anderson", "auto"])
@pytest.mark.parametrize("family", [Hasty(), Negative()], ids=["far", "outside"])
def test_a_step_that_overshoots_is_halved(family: Poisson, solver: str) -> None:
    rates = (0.7, 20.0) if isinstance(family, Hasty) else (13.0, 22.0)
    exact, _ = climbed(Poisson())
    found, sweep = climbed(family, solver, rates)
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


def test_halving_ends() -> None:
    found, sweep = climbed(Wrong(), rates=(5.0, 22.0), tol=0.0, max_iter=1)
    assert sweep.passes == 1 + HALVINGS + 1
    assert abs(found.logliks[1] - found.logliks[0]) < 1e-3


def test_an_exact_m_step_costs_no_pass_more() -> None:
    class Careful(Poisson):
        generalised = True

    plain, passes = climbed(Poisson(), tol=0.0, max_iter=20)
    found, others = climbed(Careful(), tol=0.0, max_iter=20)
    assert found.logliks == plain.logliks
    assert others.passes == passes.passes == 21


def test_steps_of_a_problem_that_goes_on_are_counted_on() -> None:
    told: list[int] = []
    model = Mixture(Poisson(), Flat())
    sweep = LocalSweep(model, Rows(X))
    sweep.stride = 1
    problem = Problem(
        model,
        sweep,
        MixtureParams(np.array([0.5, 0.5]), PoissonParams(np.array([[3.0], [9.0]]))),
        tol=1e-9,
        max_iter=50,
        on_step=lambda steps, gain: told.append(steps),
    )
    first = em(problem.replaced(max_iter=3, tol=0.0))
    second = em(problem.onward(first))
    assert second.iterations <= 47
    assert told == list(range(1, 4 + second.iterations))
    assert problem.params.weights[0] == 0.5

"""L-BFGS along the axes of the whole observed information: where plain L-BFGS creeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.local import LocalSweep
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.priors import Flat
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.solvers import auto, lbfgs
from mixtura.solvers.charted import Charted
from mixtura.solvers.climb import Climb
from mixtura.solvers.curvature import information
from mixtura.solvers.newton import newton
from mixtura.solvers.problem import Problem
from mixtura.solvers.turned import turned

# Counts of groups that overlap: EM needs tens of thousands of steps.
X = np.random.default_rng(4).poisson(np.repeat([3.0, 5.0, 8.0], 700))[:, None].astype(float)
RATES = np.array([[2.0], [5.5], [9.0]])


def problem(rates: np.ndarray = RATES, tol: float = 1e-10, max_iter: int = 500) -> Problem:
    model = Mixture(Poisson(), Flat())
    start = MixtureParams(np.full(len(rates), 1 / len(rates)), PoissonParams(rates))
    return Problem(model, LocalSweep(model, Rows(X)), start, tol, max_iter)


def test_it_ends_where_newton_ends_and_never_falls():
    climb = lbfgs.sphered(problem())
    assert climb.converged
    assert climb.ran == "sphered"
    assert np.diff(climb.logliks).min() >= -1e-9 * abs(climb.objective)
    top = newton(problem(tol=1e-14))
    assert climb.objective == pytest.approx(top.objective, abs=1e-6)
    # What it says may be left is no less than what is.
    assert top.objective - climb.objective <= len(X) * climb.gap + 1e-7


def test_along_its_axes_the_information_is_the_identity():
    climb = lbfgs.sphered(problem())
    here = Charted.around(
        problem().model, problem().sweep, climb.params, problem().sweep(climb.params)
    )
    here = turned(here, information(here), 0.0)
    step, numbers = 1e-4, 0.1 * np.random.default_rng(0).normal(size=here.chart.size)
    back = here.chart.coordinates(here.chart.params(numbers))
    np.testing.assert_allclose(back, numbers, rtol=1e-8)
    for number in np.eye(here.chart.size):
        up, down = (here.at(sign * step * number) for sign in (1, -1))
        assert up is not None
        assert down is not None
        change = (down.gradient - up.gradient) / (2 * step)
        np.testing.assert_allclose(change, number, atol=0.05)


def test_a_saddle_is_left_along_the_axis_on_which_the_hill_rises():
    rates = np.array([[4.9], [5.1], [9.0]])
    climb = lbfgs.sphered(problem(rates))
    assert climb.converged
    assert climb.objective == pytest.approx(lbfgs.sphered(problem()).objective, abs=1e-5)


@pytest.mark.parametrize("max_iter", [0, 1, 7])
def test_no_step_more_than_allowed(max_iter):
    climb = lbfgs.sphered(problem(max_iter=max_iter))
    assert climb.iterations == max_iter
    assert not climb.converged


def test_auto_goes_over_to_it_where_lbfgs_creeps_and_names_the_whole_limit(monkeypatch):
    calls: list[str] = []

    def noted(solver: Callable[[Problem], Climb]) -> Callable[[Problem], Climb]:
        return lambda given: calls.append(solver.__name__) or solver(given)

    monkeypatch.setattr(auto, "BEND", 5)
    monkeypatch.setattr(auto, "lbfgs", noted(lbfgs.lbfgs))
    monkeypatch.setattr(auto, "sphered", noted(lbfgs.sphered))
    asked = problem(tol=1e-14)
    climb = auto.auto(asked)
    assert calls == ["lbfgs", "sphered"]
    assert climb.converged
    cut = auto.auto(asked.replaced(max_iter=climb.iterations - 2))
    assert cut.reason == f"stopped: max_iter={climb.iterations - 2} steps were taken"

"""What every solver owes: the same hill, the same summit, one fixed point of EM."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from cases import CASES, Case

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.records import Array, Chunk
from mixtura.solvers.climb import Climb
from mixtura.solvers.online import Online
from mixtura.solvers.problem import Problem
from mixtura.solvers.registry import CLIMBERS, SOLVERS, resolve_solver

# Those that look for a maximum of the likelihood; what the others promise is tested by name.
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_climber = pytest.mark.parametrize("solver", CLIMBERS)
charted = pytest.mark.parametrize(
    "case", [case for case in CASES if case.free], ids=lambda case: case.name
)


def climbed(
    case: Case,
    solver: str,
    weights: Array | None = None,
    tol: float = 1e-14,
    max_iter: int = 1000,
) -> Climb:
    # The quickest engine: that all engines agree is tested elsewhere.
    sweep = open_sweep(resolve("auto", case.model), case.model, Rows(case.X, weights))
    _, climber = resolve_solver(solver, case.model)
    return climber(Problem(case.model, sweep, case.params, tol=tol, max_iter=max_iter))


def objective(case: Case, params: object) -> float:
    return case.model.e_step(Chunk(case.X), params).loglik + case.model.log_prior(params)


def at_a_singularity(case: Case, climb: Climb) -> bool:
    """Nothing but a prior would have kept a solver from a component on too few rows."""
    rows = climb.params.weights.min() * len(case.X)
    return bool(rows <= case.X.shape[1] + 1) and case.model.log_prior(climb.params) == 0


@pytest.fixture(scope="module")
def summits() -> dict[str, Climb]:
    """Where plain EM ends, its last digits by Newton's method, per case."""
    return {case.name: _summit(case) for case in CASES if case.free}


def _summit(case: Case) -> Climb:
    # Not to EM's own end: from within rounding of the summit Newton finds no step to it.
    polished = replace(case, params=climbed(case, "em", max_iter=2000).params)
    return climbed(polished, "newton")


@charted
@every_climber
def test_every_solver_ends_on_the_same_summit(
    case: Case, solver: str, summits: dict[str, Climb]
) -> None:
    # A short step is lost in rounding long before its last digits are found: so many steps.
    linear = SOLVERS[solver].linear
    tol, steps = (0.0, 8000) if linear else (1e-14, 1000)
    summit, climb = summits[case.name], climbed(case, solver, tol=tol, max_iter=steps)
    if at_a_singularity(case, climb):
        pytest.skip("ran into a singularity, as it may without a prior")
    assert linear or climb.converged, climb.reason
    gap = (climb.objective - summit.objective) / summit.summary.weight
    if abs(gap) > 1e-6:
        pytest.skip(f"another basin, {gap:+.2g} nats per row")
    assert abs(gap) < 1e-8
    for name, value in summit.params.arrays().items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(
            climb.params.arrays()[name], value, atol=1e-5 * scale, rtol=0, err_msg=name
        )


@charted
@every_climber
def test_ems_own_step_stays_where_a_solver_ended(case: Case, solver: str) -> None:
    climb = climbed(case, solver, max_iter=20_000 if SOLVERS[solver].linear else 1000)
    if at_a_singularity(case, climb):
        pytest.skip("ran into a singularity, as it may without a prior")
    after = case.model.m_step(climb.summary, climb.params)
    for name, value in climb.params.arrays().items():
        scale = np.abs(value).max()
        # A line search sees no further than the log-likelihood's rounding: about its root.
        np.testing.assert_allclose(after.arrays()[name], value, atol=4e-6 * scale, err_msg=name)
    assert climb.gradient_norm < 2e-6


@charted
@every_climber
def test_no_solver_ever_falls(case: Case, solver: str) -> None:
    climb = climbed(case, solver)
    if case.model.log_prior(climb.params) == 0:
        assert np.all(np.diff(climb.logliks) >= -1e-9)
    assert climb.logliks[-1] == climb.summary.loglik


@charted
@pytest.mark.parametrize("solver", [name for name in CLIMBERS if name != "em"])
def test_a_weight_is_copies_of_the_row_for_every_solver(case: Case, solver: str) -> None:
    weights = np.random.default_rng(5).integers(1, 4, size=len(case.X))
    copies = replace(case, X=np.repeat(case.X, weights, axis=0))
    # From near the top of a hill of the copies, so that no way forks.
    near = climbed(copies, "em", tol=1e-7, max_iter=20_000).params
    weighted = climbed(replace(case, params=near), solver, weights.astype(float), tol=1e-12)
    repeated = climbed(replace(copies, params=near), solver, tol=1e-12)
    assert weighted.summary.weight == weights.sum()
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-9)


@charted
def test_a_chart_has_as_many_numbers_as_the_model_has_parameters(case: Case) -> None:
    assert case.model.chart(case.params).size == case.model.n_parameters(case.params)


@charted
def test_a_chart_leads_there_and_back(case: Case) -> None:
    chart = case.model.chart(case.params)
    free = 0.3 * np.random.default_rng(2).standard_normal(chart.size)
    there = chart.params(free)
    np.testing.assert_allclose(chart.coordinates(there), free, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(chart.coordinates(case.params), 0.0, atol=1e-12)
    assert there.weights.sum() == pytest.approx(1.0, rel=1e-14)


@charted
@pytest.mark.parametrize("away", [0.0, 0.3])
def test_fishers_gradient_is_the_finite_difference(case: Case, away: float) -> None:
    """At the chart's centre and away from it, along every coordinate, to 1e-6."""
    chart = case.model.chart(case.params)
    free = away * np.random.default_rng(3).standard_normal(chart.size)
    params = chart.params(free)
    gradient = chart.gradient(case.model.e_step(Chunk(case.X), params), params)
    numeric = np.empty(chart.size)
    step = 1e-4
    for j, axis in enumerate(step * np.eye(chart.size)):
        # The five-point rule: its error is of order step^4, its rounding of order 1e-13 / step.
        values = [objective(case, chart.params(free + m * axis)) for m in (-2, -1, 1, 2)]
        numeric[j] = np.dot(values, [1, -8, 8, -1]) / (12 * step)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


@charted
def test_ems_step_is_the_gradient_in_a_charts_units_to_first_order(case: Case) -> None:
    """Near a stationary point: the complete-data information is the identity there."""
    climb = climbed(case, "em", tol=1e-7)
    chart = case.model.chart(climb.params)
    if case.model.log_prior(climb.params) != 0:
        pytest.skip("a prior's rows are not in the complete-data information")
    gradient = chart.gradient(climb.summary, climb.params) / climb.summary.weight
    step = chart.coordinates(case.model.m_step(climb.summary, climb.params))
    if case.tied:
        # A component's own scatter is not its covariance there: the same direction, other lengths.
        cosine = step @ gradient / np.linalg.norm(step) / np.linalg.norm(gradient)
        assert cosine > 0.9
        return
    np.testing.assert_allclose(step, gradient, atol=0.02 * np.abs(gradient).max() + 1e-9)


def test_every_solver_is_listed_as_a_climber_or_tested_by_name() -> None:
    others = {"hard", "stochastic", "annealed", "online", "nce", "truncated", "moments"}
    assert set(SOLVERS) == set(CLIMBERS) | others


def test_a_solver_that_cannot_run_says_so_in_one_sentence() -> None:
    from mixtura import GaussianMixture

    X = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(ValueError, match=r"solver='lbfgs' cannot climb here: with a reg_covar"):
        GaussianMixture(2, reg_covar=1e-3, solver="lbfgs").fit(X)
    X[:, 1] = 3.0
    with pytest.raises(ValueError, match=r"solver='newton' cannot climb here: a column has no"):
        GaussianMixture(2, solver="newton").fit(X)
    with pytest.raises(ValueError, match="solver"):
        GaussianMixture(2, solver="simplex").fit(X)
    assert GaussianMixture(2, reg_covar=1e-3).fit(X).fit_result_.solver == "auto (em)"


@pytest.mark.parametrize("solver", CLIMBERS)
@pytest.mark.parametrize("seed", [3, 8, 15, 31])
def test_no_solver_falls_on_a_handful_of_rows(solver: str, seed: int) -> None:
    # Components that empty: free coordinates only come near a weight of zero.
    X = np.random.RandomState(seed).randn(8, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        GaussianMixture(4, solver=solver, init_params="kmeans", random_state=seed).fit(X)


@pytest.mark.parametrize(
    ("solver", "said"),
    [
        (Online, r"got the class Online: give Online\(...\)"),
        (3, "must be a name or a callable, got 3"),
    ],
)
def test_what_is_no_solver_is_refused(solver: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resolve_solver(solver, CASES[0].model)  # type: ignore[arg-type]

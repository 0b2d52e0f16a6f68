"""Online EM as a solver: what it promises, and the averages it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from mixtura import GaussianMixture
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.errors import Collapse
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import table_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.solvers.climb import Climb, directional
from mixtura.solvers.em import em
from mixtura.solvers.online import Online, Pace, Running, batches, enough_rows
from mixtura.solvers.problem import Problem

every_type = pytest.mark.parametrize("name", ["diag", "full", "spherical", "tied"])


def table(n: int = 3000, seed: int = 0) -> Array:
    """Three clusters that overlap, in two columns."""
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [3.5, 0.5], [0.5, 4.0]])
    return centres[rng.choice(3, size=n, p=[0.5, 0.3, 0.2])] + rng.normal(size=(n, 2))


def beginning(X: Array, name: str = "full") -> tuple[Mixture, MixtureParams]:
    """A model of the table at maximum likelihood, and parameters that are not its optimum."""
    form = structure(name).form
    means = np.array([[-0.5, -0.5], [3.0, 0.0], [1.5, 3.0]])
    covariances = form.repeat(form.restrict(1.5 * np.eye(2)), 3)
    params = MixtureParams(np.full(3, 1 / 3), gaussian_params(means, covariances, form))
    prior = table_prior(form, table_moments(X, None)).without_penalty()
    return Mixture(Gaussian(structure(name)), prior), params


def climbed(solver: Any, X: Array, name: str = "full", start: Any = None, **settings: Any) -> Climb:
    model, params = beginning(X, name)
    sweep = open_sweep("compiled", model, Rows(X, settings.pop("weights", None)))
    settings = {"tol": 1e-6, "max_iter": 30, **settings}
    climb = solver(Problem(model, sweep, params if start is None else start, **settings))
    assert isinstance(climb, Climb)
    return climb


def mean(climb: Climb) -> float:
    return climb.summary.loglik / climb.summary.weight


@every_type
def test_one_epoch_comes_near_and_the_next_ones_nearer(name: str) -> None:
    X = table()
    top = mean(climbed(em, X, name, tol=1e-12, max_iter=5000))
    one, many = climbed(Online(epochs=1), X, name), climbed(Online(), X, name)
    start = one.logliks[0] / len(X)
    assert 0 < top - mean(one) < 0.1 * (top - start)
    assert 0 < top - mean(many) < 1e-4
    assert np.all(np.diff(many.logliks) >= 0)


def test_an_epoch_costs_two_passes_and_the_start_one() -> None:
    X = table(2000)
    model, params = beginning(X)
    sweep = open_sweep("compiled", model, Rows(X))
    steps: list[tuple[int, float]] = []
    climb = Online(epochs=3)(
        Problem(model, sweep, params, tol=0, max_iter=9, on_step=lambda *told: steps.append(told))
    )
    assert sweep.passes == 7
    assert climb.iterations == len(steps) == 3
    assert [count for count, _ in steps] == [1, 2, 3]
    assert climb.reason == "stopped: 3 epochs were run"
    assert not climb.converged
    short = Online()(Problem(model, sweep, params, tol=0, max_iter=2))
    assert short.reason == "stopped: max_iter=2 steps were taken"


def test_what_is_reported_is_that_of_the_returned_parameters() -> None:
    X = table(3000)
    climb = climbed(Online(epochs=2), X)
    model, _ = beginning(X)
    summary = open_sweep("compiled", model, Rows(X))(climb.params)
    assert climb.summary.loglik == summary.loglik == climb.logliks[-1]
    assert climb.gradient_norm == pytest.approx(directional(model, summary, climb.params) ** 0.5)


def test_it_is_called_stationary_only_where_the_slope_vanishes() -> None:
    X = table(3000)
    early, late = climbed(Online(epochs=1), X), climbed(Online(), X, tol=1e-4, max_iter=200)
    assert not early.stationary
    assert early.gradient_norm**2 > 2e-6
    assert early.gap == np.inf
    assert late.converged
    assert late.stationary == (late.gradient_norm**2 <= 2e-4)
    assert np.isfinite(late.gap) == late.stationary


def test_never_below_its_start_and_the_reason_says_so() -> None:
    X = table(3000)
    summit = climbed(em, X, tol=1e-13, max_iter=5000)
    noisy = Online(epochs=2, batch=100, delay=1, averaged=False)
    climb = climbed(noisy, X, start=summit.params)
    assert climb.params is summit.params
    assert climb.reason == "stopped: none of 2 epochs led above the start, which is returned"
    assert not climb.converged
    assert climb.stationary


def test_from_the_summit_it_settles_there() -> None:
    X = table(3000)
    summit = climbed(em, X, tol=1e-13, max_iter=5000)
    climb = climbed(Online(), X, start=summit.params, tol=1e-5)
    assert climb.converged
    assert climb.stationary
    assert mean(climb) == pytest.approx(mean(summit), abs=1e-9)


def test_one_batch_of_all_rows_is_an_em_step() -> None:
    X = table(500)
    model, params = beginning(X)
    sweep = open_sweep("compiled", model, Rows(X))
    expected = model.m_step(sweep(params), params)
    climb = Online(epochs=1, batch=500, averaged=False)(
        Problem(model, sweep, params, tol=0, max_iter=1)
    )
    for name, value in expected.arrays().items():
        np.testing.assert_allclose(climb.params.arrays()[name], value, rtol=1e-10, err_msg=name)


def test_rows_of_weight_zero_are_absent_and_a_common_factor_changes_nothing() -> None:
    X = table(3000)
    weights = np.random.default_rng(3).choice([0.0, 0.5, 2.0], size=len(X))
    with_zeros = climbed(Online(epochs=2), X, weights=weights)
    without = climbed(Online(epochs=2), X[weights > 0], weights=weights[weights > 0])
    scaled = climbed(Online(epochs=2), X, weights=1e-3 * weights)
    for other in (without, scaled):
        np.testing.assert_allclose(
            other.params.components.means, with_zeros.params.components.means, rtol=1e-9
        )
        assert mean(other) == pytest.approx(mean(with_zeros), rel=1e-12)


def test_weights_count() -> None:
    """Against EM on the weighted table, whose optimum is another than the plain one's."""
    X = table()
    weights = np.where(X[:, 0] > 1.75, 3.0, 0.25)
    top = climbed(em, X, weights=weights, tol=1e-12, max_iter=5000)
    climb = climbed(Online(), X, weights=weights)
    assert mean(top) - mean(climb) < 1e-4
    assert abs(top.params.weights - climbed(em, X).params.weights).max() > 0.1
    np.testing.assert_allclose(climb.params.weights, top.params.weights, atol=0.01)


def test_the_seed_decides() -> None:
    X = table(2000)
    first, again, other = (climbed(Online(epochs=1, seed=seed), X) for seed in (0, 0, 1))
    assert first.summary.loglik == again.summary.loglik
    assert first.summary.loglik != other.summary.loglik


def test_averages_beat_the_last_iterate() -> None:
    """At the end of one epoch from the summit of other rows, on five orders: all of them better."""
    X = table()
    start = climbed(em, table(2000, seed=9), tol=1e-10, max_iter=5000).params
    for seed in range(5):
        averaged, last = (
            climbed(Online(epochs=1, seed=seed, averaged=a), X, start=start) for a in (True, False)
        )
        assert mean(averaged) > mean(last)


def test_a_rare_component_survives() -> None:
    X = table(4000)
    X[:20] = np.array([9.0, 9.0]) + 0.1 * np.random.default_rng(1).normal(size=(20, 2))
    gm = GaussianMixture(4, solver="online", random_state=0, tol=1e-4).fit(X)
    assert gm.weights_.min() == pytest.approx(0.005, rel=0.01)
    assert not gm.fit_result_.floored


def test_a_collapse_is_an_error_for_the_search_to_see() -> None:
    X = table(1000)
    X[:200] = X[0]
    _, params = beginning(X)
    tight = gaussian_params(
        np.vstack([X[0], params.components.means[1:]]),
        params.components.covariances * np.array([1e-3, 1.0, 1.0])[:, None, None],
        structure("full").form,
    )
    with pytest.raises(Collapse):
        climbed(Online(), X, start=MixtureParams(params.weights, tight))


@every_type
def test_it_serves_the_estimator(name: str) -> None:
    X = table(1500)
    best = GaussianMixture(3, covariance_type=name, random_state=0).fit(X)
    gm = GaussianMixture(3, covariance_type=name, random_state=0, solver="online", tol=1e-5)
    gm.fit(X)
    assert gm.fit_result_.solver == "online"
    assert best.lower_bound_ - gm.lower_bound_ < 1e-4
    assert gm.lower_bound_ == pytest.approx(gm.score(X), abs=1e-12)


@pytest.mark.parametrize("column", [0.0, 7e5])
@pytest.mark.parametrize("settings", [{}, {"reg_covar": 1e-6}], ids=str)
def test_a_constant_column_is_no_obstacle(column: float, settings: dict[str, Any]) -> None:
    X = np.column_stack([table(1000), np.full(1000, column)])
    gm = GaussianMixture(3, random_state=0, solver=Online(epochs=6), tol=1e-3, **settings).fit(X)
    plain = GaussianMixture(3, random_state=0, **settings).fit(X)
    assert plain.lower_bound_ - gm.lower_bound_ < 1e-3
    np.testing.assert_allclose(gm.means_[:, 2], column, rtol=1e-12)


def test_a_configured_solver_is_cloned_with_its_settings() -> None:
    gm = clone(GaussianMixture(3, solver=Online(epochs=1, seed=3), random_state=0))
    assert gm.solver == Online(epochs=1, seed=3)
    with pytest.warns(match="did not converge"):
        gm.fit(table(500))
    assert gm.fit_result_.solver == "online"
    assert gm.n_iter_ == 1
    assert gm.fit_result_.verdict == "not converged"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer, at least 1, got 0"),
        ({"epochs": 2.5}, "epochs must be an integer"),
        ({"epochs": True}, "epochs must be an integer, at least 1, got True"),
        ({"batch": 0}, "batch must be an integer"),
        ({"delay": 0.5}, "delay must be a number at least 1 and finite, got 0.5"),
        ({"delay": np.inf}, "delay must be a number at least 1"),
        ({"power": 0.5}, "power must be a number above 0.5"),
        ({"power": 1.5}, "power must be a number above 0.5 and at most 1"),
        ({"seed": -1}, r"seed must be an integer from 0 to 2\*\*32 - 1, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Online(**settings)


def test_a_full_batch_has_the_step_of_the_paper_and_parts_make_up_a_whole() -> None:
    pace = Pace(batch=100, delay=10.0)
    assert pace.share(5000, 100) == pytest.approx(60**-0.6)
    kept = 1 - pace.share(5000, 100)
    assert (1 - pace.share(5000, 50)) ** 2 == pytest.approx(kept)
    assert (1 - pace.share(5000, 1)) ** 100 == pytest.approx(kept)
    assert pace.share(0, 7) == 1.0
    assert pace.share(9, 1) == 0.1


@every_type
def test_before_the_first_m_step_the_average_is_that_of_all_rows(name: str) -> None:
    X = table(600)
    model, params = beginning(X, name)
    running, pace = Running(params, None, None, 0.0), Pace(500, 10.0)
    for part in (X[:1], X[1:40], X[40:300], X[300:]):
        running = running.after(
            model, model.e_step(Chunk(part), params), len(part), pace, weight=None
        )
    assert running.params is params
    assert running.average is not None
    whole = model.e_step(Chunk(X), params).scale(1 / 600)
    assert running.average.weight == pytest.approx(1.0)
    assert running.average.loglik == pytest.approx(whole.loglik)
    np.testing.assert_allclose(running.average.statistics.second, whole.statistics.second)
    expected = model.m_step(whole, params)
    np.testing.assert_allclose(
        model.m_step(running.average, params).components.covariances,
        expected.components.covariances,
    )


@every_type
def test_an_average_taken_on_the_way_is_one_of_data(name: str) -> None:
    """Two batches at different parameters: the M-step is that of both rows' raw moments."""
    X = table(400)
    model, first = beginning(X, name)
    pace = Pace(200, 1.0)
    running = Running.begun(first, model.e_step(Chunk(X[:200]), first), 200, 200.0)
    one = model.m_step(model.e_step(Chunk(X[:200]), first), first)
    running = replace(running, params=one)
    running = replace(
        running,
        average=model.transported(model.e_step(Chunk(X[:200]), first), first, one).scale(1 / 200),
    )
    share = pace.share(200.0, 200)
    after = running.after(model, model.e_step(Chunk(X[200:]), one), 200, pace, weight=400.0)
    resp = [
        np.exp(
            model.log_joint(x, at) - np.logaddexp.reduce(model.log_joint(x, at), axis=1)[:, None]
        )
        for x, at in ((X[:200], first), (X[200:], one))
    ]
    weights = np.concatenate([(1 - share) * resp[0], share * resp[1]])
    counts = weights.sum(axis=0)
    np.testing.assert_allclose(after.params.weights, counts / counts.sum(), rtol=1e-10)
    np.testing.assert_allclose(
        after.params.components.means, (weights.T @ X) / counts[:, None], rtol=1e-10
    )


def test_batches_are_all_rows_once_and_not_too_long() -> None:
    parts = list(batches(1003, 100, np.random.RandomState(0)))
    assert sorted(np.concatenate(parts)) == list(range(1003))
    assert max(map(len, parts)) <= 100
    assert min(map(len, parts)) >= 91
    assert [len(part) for part in batches(3, 100, np.random.RandomState(0))] == [3]


def test_enough_rows_are_five_for_each_number() -> None:
    _, params = beginning(table(10))
    assert enough_rows(params) == 5 * (3 + 6 + 12)

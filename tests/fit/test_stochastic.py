"""Stochastic EM: its draws row by row, what it returns, and what becomes of lost components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fit.by_hand import clouds, joint, maximised, plain, with_penalty
from scipy import stats
from sklearn.exceptions import ConvergenceWarning

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines import threads
from mixtura.engines.base import Step
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.engines.local import LocalSweep, added, stepped
from mixtura.errors import FAILURES
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.solvers.stochastic import REDRAWS, Stochastic, drawn, uniforms

every_type = pytest.mark.parametrize("name", ["diag", "full", "spherical", "tied"])
every_engine = pytest.mark.parametrize("engine", sorted(ENGINES))


class Cut(LocalSweep):
    """The local sweep, cut after every so many rows."""

    def __init__(self, model: Mixture, rows: Rows, size: int) -> None:
        super().__init__(model, rows)
        self.size = size

    def folded(self, step: Step) -> Summary:
        self.passes += 1
        return added(stepped(step, chunk) for chunk in self.rows.chunks(self.size))


def climbed(
    model: Mixture,
    X: Array,
    params: MixtureParams,
    w: Array | None = None,
    *,
    engine: str = "local",
    solver: Stochastic | None = None,
    tol: float = 1e-6,
    max_iter: int = 500,
    **more: Any,
) -> Climb:
    sweep = open_sweep(engine, model, Rows(X, w))
    solver = solver or Stochastic(steps=40)
    return solver(Problem(model, sweep, params, tol=tol, max_iter=max_iter, **more))


def alike(a: MixtureParams, b: MixtureParams, rtol: float = 1e-8) -> None:
    for name, value in a.arrays().items():
        np.testing.assert_allclose(b.arrays()[name], value, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("bounds", [(0, 1), (1, 5), (3, 1000), (4, 8), (7, 7), (501, 778)])
def test_a_rows_number_is_the_same_however_the_table_is_cut(bounds: tuple[int, int]) -> None:
    whole = uniforms(11, 5, slice(0, 1000))
    np.testing.assert_array_equal(uniforms(11, 5, slice(*bounds)), whole[slice(*bounds)])


def test_the_numbers_are_uniform_and_those_of_seeds_and_steps_independent() -> None:
    """Four tests of 40,000 numbers: each wrongly fails with probability 1e-4."""
    first, rows = uniforms(0, 0, slice(0, 40_000)), slice(0, 40_000)
    assert stats.kstest(first, "uniform").pvalue > 1e-4
    for other in (uniforms(0, 1, rows), uniforms(1, 0, rows), np.roll(first, 1)):
        assert stats.pearsonr(first, other).pvalue > 1e-4


def in_a_loop(X: Array, w: Array, params: MixtureParams, seed: int, step: int) -> Array:
    """The draws as responsibilities, one row after the other."""
    values = joint(X, plain(params))
    resp = np.zeros_like(values)
    for i in np.flatnonzero(w):
        p = np.exp(values[i] - values[i].max())
        level, k = float(uniforms(seed, step, slice(int(i), int(i) + 1))[0]) * p.sum(), 0
        while level >= p[: k + 1].sum():
            k += 1
        resp[i, k] = 1.0
    return resp


@every_type
@pytest.mark.parametrize("penalised", [False, True])
def test_two_steps_are_those_of_a_loop_over_rows(name: str, penalised: bool) -> None:
    model, params, X = clouds(name, n=90)
    w = np.random.default_rng(1).uniform(0.5, 3.0, size=len(X))
    w[::7] = 0.0
    model = with_penalty(model, X, w) if penalised else model
    sweep = open_sweep("local", model, Rows(X, w))
    for step in range(2):
        resp = in_a_loop(X, w, params, 4, step)
        part = drawn(model, sweep, params, 4, step)
        expected = maximised(X, w, resp, name, model.prior.strength)
        params = model.m_step(part, params)
        for ours, theirs in zip(plain(params), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [1, 7, 64, 333, 2000])
def test_the_draws_do_not_depend_on_how_the_table_is_cut(size: int) -> None:
    model, params, X = clouds(n=400, apart=1.0)
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=len(X))
    w[::5] = 0.0
    whole = drawn(model, Cut(model, Rows(X, w), 400), params, 2, 3)
    parts = drawn(model, Cut(model, Rows(X, w), size), params, 2, 3)
    np.testing.assert_allclose(parts.statistics.counts, whole.statistics.counts, rtol=1e-12)
    np.testing.assert_allclose(parts.statistics.second, whole.statistics.second, rtol=1e-9)
    ways = [
        Stochastic(steps=20)(
            Problem(model, Cut(model, Rows(X, w), cut), params, tol=1e-6, max_iter=99)
        )
        for cut in (400, size)
    ]
    alike(ways[0].params, ways[1].params)


@every_type
def test_the_way_depends_on_the_seed_and_not_on_the_engine_or_its_threads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, params, X = clouds(name, n=9000, apart=1.5)
    ways = []
    for engine, workers in (("local", 1), ("threads", 1), ("threads", 3), ("compiled", 2)):
        monkeypatch.setattr(threads, "workers", lambda workers=workers: workers)
        ways.append(climbed(model, X, params, engine=engine, solver=Stochastic(10)))
    for way in ways[1:]:
        np.testing.assert_allclose(way.logliks, ways[0].logliks, rtol=1e-12)
        alike(ways[0].params, way.params)
    other = climbed(model, X, params, solver=Stochastic(10, seed=1))
    assert np.abs(np.subtract(other.logliks[1:-1], ways[0].logliks[1:-1])).min() > 1e-3


@every_type
def test_draws_average_to_the_responsibilities(name: str) -> None:
    """Weighted counts of 300 draws; a bound of 4.5 standard errors on 3 means: 2e-5 false."""
    model, params, X = clouds(name, apart=1.0)
    w = np.random.default_rng(2).integers(0, 4, size=len(X)).astype(float)
    sweep = open_sweep("local", model, Rows(X, w))
    resp = np.exp(joint(X, plain(params)))
    resp /= resp.sum(axis=1, keepdims=True)
    counts = [drawn(model, sweep, params, 0, t).statistics.counts for t in range(300)]
    error = np.sqrt(w**2 @ (resp * (1 - resp)) / 300)
    assert np.all(np.abs(np.mean(counts, axis=0) - w @ resp) < 4.5 * error)
    assert np.all(np.abs(np.std(counts, axis=0) / error / np.sqrt(300) - 1) < 0.3)


def test_rows_without_weight_are_absent() -> None:
    model, params, X = clouds()
    far = np.r_[X, np.full((3, 2), 1e6)]
    without = climbed(model, X, params)
    absent = climbed(model, far, params, np.r_[np.ones(len(X)), np.zeros(3)])
    alike(without.params, absent.params)


@every_type
def test_it_ends_near_the_optimum_and_never_below_a_point_it_met(name: str) -> None:
    model, params, X = clouds(name, n=2000, apart=2.0)
    top = climbed_by_em(model, X, params)
    told: list[tuple[int, float]] = []
    climb = climbed(model, X, params, solver=Stochastic(), on_step=lambda *now: told.append(now))
    assert -2.0 < climb.objective - top.objective < 1e-6
    assert climb.objective >= max(climb.logliks)
    assert climb.logliks[-1] == climb.summary.loglik
    assert climb.summary.loglik == pytest.approx(model.e_step(Chunk(X), climb.params).loglik)
    assert climb.iterations == 200 == len(told)
    assert climb.converged
    assert not climb.stationary
    assert climb.gap == np.inf


def climbed_by_em(model: Mixture, X: Array, params: MixtureParams) -> Climb:
    return em(
        Problem(model, open_sweep("compiled", model, Rows(X)), params, tol=1e-10, max_iter=5000)
    )


def test_at_the_optimum_itself_the_start_is_returned(faithful: Array) -> None:
    found = GaussianMixture(2, random_state=0, tol=1e-13).fit(faithful)
    form = structure("full").form
    top = MixtureParams(found.weights_, gaussian_params(found.means_, found.covariances_, form))
    model = clouds(d=2)[0]
    climb = climbed(model, faithful, top, max_iter=30)
    assert climb.params is top
    assert climb.logliks[-1] == climb.summary.loglik


def test_the_average_wins_where_there_are_many_parameters(iris: Array) -> None:
    """And its trace does not hold it: no single point of the way is as high."""
    model = clouds(d=4)[0]
    with pytest.warns(ConvergenceWarning):
        start = GaussianMixture(3, random_state=0, max_iter=2, init_params="kmeans").fit(iris)
    form = structure("full").form
    params = MixtureParams(start.weights_, gaussian_params(start.means_, start.covariances_, form))
    climb = climbed(model, iris, params, solver=Stochastic())
    assert climb.objective > max(climb.logliks[:-1])


def test_it_leaves_a_saddle_where_em_stays() -> None:
    """Two equal components on two clusters: EM's step keeps them equal for ever."""
    X = np.r_[np.random.default_rng(0).normal(size=(300, 1)) - 3.0, np.full((1, 1), 0.0)]
    X = np.r_[X, -X]
    form = structure("full").form
    equal = gaussian_params(np.zeros((2, 1)), np.full((2, 1, 1), 10.0), form)
    start = MixtureParams(np.full(2, 0.5), equal)
    model = clouds(d=1)[0]
    stuck = climbed_by_em(model, X, start)
    free = climbed(model, X, start)
    assert np.ptp(stuck.params.components.means) < 1e-9
    assert np.ptp(free.params.components.means) == pytest.approx(6.0, abs=0.3)
    assert free.objective > stuck.objective + 100


def small_third(expected: float, n: int = 240) -> tuple[Mixture, MixtureParams, Array]:
    """A penalised mixture whose third component overlaps the first and expects so many rows."""
    model, params, X = clouds(n=n)
    means = params.components.means.copy()
    means[2] = means[0]
    share = expected / n
    weights = np.array([0.5 - share, 0.5, share])
    components = gaussian_params(means, params.components.covariances, model.family.form)
    return with_penalty(model, X), MixtureParams(weights, components), X


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_that_loses_a_component_is_made_again(seed: int) -> None:
    """1.5 expected rows: a fifth of the draws hold none, and none of them is used."""
    model, params, X = small_third(1.5)
    sweep = open_sweep("local", model, Rows(X))
    lost = [drawn(model, sweep, params, seed, t).statistics.counts.min() == 0 for t in range(200)]
    assert 10 < sum(lost) < 90
    first = int(np.argmin(lost))
    climb = Stochastic(steps=first + 1, seed=seed)(
        Problem(model, sweep, params, tol=1e-6, max_iter=99)
    )
    assert list(climb.logliks[: first + 1]) == [climb.logliks[0]] * (first + 1)
    assert climb.params.weights.min() > 0


def test_a_component_that_every_draw_loses_is_given_up_in_its_place() -> None:
    model, params, X = small_third(1e-9)
    sweep = open_sweep("local", model, Rows(X))
    seen: list[Array] = []

    @dataclass(frozen=True)
    class Watched(Mixture):
        def m_step(self, summary: Summary, params: Any) -> MixtureParams:
            after = super().m_step(summary, params)
            seen.append(after.weights)
            return after

    climb = Stochastic(30)(
        Problem(Watched(model.family, model.prior), sweep, params, tol=1e-6, max_iter=99)
    )
    assert all(weights[2] == 0 for weights in seen)
    assert climb.logliks[REDRAWS] == climb.logliks[0] != climb.logliks[REDRAWS + 1]
    assert climb.params.weights[2] == 0
    np.testing.assert_array_equal(climb.params.components.means[2], params.components.means[2])


def test_collapse_is_raised_as_by_em_after_as_many_refusals() -> None:
    model, params, X = clouds()
    X = np.r_[X, [[60.0, 60.0]]]
    means = params.components.means.copy()
    means[0] = 60.0
    form = structure("full").form
    start = MixtureParams(
        params.weights, gaussian_params(means, params.components.covariances, form)
    )
    sweep = open_sweep("local", model, Rows(X))
    with pytest.raises(FAILURES):
        Stochastic()(Problem(model, sweep, start, tol=1e-6, max_iter=99))
    assert sweep.passes == REDRAWS + 1


def refused(**settings: Any) -> Callable[[], Stochastic]:
    return lambda: Stochastic(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be an integer, at least 1, got 0"),
        ({"steps": 2.5}, "steps must be an integer, at least 1, got 2.5"),
        ({"seed": -1}, r"seed must be an integer from 0 to 2\*\*32 - 1, got -1"),
        ({"seed": 2**32}, "seed must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        refused(**settings)()


def test_how_it_ends() -> None:
    model, params, X = clouds(n=2000)
    done = climbed(model, X, params, solver=Stochastic(60))
    assert done.reason == "converged: 60 steps were taken, and the last gained no more"
    cut = climbed(model, X, params, solver=Stochastic(60), max_iter=5)
    assert (cut.converged, cut.iterations) == (False, 5)
    assert cut.reason == "stopped: max_iter=5 steps were taken"
    endless = climbed(model, X, params, solver=Stochastic(4), tol=0, max_iter=9)
    assert (endless.converged, endless.iterations) == (False, 9)
    none = climbed(model, X, params, max_iter=0)
    assert none.params is params
    again = climbed(model, X, params, history=(1.0, none.logliks[0]))
    assert again.earlier == (1.0,)
    rising = climbed(*slow(), solver=Stochastic(20))
    assert rising.reason == "stopped: after 20 steps the log-likelihood still rose"


def slow() -> tuple[Mixture, Array, MixtureParams]:
    """10,000 rows of two overlapping clusters, and a start that gives nearly all to one."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(5_000, 1)) - 1.3, rng.normal(size=(5_000, 1)) + 1.3]
    form = structure("tied").form
    components = gaussian_params(np.array([[-0.5], [1.5]]), np.full((1, 1), 2.0), form)
    return clouds("tied", d=1)[0], X, MixtureParams(np.array([0.9, 0.1]), components)


def test_an_estimator_runs_it_and_says_what_it_is(faithful: Array) -> None:
    found = GaussianMixture(2, solver="stochastic", random_state=0).fit(faithful)
    assert found.fit_result_.solver == "stochastic"
    assert found.fit_result_.verdict == "not a maximum"
    assert found.converged_
    best = GaussianMixture(2, random_state=0).fit(faithful)
    assert 0 <= (best.lower_bound_ - found.lower_bound_) * len(faithful) < 0.1

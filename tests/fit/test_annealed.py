"""Annealed EM: its tempered step, the theory of when it freezes, and where it ends."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, Case
from fit.by_hand import clouds, joint, maximised, plain, with_penalty

from mixtura import GaussianMixture
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.errors import FAILURES
from mixtura.families.frames import Affine
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.records import gaussian_params
from mixtura.fitting.starts import StartMaker
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.solvers.annealed import Annealed, better, pushed, tempered
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

every_case = pytest.mark.parametrize(
    "case", [case for case in CASES if case.free], ids=lambda case: case.name
)
every_type = pytest.mark.parametrize("name", ["diag", "full", "spherical", "tied"])
BRIEF = Annealed(first=0.3, factor=1.5, steps=5)


def climbed(
    model: Mixture,
    X: Array,
    params: MixtureParams,
    w: Array | None = None,
    *,
    engine: str = "compiled",
    solver: Any = BRIEF,
    tol: float = 1e-12,
    max_iter: int = 20_000,
    **more: Any,
) -> Climb:
    sweep = open_sweep(engine, model, Rows(X, w))
    climb = solver(Problem(model, sweep, params, tol=tol, max_iter=max_iter, **more))
    assert isinstance(climb, Climb)
    return climb


@every_type
@pytest.mark.parametrize("beta", [0.05, 0.6, 1.0])
@pytest.mark.parametrize("penalised", [False, True])
def test_a_tempered_step_is_that_of_a_loop_over_rows(
    name: str, beta: float, penalised: bool
) -> None:
    model, params, X = clouds(name, n=60, apart=1.5)
    w = np.random.default_rng(1).uniform(0.5, 3.0, size=len(X))
    w[::7] = 0.0
    model = with_penalty(model, X, w) if penalised else model
    part = tempered(model, open_sweep("local", model, Rows(X, w)), params, beta)
    values = joint(X, plain(params))
    resp = np.zeros_like(values)
    for i in range(len(X)):
        power = [np.exp(value) ** beta for value in values[i]]
        resp[i] = np.array(power) / sum(power)
    expected = maximised(X, w, resp, name, model.prior.strength)
    for ours, theirs in zip(plain(model.m_step(part, params)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert part.loglik == pytest.approx(model.e_step(Chunk(X, w), params).loglik, rel=1e-12)


@every_type
def test_around_the_merged_state_differences_of_means_grow_by_beta_s_over_sigma(name: str) -> None:
    """The rule in the docstring of Annealed, to first order in the difference."""
    d, K, beta = 3, 4, 0.7
    rng = np.random.default_rng(0)
    X = rng.standard_gamma(2.0, size=(500, d)) @ rng.normal(size=(d, d))
    moments, form = table_moments(X, None), structure(name).form
    S = moments.covariance
    apart = 1e-6 * rng.normal(size=(K, d))
    apart -= apart.mean(axis=0)
    components = gaussian_params(moments.mean + apart, form.repeat(form.restrict(S), K), form)
    params = MixtureParams(np.full(K, 0.25), components)
    model = clouds(name, K=K, d=d)[0]
    after = model.m_step(tempered(model, open_sweep("local", model, Rows(X)), params, beta), params)
    Sigma = plain(params)[2][0]
    factor = beta * S @ np.linalg.inv(Sigma)
    np.testing.assert_allclose(
        after.components.means - moments.mean, apart @ factor.T, rtol=1e-3, atol=1e-9
    )
    if name in ("full", "tied"):
        np.testing.assert_allclose(factor, beta * np.eye(d), atol=1e-9)
    else:
        assert np.abs(np.linalg.eigvals(factor)).max() > 1.0


def test_the_default_schedule() -> None:
    schedule = Annealed().schedule
    assert len(schedule) == 13
    assert (schedule[0], schedule[1]) == pytest.approx((0.1, 0.12))
    assert 1 / 1.2 <= schedule[-1] < 1
    assert Annealed().length == 13 * 20


@every_case
def test_it_ends_at_a_stationary_point(case: Case) -> None:
    climb = climbed(case.model, case.X, case.params, tol=1e-14)
    assert climb.converged, climb.reason
    assert climb.stationary
    assert climb.gradient_norm < 1e-6
    after = case.model.m_step(climb.summary, climb.params)
    for name, value in climb.params.arrays().items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(after.arrays()[name], value, atol=1e-5 * scale, err_msg=name)


@cache
def eight() -> tuple[StartMaker, Array]:
    """Eight spherical clusters in four columns, and starts from random rows."""
    rng = np.random.default_rng(3)
    centres = 3.0 * rng.normal(size=(8, 4))
    X = centres[rng.integers(8, size=1000)] + rng.normal(size=(1000, 4))
    model = clouds("spherical", K=8, d=4)[0]
    moments = table_moments(X, None)
    form = structure("spherical").form
    components = gaussian_params(np.tile(moments.mean, (8, 1)), np.ones(8), form)
    base = MixtureParams(np.full(8, 1 / 8), components)
    frames = tuple(Affine(moments.mean, B) for B in form.frames(moments.covariance))
    return StartMaker(with_penalty(model, X), Rows(X), base, frames, {}, lambda K: base), X


def ended(solver: Any, start: int) -> float:
    """The objective per row from that start."""
    maker, X = eight()
    params = maker.make("random_from_data", 0, np.random.RandomState(start))
    return climbed(maker.model, X, params, solver=solver, tol=1e-7).objective / len(X)


# The best of 50 starts by either solver.
BEST = -7.686276356


def test_from_a_bad_start_it_reaches_the_best_optimum_where_em_does_not() -> None:
    assert ended(em, 0) < BEST - 0.1
    assert ended(Annealed(), 0) == pytest.approx(BEST, abs=1e-6)


def test_spherical_clusters_are_found_from_most_starts_and_by_em_from_few() -> None:
    """Over 50 starts: 44 against 8."""
    starts = range(1, 7)
    assert sum(ended(Annealed(), start) > BEST - 1e-4 for start in starts) >= 5
    assert sum(ended(em, start) > BEST - 1e-4 for start in starts) <= 2


@every_type
def test_it_never_ends_below_em_from_the_same_start(name: str) -> None:
    """For full and tied covariances the annealing alone does: it ends at the merged state."""
    model, params, X = clouds(name, n=200, K=2, d=3, apart=2.0)
    model = with_penalty(model, X)
    theirs = climbed(model, X, params, solver=em, tol=1e-6)
    ours = climbed(model, X, params, solver=Annealed(), tol=1e-6)
    alone = climbed(model, X, params, solver=Annealed(), tol=0, max_iter=Annealed().length + 50)
    assert ours.objective >= theirs.objective
    assert ours.converged
    if name == "tied":
        assert alone.objective < theirs.objective - 10
    if ours.ran == "em":
        assert ours.logliks == theirs.logliks
        assert alone.objective <= theirs.objective + 1e-6 * len(X)


def test_an_end_held_up_by_the_penalty_yields_to_one_that_is_not() -> None:
    model, params, X = clouds("spherical", K=2, apart=4.0)
    X = np.r_[X, X[0] + [[1e-5, 0.0], [0.0, 1e-5]]]
    model = with_penalty(model, X)
    means = np.array([X[0], X.mean(axis=0)])
    narrow = gaussian_params(means, np.array([1e-9, 9.0]), structure("spherical").form)
    spike = climbed(model, X, MixtureParams(params.weights, narrow), solver=em, max_iter=0)
    sound = climbed(model, X, params, solver=em)
    assert model.guard(spike.summary, spike.params)
    assert better(model, sound, spike, 1e-6)
    assert better(model, sound, replace(spike, objective=np.inf), 1e-6)
    assert not better(model, replace(spike, objective=np.inf), sound, 1e-6)
    higher = replace(sound, objective=sound.objective + 2e-6 * len(X))
    assert better(model, higher, sound, 1e-6)
    assert not better(model, higher, sound, 3e-6)


ALONE = {"tol": 0.0, "max_iter": 40}


@every_type
def test_a_weight_is_copies_of_the_row(name: str) -> None:
    model, params, X = clouds(name)
    w = np.random.default_rng(5).integers(0, 4, size=len(X))
    weighted = climbed(model, X, params, w.astype(float), **ALONE)
    copies = climbed(model, np.repeat(X, w, axis=0), params, **ALONE)
    np.testing.assert_allclose(weighted.logliks, copies.logliks, rtol=1e-9)
    weighted = climbed(model, X, params, w.astype(float), tol=1e-10)
    copies = climbed(model, np.repeat(X, w, axis=0), params, tol=1e-10)
    assert weighted.objective == pytest.approx(copies.objective, rel=1e-9)


@every_type
def test_every_engine_takes_the_same_way_and_another_seed_another(name: str) -> None:
    model, params, X = clouds(name, n=9000)
    ways = [climbed(model, X, params, engine=e, **ALONE).logliks for e in sorted(ENGINES)]
    for way in ways[1:]:
        np.testing.assert_allclose(way, ways[0], rtol=1e-9)
    other = climbed(model, X, params, solver=Annealed(0.3, 1.5, 5, seed=1), **ALONE).logliks
    np.testing.assert_allclose(other[:5], ways[0][:5], rtol=1e-12)
    assert np.abs(np.subtract(other[5:12], ways[0][5:12])).min() > 1e-6


def test_without_a_push_equal_components_stay_equal() -> None:
    _, X = eight()
    form = structure("spherical").form
    same = MixtureParams(np.full(2, 0.5), gaussian_params(np.zeros((2, 4)), np.full(2, 9.0), form))
    model = clouds("spherical", K=2, d=4)[0]
    still = climbed(model, X, same, solver=Annealed(push=0.0), tol=1e-6)
    freed = climbed(model, X, same, solver=Annealed(), tol=1e-6)
    np.testing.assert_allclose(*still.params.components.means, atol=1e-12)
    assert freed.objective > still.objective + 100


def test_a_push_is_as_long_as_it_says_and_a_dead_component_is_not_flung_away() -> None:
    model, params, _ = clouds("diag", K=2, d=50)
    rng = np.random.default_rng(0)
    units = params.components.whiten
    moved = [
        (pushed(model, params, 0.01, rng).components.means - params.components.means) * units
        for _ in range(40)
    ]
    # 2000 numbers each: the standard error of a standard deviation is 1.6 percent of it.
    size = np.std(moved, axis=(0, 2)) * np.sqrt(params.weights)
    np.testing.assert_allclose(size, 0.01, rtol=0.1)
    dead = MixtureParams(np.array([1.0, 0.0]), params.components)
    moved_dead = (pushed(model, dead, 0.01, rng).components.means - dead.components.means) * units
    assert np.abs(moved_dead[1]).max() < 1.0
    assert pushed(model, dead, 0.01, rng).weights[1] == 0.0


@pytest.mark.parametrize("tol", [0.0, 1e-6])
def test_what_it_reports(tol: float) -> None:
    maker, X = eight()
    model, params = maker.model, maker.make("random_from_data", 0, np.random.RandomState(0))
    sweep = open_sweep("local", model, Rows(X))
    told: list[tuple[int, float]] = []
    climb = Annealed()(
        Problem(
            model,
            sweep,
            params,
            tol=tol,
            max_iter=700 if tol > 0 else 280,
            on_step=lambda *now: told.append(now),
        )
    )
    before = climbed(model, X, params, solver=em, tol=tol).iterations if tol > 0 else 0
    assert climb.ran == "annealed"
    assert climb.iterations > Annealed().length == 260
    assert climb.logliks[-1] == climb.summary.loglik
    assert climb.logliks[0] == pytest.approx(model.e_step(Chunk(X), params).loglik, rel=1e-12)
    # One pass for the start, one a step, and one where EM begins at beta = 1.
    assert sweep.passes == 1 + before + climb.iterations + 1
    numbers = [steps for steps, _ in told]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == before + climb.iterations
    first = dict(told)[before + 1]
    assert first == pytest.approx((climb.logliks[1] - climb.logliks[0]) / len(X))
    again = climbed(
        model,
        X,
        params,
        solver=Annealed(),
        tol=tol,
        max_iter=700 if tol > 0 else 280,
        history=(-1e9, climb.logliks[0] + model.log_prior(params)),
    )
    assert again.ran == "annealed"
    assert again.earlier == (-1e9,)


@pytest.mark.parametrize("max_iter", [0, 7, 15, 16, 99])
def test_with_tol_0_it_takes_as_many_steps_as_it_is_given(max_iter: int) -> None:
    model, params, X = clouds(apart=1.0)
    climb = climbed(model, X, params, tol=0, max_iter=max_iter)
    assert (climb.converged, climb.iterations) == (False, max_iter)
    assert climb.reason == f"stopped: max_iter={max_iter} steps were taken"


def test_where_em_leaves_no_room_its_end_is_returned_as_not_converged() -> None:
    model, params, X = clouds(apart=1.0)
    theirs = climbed(model, X, params, solver=em, tol=1e-6)
    taken = theirs.iterations
    ours = climbed(model, X, params, tol=1e-6, max_iter=taken + 15)
    assert ours.logliks == theirs.logliks
    assert not ours.converged
    assert ours.reason == (
        f"stopped: EM took {taken} of max_iter={taken + 15} steps, where the annealing after it "
        "takes 15 and more"
    )
    known = theirs.summary
    still = climbed(model, X, theirs.params, max_iter=0, summary=known)
    assert still.summary is known
    assert not still.converged


def test_collapse_is_raised_as_by_em() -> None:
    model, params, X = clouds()
    X = np.r_[X, [[60.0, 60.0]]]
    means = params.components.means.copy()
    means[0] = 60.0
    form = structure("full").form
    start = MixtureParams(
        params.weights, gaussian_params(means, params.components.covariances, form)
    )
    for solver in (em, BRIEF):
        with pytest.raises(FAILURES):
            climbed(model, X, start, solver=solver)
    assert np.isfinite(climbed(with_penalty(model, X), X, start).objective)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first": 0.0}, "first must be a number above 0 and below 1, got 0.0"),
        ({"first": 1.0}, "first must be a number above 0 and below 1, got 1.0"),
        ({"first": "a"}, "first must be a number above 0 and below 1, got 'a'"),
        ({"factor": 1 + 1e-12}, "make .* temperatures, more than 10,000: use a larger factor"),
        ({"factor": 1.0}, "factor must be a number above 1 and finite, got 1.0"),
        ({"factor": np.inf}, "factor must be a number above 1 and finite, got inf"),
        ({"steps": 0}, "steps must be an integer, at least 1, got 0"),
        ({"push": -0.1}, "push must be a number from 0 to 1, got -0.1"),
        ({"seed": 0.5}, r"seed must be an integer from 0 to 2\*\*32 - 1, got 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Annealed(**settings)


def test_where_there_are_no_free_coordinates_it_says_so(iris: Array) -> None:
    with pytest.raises(ValueError, match="solver='annealed' cannot climb here: with a reg_covar"):
        GaussianMixture(2, reg_covar=1e-3, solver="annealed").fit(iris)
    with pytest.raises(ValueError, match="solver='annealed' cannot climb here: with a reg_covar"):
        GaussianMixture(2, reg_covar=1e-3, solver=Annealed()).fit(iris)


def test_an_estimator_certifies_its_end(faithful: Array) -> None:
    found = GaussianMixture(2, solver="annealed", random_state=0).fit(faithful)
    assert found.fit_result_.solver == "annealed (em)"
    assert found.fit_result_.verdict == "interior maximum"
    assert found.lower_bound_ == pytest.approx(
        GaussianMixture(2, random_state=0).fit(faithful).lower_bound_, abs=1e-6
    )

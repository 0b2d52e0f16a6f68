"""Classification EM: against loops, against k-means, and what it promises."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, Case
from fit.by_hand import Plain, clouds, joint, maximised, plain, with_penalty
from sklearn.metrics import adjusted_rand_score

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.errors import FAILURES, LikelihoodFell
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.hard import classified, hard
from mixtura.solvers.problem import Problem

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_type = pytest.mark.parametrize("name", ["diag", "full", "spherical", "tied"])
every_engine = pytest.mark.parametrize("engine", sorted(ENGINES))


def climbed(
    model: Mixture,
    X: Array,
    params: MixtureParams,
    w: Array | None = None,
    *,
    engine: str = "local",
    tol: float = 1e-15,
    max_iter: int = 500,
    **more: Any,
) -> Climb:
    sweep = open_sweep(engine, model, Rows(X, w))
    return hard(Problem(model, sweep, params, tol=tol, max_iter=max_iter, **more))


def labelled(X: Array, mixture: Plain) -> Array:
    """Responsibilities of 0 and 1, by looking for the largest in a loop."""
    values = joint(X, mixture)
    resp = np.zeros_like(values)
    for i in range(len(X)):
        best = 0
        for k in range(values.shape[1]):
            if values[i, k] > values[i, best]:
                best = k
        resp[i, best] = 1.0
    return resp


@every_type
@pytest.mark.parametrize("penalised", [False, True])
def test_four_steps_are_those_of_a_loop_over_rows(name: str, penalised: bool) -> None:
    model, params, X = clouds(name, n=90)
    w = np.random.default_rng(1).uniform(0.5, 3.0, size=len(X))
    model = with_penalty(model, X, w) if penalised else model
    climb = climbed(model, X, params, w, max_iter=4, tol=0)
    found = plain(params)
    for _ in range(4):
        found = maximised(X, w, labelled(X, found), name, model.prior.strength)
    for ours, theirs in zip(plain(climb.params), found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@dataclass(frozen=True)
class Centres(Mixture):
    """Only the means are free: equal weights, and variances of one."""

    def m_step(self, summary: Any, params: MixtureParams) -> MixtureParams:
        means = super().m_step(summary, params).components.means
        K = len(means)
        return MixtureParams(
            np.full(K, 1 / K), gaussian_params(means, np.ones(K), structure("spherical").form)
        )


def lloyd(X: Array, centres: Array) -> tuple[Array, Array, int]:
    """(centres, labels, steps until no label changes) of k-means, in loops."""
    labels, steps = np.full(len(X), -1), 0
    while True:
        now = np.array([np.argmin([np.sum((x - c) ** 2) for c in centres]) for x in X])
        if np.array_equal(now, labels):
            return centres, labels, steps
        labels, steps = now, steps + 1
        centres = np.array([X[labels == k].mean(axis=0) for k in range(len(centres))])


@pytest.mark.parametrize("seed", range(5))
def test_with_equal_weights_and_one_variance_it_is_k_means(seed: int) -> None:
    model, _, X = clouds("spherical", K=4, d=3, n=150, apart=1.5, seed=seed)
    means = X[np.random.default_rng(seed).choice(len(X), 4, replace=False)]
    form = structure("spherical").form
    start = MixtureParams(np.full(4, 0.25), gaussian_params(means, np.ones(4), form))
    climb = climbed(Centres(model.family, model.prior), X, start)
    centres, labels, steps = lloyd(X, means)
    np.testing.assert_allclose(climb.params.components.means, centres, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(model.log_joint(X, climb.params).argmax(axis=1), labels)
    # Ours sees that nothing changes by making one step more.
    assert climb.iterations == steps + 1
    assert climb.converged


@every_case
def test_the_classification_likelihood_never_falls(case: Case) -> None:
    w = np.random.default_rng(4).uniform(0.5, 2.0, size=len(case.X))
    values, params = [], case.params
    for _ in range(12):
        log_joint = joint(case.X, plain(params))
        values.append(float(w @ log_joint.max(axis=1)) + case.model.log_prior(params))
        params = climbed(case.model, case.X, params, w, max_iter=1, tol=0).params
    assert np.all(np.diff(values) >= -1e-9)
    sweep = open_sweep("local", case.model, Rows(case.X, w))
    _, worth = classified(case.model, sweep, case.params)
    assert worth == pytest.approx(values[0], rel=1e-12)


@every_case
def test_where_it_ends_another_step_changes_nothing(case: Case) -> None:
    try:
        climb = climbed(case.model, case.X, case.params)
    except FAILURES:
        assert case.name == "gaussian-spherical-K2-d1"
        pytest.skip("a component shrinks onto a row, as it must without a penalty")
    assert climb.converged
    assert not climb.stationary
    after = climbed(case.model, case.X, climb.params, max_iter=1, tol=0)
    for name, value in climb.params.arrays().items():
        np.testing.assert_allclose(after.params.arrays()[name], value, rtol=1e-9, atol=1e-10)


@every_type
def test_a_weight_is_copies_of_the_row(name: str) -> None:
    model, params, X = clouds(name)
    w = np.random.default_rng(5).integers(0, 4, size=len(X))
    weighted = climbed(model, X, params, w.astype(float))
    copies = climbed(model, np.repeat(X, w, axis=0), params)
    assert weighted.iterations == copies.iterations > 1
    np.testing.assert_allclose(weighted.logliks, copies.logliks, rtol=1e-12)
    for key, value in copies.params.arrays().items():
        np.testing.assert_allclose(weighted.params.arrays()[key], value, rtol=1e-9, atol=1e-11)


@every_type
def test_every_engine_takes_the_same_way(name: str) -> None:
    model, params, X = clouds(name, n=9000)
    ways = [climbed(model, X, params, engine=engine, tol=1e-6) for engine in sorted(ENGINES)]
    assert len({way.iterations for way in ways}) == 1
    for way in ways[1:]:
        np.testing.assert_allclose(way.logliks, ways[0].logliks, rtol=1e-12)


@every_engine
def test_what_it_reports(engine: str) -> None:
    model, params, X = clouds(apart=1.5)
    sweep = open_sweep(engine, model, Rows(X))
    told: list[tuple[int, float]] = []
    climb = hard(
        Problem(model, sweep, params, tol=1e-6, max_iter=500, on_step=lambda *now: told.append(now))
    )
    assert [steps for steps, _ in told] == list(range(1, climb.iterations + 1))
    assert min(gain for _, gain in told) >= 0
    assert sweep.passes == climb.iterations + 2
    assert climb.summary.loglik == climb.logliks[-1]
    assert climb.logliks[-1] == pytest.approx(
        model.e_step(Chunk(X), climb.params).loglik, rel=1e-12
    )
    assert climb.converged
    assert climb.gap <= 1e-6
    cut = climbed(model, X, params, max_iter=climb.iterations - 2)
    assert not cut.converged
    assert cut.reason == f"stopped: max_iter={climb.iterations - 2} steps were taken"
    assert cut.logliks == pytest.approx(climb.logliks[:-2], rel=1e-12)
    again = climbed(model, X, cut.params, history=cut.logliks)
    assert again.earlier == cut.logliks[-8:-1]


def test_no_step_needs_no_second_pass_where_the_summary_is_known() -> None:
    model, params, X = clouds()
    sweep = open_sweep("local", model, Rows(X))
    known = sweep(params)
    climb = hard(Problem(model, sweep, params, tol=1e-6, max_iter=0, summary=known))
    assert climb.summary is known
    assert climb.params is params
    assert sweep.passes == 2


def test_covariances_end_too_small_where_components_overlap() -> None:
    """Two unit normals 2 apart, cut in the middle: their halves' variance is half^2 - centre^2.

    Where both are cut at 0 each cluster is the half x > 0 of the mixture at -1 and 1: mean
    E|x| = 2 phi(1) + 2 Phi(1) - 1 = 1.1666, variance 1 + 1 - 1.1666^2 = 0.6391, common to both.
    The tolerances are over four standard errors of 20,000 rows.
    """
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(10_000, 1)) - 1.0, rng.normal(size=(10_000, 1)) + 1.0]
    start = MixtureParams(
        np.full(2, 0.5),
        gaussian_params(np.array([[-1.0], [1.0]]), np.eye(1), structure("tied").form),
    )
    model = clouds("tied", d=1)[0]
    sweep = open_sweep("compiled", model, Rows(X))
    right = em(Problem(model, sweep, start, tol=1e-10, max_iter=5000)).params.components
    wrong = climbed(model, X, start).params.components
    assert right.covariances[0, 0] == pytest.approx(1.0, abs=0.1)
    assert wrong.covariances[0, 0] == pytest.approx(0.6391, abs=0.03)
    assert np.ptp(right.means) == pytest.approx(2.0, abs=0.1)
    assert np.ptp(wrong.means) == pytest.approx(2 * 1.1666, abs=0.06)


def test_a_component_that_is_nowhere_the_most_probable_keeps_its_place_without_weight() -> None:
    model, params, X = clouds()
    far = params.components.means.copy()
    far[2] = 100.0
    start = MixtureParams(
        params.weights, gaussian_params(far, params.components.covariances, structure("full").form)
    )
    climb = climbed(model, X, start)
    assert climb.converged
    assert climb.params.weights[2] == 0
    np.testing.assert_array_equal(climb.params.components.means[2], far[2])
    two = MixtureParams(
        params.weights[:2] / params.weights[:2].sum(),
        gaussian_params(far[:2], params.components.covariances[:2], structure("full").form),
    )
    assert climb.objective == pytest.approx(climbed(model, X, two).objective, rel=1e-12)


@every_type
def test_collapse_is_raised_as_by_em(name: str) -> None:
    model, params, X = clouds(name)
    X = np.r_[X, [[60.0, 60.0]]]
    means = params.components.means.copy()
    means[0] = 60.0
    start = MixtureParams(
        params.weights, gaussian_params(means, params.components.covariances, structure(name).form)
    )
    if name == "tied":
        # One covariance for all does not collapse on one row: it does on three, one for each.
        X = means
    with pytest.raises(FAILURES):
        climbed(model, X, start)
    assert np.isfinite(climbed(with_penalty(model, np.r_[X, X + 1.0]), X, start).objective)


@dataclass(frozen=True)
class Backwards(Mixture):
    """An M-step that goes the wrong way."""

    def m_step(self, summary: Any, params: MixtureParams) -> MixtureParams:
        after = super().m_step(summary, params)
        return replace(
            after,
            components=gaussian_params(
                after.components.means + 2.0, after.components.covariances, structure("full").form
            ),
        )


def test_a_fall_of_the_classification_likelihood_is_an_error() -> None:
    model, params, X = clouds()
    with pytest.raises(LikelihoodFell):
        climbed(Backwards(model.family, model.prior), X, params)


def test_an_estimator_says_that_it_is_no_maximum_of_the_likelihood(iris: Array) -> None:
    found = GaussianMixture(3, solver="hard", random_state=0).fit(iris)
    assert found.converged_
    assert found.fit_result_.solver == "hard"
    assert found.fit_result_.verdict == "not a maximum"
    best = GaussianMixture(3, random_state=0).fit(iris)
    assert found.lower_bound_ < best.lower_bound_ - 1e-3
    assert adjusted_rand_score(found.predict(iris), best.predict(iris)) > 0.8

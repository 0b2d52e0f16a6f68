"""Truncated EM: what a row keeps, a free energy that never falls, and what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from mixtura import GaussianMixture, Truncated
from mixtura.data.rows import Rows
from mixtura.engines import threads
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

every_structure = pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])


def clouds(
    name: str = "full", *, n: int = 3000, K: int = 30, d: int = 3, spread: float = 2.0
) -> tuple[Mixture, Array, MixtureParams]:
    rng = np.random.default_rng(0)
    centres = spread * rng.normal(size=(K, d))
    X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    form = structure(name).form
    covariances = form.restrict(np.broadcast_to(np.eye(d), (d, d)))
    stacked = form.shape(K, d) != covariances.shape
    if stacked:
        covariances = np.stack([covariances] * K)
    params = gaussian_params(centres + 0.2 * rng.normal(size=(K, d)), covariances, form)
    model = Mixture(Gaussian(structure(name)), no_prior(form, d))
    return model, X, MixtureParams(np.full(K, 1 / K), params)


@every_structure
@pytest.mark.parametrize("engine", ENGINES)
def test_a_pass_that_searches_everywhere_keeps_the_likeliest(name: str, engine: str) -> None:
    model, X, params = clouds(name)
    w = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(np.float64)
    sweep, kept = open_sweep(engine, model, Rows(X, w)), None
    for _ in range(3):
        got, kept = Truncated(3, 29)._pass(Problem(model, sweep, params, 0.0, 1), params, kept)
        joint = np.sort(model.log_joint(X, params), axis=1)[:, -3:]
        assert got.loglik == pytest.approx(w @ logsumexp(joint, axis=1), rel=1e-12)
        assert got.statistics.counts.sum() == pytest.approx(w.sum(), rel=1e-12)
        params = model.m_step(got, params)


@every_structure
@pytest.mark.parametrize("keep", [1, 2, 5, 8])
def test_the_free_energy_never_falls_and_bounds_the_likelihood(name: str, keep: int) -> None:
    model, X, params = clouds(name)
    sweep, kept, before = open_sweep("compiled", model, Rows(X)), None, -np.inf
    for _ in range(12):
        part, kept = Truncated(keep, 3)._pass(Problem(model, sweep, params, 0.0, 1), params, kept)
        assert part.loglik >= before - 1e-12 * abs(before)
        assert part.loglik <= sweep(params).loglik + 1e-9
        # What is kept is never given up for something worse, whatever the neighbours are.
        again, _ = Truncated(keep, 1)._pass(Problem(model, sweep, params, 0.0, 1), params, kept)
        assert again.loglik >= part.loglik - 1e-12 * abs(part.loglik)
        before, params = part.loglik, model.m_step(part, params)


def test_separated_clouds_lose_nothing_and_overlapping_ones_little() -> None:
    model, X, params = clouds(spread=15.0)
    sweep = open_sweep("compiled", model, Rows(X))
    settings: dict[str, Any] = {"tol": 1e-9, "max_iter": 300}
    apart = Truncated()(Problem(model, sweep, params, **settings))
    assert apart.converged
    assert not apart.stationary
    assert apart.objective == pytest.approx(em(Problem(model, sweep, params, **settings)).objective)

    model, X, params = clouds()
    sweep = open_sweep("compiled", model, Rows(X))
    best = em(Problem(model, sweep, params, tol=0.0, max_iter=40)).objective
    for keep in (2, 4, 8):
        end = Truncated(keep, 29)(Problem(model, sweep, params, tol=0.0, max_iter=40))
        assert end.objective > best - 0.02 * len(X)


def test_the_answer_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    model, X, params = clouds(n=30_000)
    ends = []
    for count in (1, 2, 4):
        monkeypatch.setattr(threads, "workers", lambda count=count: count)
        sweep = open_sweep("compiled", model, Rows(X))
        ends.append(Truncated(2, 4)(Problem(model, sweep, params, tol=0.0, max_iter=4)))
    for end in ends[1:]:
        assert end.logliks == ends[0].logliks


def test_a_step_is_told_and_the_last_value_is_the_likelihood() -> None:
    model, X, params = clouds()
    sweep, told = open_sweep("compiled", model, Rows(X)), []
    climb = Truncated(1)(
        Problem(
            model, sweep, params, tol=0.0, max_iter=5, on_step=lambda step, gain: told.append(step)
        )
    )
    assert told == [1, 2, 3, 4, 5]
    assert climb.logliks[-1] == sweep(climb.params).loglik > climb.logliks[-2]
    assert not climb.converged
    assert "max_iter=5" in climb.reason


def test_a_fit_by_name_says_what_ran() -> None:
    _, X, _ = clouds(K=5, spread=6.0)
    fitted = GaussianMixture(5, solver="truncated", random_state=0).fit(X)
    assert fitted.fit_result_.solver == "truncated"
    assert "free energy" in fitted.fit_result_.reason
    exact = GaussianMixture(5, random_state=0).fit(X)
    assert fitted.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-3)


@pytest.mark.parametrize("settings", [{"keep": 0}, {"keep": 9}, {"search": 0}, {"keep": 2.0}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"Truncated: {next(iter(settings))} must be"):
        Truncated(**settings)

"""M-steps and climbs in C against the rows of `families/covariance.py`, for all structures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.native import structured
from mixtura.estimators.finding import Ground, prepare
from mixtura.estimators.searching import FOURTEEN
from mixtura.families.covariance import STRUCTURES, structure
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


def ground(X: Array, name: str, K: int) -> Ground:
    return prepare(Rows(X), structure(name), K, np.random.RandomState(0))


def groups(n: int, K: int) -> Array:
    """Shares of K components in n rows, none of them zero."""
    drawn = np.random.default_rng(7).integers(K, size=n)
    return np.asarray(0.4 * np.eye(K)[drawn] + 0.6 / K)


def in_c(
    X: Array, model: Mixture, start: MixtureParams, weight: Array | None = None, **settings: object
) -> structured.Climbed:
    prior, parts, row = model.prior, start.components, model.family.structure
    penalty = structured.Penalty(
        prior.strength, prior.target, prior.held, float(np.max(prior.absolute))
    )
    name = "" if row.inside else row.letters
    return structured.gaussian_climb(
        X,
        weight,
        start.weights,
        parts.means,
        parts.root,
        row.form.name,
        name,
        penalty=penalty,
        **settings,
    )


def close(found: structured.Climbed, wanted: MixtureParams) -> None:
    for got, want in (
        (found.weights, wanted.weights),
        (found.means, wanted.components.means),
        (found.roots, wanted.components.root),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * np.abs(want).max())


def test_names_are_the_tables() -> None:
    rows = {row.letters for row in STRUCTURES.values() if not row.inside}
    assert rows == set(structured.SHARED)


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("name", FOURTEEN)
def test_every_m_step_is_the_tables(name: str, penalised: bool, iris: Array) -> None:
    here = ground(iris, name, 4)
    model = here.model if penalised else here.model.unpenalised()
    if penalised:
        # A thousand times stronger than it is, so that an error in it would show.
        model = replace(model, prior=replace(model.prior, strength=1e3 * model.prior.strength))
    share, base = groups(len(iris), 4), here.maker.base
    params = model.start(iris, None, share, base)
    for steps in range(1, 7):
        at = params
        params = model.m_step(model.e_step(iris, None, at), at)
        close(in_c(iris, model, at, passes=1), params)
        close(in_c(iris, model, base, passes=steps, groups=share), params)


@pytest.mark.parametrize("name", ["VEE", "EVE", "VVE", "VEV", "EVV"])
def test_many_columns_weights_and_an_empty_component(name: str) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 9)) @ rng.normal(size=(9, 9)) + 4.0 * rng.integers(3, size=(400, 1))
    weight = rng.integers(0, 4, size=400).astype(float)
    model = ground(X, name, 3).model.unpenalised()
    share = groups(400, 3)
    share[:, 0] += share[:, 1]
    share[:, 1] = 0.0
    base = ground(X, name, 3).maker.base
    params = model.start(X, weight, share, base)
    after = model.m_step(model.e_step(X, weight, params), params)
    close(in_c(X, model, base, weight, passes=1, groups=share), after)
    assert after.weights[1] == 0


@pytest.mark.parametrize("name", FOURTEEN)
def test_a_climb_ends_where_the_gain_to_come_is_small(name: str, faithful: Array) -> None:
    here = ground(faithful, name, 2)
    model = here.model.unpenalised()
    share = np.eye(2)[(faithful[:, 1] > 68).astype(int)]
    settings = {"passes": 500, "groups": share}
    rough, fine = (
        in_c(faithful, model, here.maker.base, tol=tol, **settings) for tol in (1e-2, 1e-9)
    )
    assert rough.reason == fine.reason == structured.CONVERGED
    assert (np.diff(fine.logliks) > -1e-8).all()
    assert len(rough.logliks) < len(fine.logliks) < 500
    assert 0 <= fine.logliks[-1] - rough.logliks[-1] < 2e-2
    end = model.with_arrays(
        here.maker.base,
        {
            "weights": fine.weights,
            "means": fine.means,
            "covariances": structure(name).form.square(fine.roots),
        },
    )
    assert model.e_step(faithful, None, end).loglik == pytest.approx(fine.logliks[-1], rel=1e-12)


def test_a_climb_ends_where_a_component_becomes_too_narrow() -> None:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(60, 2)), 5.0 + 1e-4 * rng.normal(size=(4, 2))])
    here = ground(X, "VVV", 2)
    prior = here.model.prior
    share = np.eye(2)[np.r_[np.zeros(60, int), np.ones(4, int)]]
    narrow = structured.Narrowest(prior.pivots, 6.0, 1e-3, 1e-14)
    settings = {"passes": 100, "tol": 1e-6, "groups": share, "narrowest": narrow}
    end = in_c(X, here.model.unpenalised(), here.maker.base, **settings)
    assert (end.reason, end.failed) == (structured.COLLAPSED, 1)


def test_the_sweep_takes_whole_steps_of_every_structure(iris: Array) -> None:
    for name in FOURTEEN:
        here = ground(iris, name, 3)
        model = here.model.unpenalised()
        start = model.start(iris, None, groups(len(iris), 3), here.maker.base)
        sweep = here.open_sweep(model, Rows(iris))
        assert sweep.steps_inside
        params, between = sweep.advance(model, start, sweep(start), 3)
        assert len(between) == 2
        for _ in range(3):
            start = model.m_step(model.e_step(iris, None, start), start)
        np.testing.assert_allclose(
            params.components.root, start.components.root, rtol=0, atol=1e-10 * np.abs(iris).max()
        )

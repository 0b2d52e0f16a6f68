"""M-steps and climbs in C against the rows of the table of covariances, for all structures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.gaussian import structured
from mixtura.engines.gaussian.climbing import SHARED, MStep, Reached, gaussian_em
from mixtura.engines.gaussian.compiled import m_step_in_c
from mixtura.engines.gaussian.whole import Climber
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.families.registry import family
from mixtura.fitting.mixture_fit import Ground, prepare
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.selection.grid import FOURTEEN


def ground(X: Array, name: str, K: int) -> Ground:
    return prepare(Rows(X), family(name), K, np.random.RandomState(0))


def groups(n: int, K: int) -> Array:
    """Shares of K components in n rows, none of them zero."""
    drawn = np.random.default_rng(7).integers(K, size=n)
    return np.asarray(0.4 * np.eye(K)[drawn] + 0.6 / K)


def start_of(params: MixtureParams) -> tuple[Array, Array, Array]:
    return params.weights, params.components.means, params.components.root


def stepped(
    X: Array, model: Mixture, start: MixtureParams, weight: Array | None = None, **settings: Any
) -> Reached:
    row = model.family.structure
    m_step = m_step_in_c(row, model.prior)._asdict()
    return gaussian_em(X, weight, *start_of(start), row.form.name, **m_step, **settings)


def climbed(X: Array, model: Mixture, start: MixtureParams, **settings: Any) -> tuple[Reached, int]:
    row = model.family.structure
    m_step = m_step_in_c(row, model.prior)
    return structured.gaussian_climb(
        X, None, *start_of(start), row.form.name, m_step, passes=500, **settings
    )


def close(found: Reached, wanted: MixtureParams) -> None:
    for got, want in (
        (found.weights, wanted.weights),
        (found.means, wanted.components.means),
        (found.roots, wanted.components.root),
    ):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * np.abs(want).max())


def test_names_are_the_tables() -> None:
    rows = {row.letters for row in STRUCTURES.values() if not row.inside}
    assert rows == set(SHARED)


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("name", FOURTEEN)
def test_every_m_step_is_the_tables(name: str, penalised: bool, iris: Array) -> None:
    here = ground(iris, name, 4)
    model = here.model if penalised else here.model.unpenalised()
    if penalised:
        # A thousand times stronger than it is, so that an error in it would show.
        model = replace(model, prior=replace(model.prior, strength=1e3 * model.prior.strength))
    share, base = groups(len(iris), 4), here.maker.base
    params = model.first_step(iris, None, share, base)
    for steps in range(1, 7):
        at = params
        params = model.m_step(model.e_step(Chunk(iris), at), at)
        close(stepped(iris, model, at, passes=1), params)
        close(stepped(iris, model, base, passes=steps + 1, given=share), params)


@pytest.mark.parametrize("name", ["VEE", "EVE", "VVE", "VEV", "EVV"])
def test_many_columns_weights_and_an_empty_component(name: str) -> None:
    rng = np.random.default_rng(3)
    stretch = 1.5 ** rng.normal(size=(3, 9))
    of = rng.integers(3, size=400)
    X = (rng.normal(size=(400, 9)) * stretch[of]) @ rng.normal(size=(9, 9)) + 4.0 * of[:, None]
    weight = rng.integers(0, 4, size=400).astype(float)
    model = ground(X, name, 3).model.unpenalised()
    # Groups that differ in shape, or the search for common axes has no end to find.
    share = 0.1 * groups(400, 3) + 0.9 * np.eye(3)[of]
    share[:, 0] += share[:, 1]
    share[:, 1] = 0.0
    base = ground(X, name, 3).maker.base
    params = model.first_step(X, weight, share, base)
    after = model.m_step(model.e_step(Chunk(X, weight), params), params)
    close(stepped(X, model, base, weight, passes=2, given=share), after)
    assert after.weights[1] == 0


@pytest.mark.parametrize("name", FOURTEEN)
def test_a_climb_ends_where_the_gain_to_come_is_small(name: str, faithful: Array) -> None:
    here = ground(faithful, name, 2)
    model = here.model.unpenalised()
    share = np.eye(2)[(faithful[:, 1] > 68).astype(int)]
    (rough, why), (fine, also) = (
        climbed(faithful, model, here.maker.base, tol=tol, given=share) for tol in (1e-2, 1e-9)
    )
    assert why == also == structured.CONVERGED
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
    assert model.e_step(Chunk(faithful), end).loglik == pytest.approx(fine.logliks[-1], rel=1e-12)


def test_a_climb_ends_where_a_component_becomes_too_narrow() -> None:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(60, 2)), 5.0 + 1e-4 * rng.normal(size=(4, 2))])
    here = ground(X, "VVV", 2)
    prior = here.model.prior
    share = np.eye(2)[np.r_[np.zeros(60, int), np.ones(4, int)]]
    narrow = structured.Narrowest(prior.pivots, 6.0, 1e-3, 1e-14)
    end, why = climbed(
        X, here.model.unpenalised(), here.maker.base, tol=1e-6, given=share, narrowest=narrow
    )
    assert (why, end.failed) == (structured.COLLAPSED, 1)


@pytest.mark.parametrize("name", ["VVV", "EEE", "VVI", "VEV"])
def test_groups_without_a_covariance_leave_the_parameters(name: str, iris: Array) -> None:
    form = structure(name).form
    flat = iris[:, :2] * [1.0, 0.0]
    root = {"full": np.stack(2 * [np.eye(2)]), "tied": np.eye(2), "diag": np.ones((2, 2))}
    start = np.full(2, 0.5), np.zeros((2, 2)), root[form.name]
    nothing = np.zeros(root[form.name].shape[-1 if form.name == "diag" else -2 :])
    m_step = MStep(0.0, nothing, nothing, 0.0, name if name in SHARED else "")
    end, why = structured.gaussian_climb(
        flat, None, *start, form.name, m_step, passes=5, tol=1e-6, given=groups(150, 2)
    )
    assert (why, len(end.logliks)) == (structured.ILL_DEFINED, 0)
    for got, want in zip((end.weights, end.means, end.roots), start, strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_sweep_takes_whole_steps_of_every_structure(iris: Array) -> None:
    for name in FOURTEEN:
        here = ground(iris, name, 3)
        model = here.model.unpenalised()
        start = model.first_step(iris, None, groups(len(iris), 3), here.maker.base)
        sweep = here.open_sweep(model, Rows(iris))
        assert sweep.steps_inside
        params, summary, between = sweep.advance(model, start, sweep(start), 3)
        assert len(between) == 2
        assert summary.loglik == pytest.approx(sweep(params).loglik, rel=1e-13)
        for _ in range(3):
            start = model.m_step(model.e_step(Chunk(iris), start), start)
        np.testing.assert_allclose(
            params.components.root, start.components.root, rtol=0, atol=1e-10 * np.abs(iris).max()
        )


def test_a_contest_goes_on_from_its_best_start(iris: Array) -> None:
    here = ground(iris, "VEE", 3)
    climber = Climber(
        here.model.unpenalised(), ground(iris, "VEE", 1).maker.base.components, 1e-8, 500
    )
    thirds = np.eye(3)[np.repeat([0, 1, 2], 50)]
    # One row by itself is a singularity; the true groups are the best of the rest.
    alone = np.eye(3)[np.r_[0, np.ones(75, int), np.full(74, 2)]]
    starts = np.stack([alone, groups(150, 3), thirds])
    end, told = climber.contest(Rows(iris), starts, None)
    single = climber.from_groups(Rows(iris), thirds)
    assert end is not None
    assert single is not None
    assert told.won == int(np.argmax(told.values)) == 2
    assert end.loglik == pytest.approx(single.loglik, abs=1e-4)
    assert told.values[3] == -np.inf
    assert end.loglik >= told.values.max()


def test_a_contest_splits_a_mixture_with_one_component_less(iris: Array) -> None:
    climber = Climber(
        ground(iris, "VVV", 1).model.unpenalised(),
        ground(iris, "VVV", 1).maker.base.components,
        1e-8,
        500,
    )
    rows, none = Rows(iris), np.empty((0, 150, 3))
    two = climber.from_groups(rows, np.eye(2)[np.repeat([0, 1, 1], 50)])
    assert two is not None
    end, told = climber.contest(rows, none, two.params)
    assert end is not None
    assert told.won == 0
    # The three kinds of iris: mclust's VVV with three groups.
    assert end.loglik == pytest.approx(-180.186, abs=0.01)

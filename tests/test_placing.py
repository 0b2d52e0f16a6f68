"""Points and slopes of a chart by the kernel, against NumPy's and against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.gaussian.compiled import CompiledSweep
from mixtura.engines.gaussian.placing import COLUMNS, PlacingChart
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.solvers.charted import Charted, evaluated
from mixtura.solvers.climb import objective_at


def charted(
    d: int, K: int, name: str = "full", penalty: float = 0.0, weights: Array | None = None
) -> Charted:
    """Around a random mixture, over rows of weights, some of them none."""
    rng, kind = np.random.default_rng(d), structure(name)
    form, prior = kind.form, no_prior(kind.form, d)
    if penalty:
        prior = replace(prior, strength=penalty, target=2.0 * form.identity(d))
    model = Mixture(Gaussian(kind), prior)
    rows = Rows(2.0 * rng.normal(size=(300, d)), rng.integers(0, 3, size=300) * 0.7)
    roots = np.eye(d) + 0.3 * np.tril(rng.normal(size=(K, d, d)))
    covariances = roots @ np.swapaxes(roots, 1, 2)
    if form.name != "full":
        covariances = form.repeat(form.identity(d), K)
    components = gaussian_params(rng.normal(size=(K, d)), covariances, form)
    params = MixtureParams(rng.dirichlet(np.ones(K)) if weights is None else weights, components)
    sweep = CompiledSweep(model, rows)
    return Charted.around(model, sweep, params, sweep(params))


@pytest.mark.parametrize("penalty", [0.0, 30.0])
@pytest.mark.parametrize(("d", "K"), [(1, 3), (2, 5), (3, 4), (7, 3), (COLUMNS, 2), (2, 1)])
def test_points_and_slopes_are_those_of_the_formula(d: int, K: int, penalty: float) -> None:
    here = charted(d, K, penalty=penalty)
    assert isinstance(here.chart, PlacingChart)
    slow = here.model.chart(here.centre.params)
    free = np.random.default_rng(K).normal(size=slow.size) * np.minimum(0.3, 0.1 * slow.radius)
    expected, found = slow.params(free), here.chart.params(free)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-13)
    for part in ("means", "root", "whiten", "log_norm"):
        ours, theirs = getattr(found.components, part), getattr(expected.components, part)
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(here.chart.coordinates(found), free, atol=1e-12)
    summary = here.sweep(expected)
    gradient = slow.gradient(summary, expected)
    np.testing.assert_allclose(
        here.chart.gradient(summary, expected), gradient, atol=1e-12 * np.abs(gradient).max()
    )


@pytest.mark.parametrize(("d", "K"), [(2, 4), (3, 2)])
def test_the_slope_is_what_the_objective_rises_by(d: int, K: int) -> None:
    here = charted(d, K, penalty=10.0)

    def height(free: Array) -> float:
        params = here.chart.params(free)
        return objective_at(here.model, here.sweep(params), params)

    free = 0.1 * np.random.default_rng(0).normal(size=here.chart.size)
    params, step = here.chart.params(free), 1e-5
    gradient = here.chart.gradient(here.sweep(params), params)
    differences = [
        (height(free + step * axis) - height(free - step * axis)) / (2 * step)
        for axis in np.eye(here.chart.size)
    ]
    np.testing.assert_allclose(gradient, differences, atol=1e-6 * np.abs(gradient).max())


def test_a_share_of_zero_stays_there_and_has_no_number() -> None:
    here = charted(2, 3, weights=np.array([0.4, 0.0, 0.6]))
    slow = here.model.chart(here.centre.params)
    assert here.chart.size == slow.size == 16
    free = np.minimum(0.2, 0.1 * slow.radius)
    params, expected = here.chart.params(free), slow.params(free)
    np.testing.assert_allclose(params.weights, expected.weights, rtol=1e-14)
    assert params.weights[1] == 0.0
    summary = here.sweep(params)
    np.testing.assert_allclose(
        here.chart.gradient(summary, params), slow.gradient(summary, params), atol=1e-10
    )


def test_a_point_that_is_no_number_is_none() -> None:
    here = charted(2, 2)
    assert here.at(np.full(here.chart.size, 1e5)) is None
    for bad in (np.nan, np.inf):
        free = np.zeros(here.chart.size)
        free[-1] = bad
        assert evaluated(here.model, here.sweep, lambda free=free: here.chart.params(free)) is None


@pytest.mark.parametrize(("name", "d"), [("full", COLUMNS + 1), ("diag", 2), ("EVV", 2)])
def test_other_charts_are_left_as_they_are(name: str, d: int) -> None:
    assert not isinstance(charted(d, 2, name).chart, PlacingChart)

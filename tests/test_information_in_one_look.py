"""The observed information in one look at the rows, against differences of gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.engines.gaussian.compiled import CompiledSweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.models.fixed import FixedWeights
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.solvers import curvature
from mixtura.solvers.auto import auto
from mixtura.solvers.charted import Charted
from mixtura.solvers.curvature import information_times, smallest_curvature, symmetric
from mixtura.solvers.em import em
from mixtura.solvers.examine import Examiner
from mixtura.solvers.problem import Problem

# Of the differences, which are one-sided.
NEAR = 5e-6


def groups(n: int, d: int) -> Array:
    rng = np.random.default_rng(d)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.4 * np.triu(rng.normal(size=(d, d))))
    return np.asarray(X + 1.5 * rng.integers(0, 3, size=(n, 1)))


def charted(name: str, X: Array, K: int, w: Array | None = None, penalty: float = 0.0) -> Charted:
    """After a few EM steps from a random start: far from where EM stands still."""
    d, form = X.shape[1], structure(name).form
    prior = no_prior(form, d)
    if penalty:
        prior = replace(prior, strength=penalty, target=2.0 * form.identity(d))
    model = Mixture(Gaussian(structure(name)), prior)
    rows = Rows(X, w)
    sweep = CompiledSweep(model, rows)
    found = np.random.default_rng(K).dirichlet(np.ones(K), size=len(X))
    some = np.ones(len(X)) if w is None else w
    used = some > 0
    means = found[used].T @ (X[used] * some[used, None]) / (found.T @ some)[:, None]
    components = model.family.params(
        {"means": means, "covariances": form.repeat(4.0 * form.identity(d), K)}
    )
    params = MixtureParams(np.full(K, 1 / K), components)
    summary = sweep(params)
    for _ in range(3):
        params = model.m_step(summary, params)
        summary = sweep(params)
    return Charted.around(model, sweep, params, summary)


def by_passes(here: Charted) -> Array:
    return symmetric(information_times(here, axis) for axis in np.eye(here.chart.size))


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "EEI", "VEI", "EVV"])
@pytest.mark.parametrize(("d", "K"), [(3, 4), (2, 1)])
def test_it_is_what_a_pass_for_each_number_tells(name: str, d: int, K: int) -> None:
    here = charted(name, groups(400, d), K)
    np.testing.assert_allclose(here.observed(), by_passes(here), atol=NEAR)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("d", [1, 3])
def test_with_weights_rows_of_none_and_a_penalty(name: str, d: int) -> None:
    X = groups(5000, d).astype(np.float32)
    w = np.random.default_rng(0).integers(0, 4, size=len(X)) * 0.7
    # What a row of no weight holds does not matter.
    X[w == 0] = np.nan
    here = charted(name, X, 3, w, penalty=40.0)
    np.testing.assert_allclose(here.observed(), by_passes(here), atol=NEAR)


def test_a_weight_is_copies_of_the_row() -> None:
    X, w = groups(300, 2), np.arange(300) % 3
    weighted = charted("full", X, 3, w.astype(float))
    model, params = weighted.model, weighted.centre.params
    sweep = CompiledSweep(model, Rows(np.repeat(X, w, axis=0)))
    copied = Charted.around(model, sweep, params, sweep(params))
    np.testing.assert_allclose(weighted.observed(), copied.observed(), atol=1e-9)


def test_where_weights_are_known() -> None:
    here = charted("full", groups(400, 2), 3)
    model = replace(here.model, fixed=FixedWeights(here.centre.params.weights))
    sweep = CompiledSweep(model, here.sweep.rows)
    free = Charted.around(model, sweep, here.centre.params, here.centre.summary)
    assert free.chart.size == here.chart.size - 2
    np.testing.assert_allclose(free.observed(), here.observed()[2:, 2:], atol=1e-12)


def overlapping() -> tuple[Problem, int]:
    """Five clouds that overlap, and how many free numbers there are."""
    rng, centres = np.random.default_rng(5), np.array([[0, 0], [3, 0], [0, 3], [3, 3], [6, 1]])
    X = centres[rng.integers(0, 5, 3000)] + rng.normal(size=(3000, 2))
    here = charted("full", X, 5)
    return Problem(here.model, here.sweep, here.centre.params, 1e-6, 1000), here.chart.size


def test_auto_climbs_by_it_to_a_maximum_and_knows_the_whole_curvature_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As with more components, of which a row has a share in few.
    monkeypatch.setattr(CompiledSweep, "information_price", lambda self, params, led=False: 20.0)
    problem, size = overlapping()
    climb = auto(problem)
    assert climb.ran.endswith("sphered")
    climb, certificate = Examiner(problem, auto).examined(climb)
    assert (certificate.verdict, certificate.method) == ("interior maximum", "exact")
    here = Charted.around(problem.model, problem.sweep, climb.params, climb.summary)
    values = np.linalg.eigvalsh(by_passes(here))
    assert len(values) == size
    assert certificate.curvature == pytest.approx(values[0], abs=NEAR)
    # It is no lower than what EM comes to in thousands of steps.
    slow = em(problem.replaced(tol=1e-12, max_iter=1000, params=climb.params))
    assert climb.objective >= slow.objective - 1e-6 * climb.summary.weight
    assert np.diff(climb.logliks).min() >= -1e-9 * abs(climb.objective)


def test_of_many_numbers_the_smallest_eigenvalues_are_worked_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CompiledSweep, "information_price", lambda self, params, led=False: 20.0)
    problem, size = overlapping()
    here = Charted.around(problem.model, problem.sweep, problem.params, problem.first())
    whole = smallest_curvature(here, np.random.RandomState(0))
    monkeypatch.setattr("mixtura.solvers.curvature.MANY", size - 1)
    monkeypatch.setattr("mixtura.solvers.curvature.STEPS", 10)
    some = smallest_curvature(here, np.random.RandomState(0))
    assert (len(whole.values), len(some.values)) == (size, 10)
    np.testing.assert_allclose(some.values, whole.values[:10], atol=1e-10)


def test_newtons_step_knows_all_directions_where_few_eigenvalues_are_told(monkeypatch) -> None:
    here = charted("full", groups(3000, 2), 6)
    rng, gradient = np.random.RandomState(0), here.centre.gradient
    told = smallest_curvature(here, rng, 500)
    monkeypatch.setattr(curvature, "MANY", 10)
    cut = smallest_curvature(here, rng, 500)
    assert len(cut.values) < len(told.values) == here.chart.size
    for one, other in zip(cut.newton(gradient), told.newton(gradient), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)

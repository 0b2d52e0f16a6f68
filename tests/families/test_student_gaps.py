"""t components and missing cells: Liu & Rubin's EM, against marginal densities and differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_t

import mixtura
from mixtura import StudentMixture
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.families.student.family import Student
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk

SCALES = np.array([[[1, 0.6, 0.2], [0.6, 2, 0.3], [0.2, 0.3, 1]], 0.5 * np.eye(3) + 0.2])
MEANS = np.array([[0.0, 0, 0], [6, 6, 0]])
NU = np.array([4.0, 7.0])


def holed(n: int, seed: int = 0) -> tuple[Array, Array]:
    """(rows with gaps, the same whole) of two t components."""
    rng = np.random.default_rng(seed)
    X = np.vstack([multivariate_t(MEANS[k], SCALES[k], NU[k]).rvs(n, rng) for k in range(2)])
    X = rng.permutation(X)
    holes = np.where(rng.random(X.shape) < 0.25, np.nan, X)
    there = ~np.isnan(holes).all(axis=1)
    return holes[there], X[there]


def given(nu: float | str = "each") -> tuple[Mixture, MixtureParams, Student]:
    kind = Student(degrees_of_freedom=nu, gaps=True)
    arrays = {"means": MEANS, "scales": SCALES, "degrees_of_freedom": NU}
    prior = HeavyPrior(no_prior(kind.structure.form, 3), "scales")
    return Mixture(kind, prior), MixtureParams(np.array([0.6, 0.4]), kind.params(arrays)), kind


def test_a_row_has_the_density_of_the_cells_that_are_there() -> None:
    _, params, kind = given()
    X = holed(40)[0]
    found = kind.log_density(X, params.components)
    for i, row in enumerate(X):
        seen = ~np.isnan(row)
        for k in range(2):
            law = multivariate_t(MEANS[k][seen], SCALES[k][np.ix_(seen, seen)], NU[k])
            assert found[i, k] == pytest.approx(law.logpdf(row[seen]), abs=1e-10)


def test_sums_of_whole_rows_are_the_plain_ones() -> None:
    _, params, kind = given()
    X = holed(60)[1]
    resp = np.random.default_rng(1).uniform(size=(len(X), 2))
    one, other = (k.statistics(X, resp, params.components) for k in (kind, kind.whole()))
    np.testing.assert_allclose(one.logs, other.logs, rtol=1e-10)
    np.testing.assert_allclose(one.weighed.first, other.weighed.first, atol=1e-9)
    np.testing.assert_allclose(one.weighed.second, other.weighed.second, atol=1e-9)


@pytest.mark.parametrize("nu", ["each", "common", 5.0])
def test_the_gradient_is_that_of_the_likelihood_of_what_is_there(nu: float | str) -> None:
    model, params, _ = given(nu)
    X = holed(60)[0]
    chart, rng = model.chart(params), np.random.default_rng(2)
    here = 0.1 * rng.normal(size=chart.size)
    summary = model.e_step(Chunk(X), chart.params(here))
    gradient = chart.gradient(summary, chart.params(here))
    for _ in range(4):
        way, step = rng.normal(size=chart.size), 1e-5
        ends = [chart.params(here + sign * step * way) for sign in (1, -1)]
        one, two = (model.e_step(Chunk(X), end).loglik for end in ends)
        assert gradient @ way == pytest.approx((one - two) / (2 * step), rel=1e-5, abs=1e-4)


def test_a_fit_with_gaps(tmp_path: Path) -> None:
    """EM refuses a fall; the certificate says that the end is a maximum."""
    X, truth = holed(500)
    found = StudentMixture(2, random_state=0).fit(X)
    assert found.converged_
    assert found.fit_result_.verdict == "interior maximum"
    order = np.argsort(found.means_[:, 0])
    np.testing.assert_allclose(found.means_[order], MEANS, atol=0.3)
    gaps = np.isnan(X)
    filled = found.impute(X)
    np.testing.assert_array_equal(filled[~gaps], X[~gaps])
    by_mean = np.where(gaps, np.nanmean(X, axis=0), X)
    assert np.abs(filled - truth)[gaps].mean() < 0.6 * np.abs(by_mean - truth)[gaps].mean()
    found.save(tmp_path / "t.json")
    assert mixtura.load(tmp_path / "t.json").score(X) == found.score(X)


def test_draws_have_the_spread_of_t_given_the_other_cells() -> None:
    """Given a cell at distance delta the others are t with nu + 1 degrees of freedom, and wider."""
    _, params, kind = given()
    row = np.array([[3.0, np.nan, np.nan]])
    X = np.repeat(row, 40_000, axis=0)
    labels = np.zeros(len(X), dtype=int)
    drawn = kind.completed(X, labels, params.components, np.random.RandomState(0))[:, 1]
    left = SCALES[0][1, 1] - SCALES[0][0, 1] ** 2 / SCALES[0][0, 0]
    variance = (NU[0] + 9.0) / (NU[0] + 1) * left * (NU[0] + 1) / (NU[0] + 1 - 2)
    assert drawn.mean() == pytest.approx(0.6 * 3, abs=0.06)
    assert drawn.var() == pytest.approx(variance, rel=0.08)

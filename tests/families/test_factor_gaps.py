"""Factor analysers and missing cells: SciPy's marginals, identities, differences, whole fits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from mixtura import GaussianMixture, GaussianMixtureSearch
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.gaps import FactorGapsLook, guessed
from mixtura.families.factor.prior import no_noise_prior
from mixtura.families.factor.records import FactorParams, factor_params
from mixtura.families.factor.structure import LETTERS, FactorAnalytic
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk

every_kind = pytest.mark.parametrize("letters", LETTERS)
nan = np.nan


def made(letters: str, K: int = 2, d: int = 4, q: int = 2) -> FactorParams:
    rng, kind = np.random.default_rng(0), FactorAnalytic(q, letters)
    noise = rng.uniform(0.3, 0.8, size=kind.noise_shape(K, d))
    loadings = rng.normal(size=kind.loadings_shape(K, d))
    return factor_params(rng.normal(size=(K, d)), loadings, noise)


def two_groups(n: int = 400, d: int = 6) -> tuple[Array, Array, Array]:
    """(rows with gaps, the same whole, labels); no row without a cell."""
    rng = np.random.default_rng(1)
    labels = (rng.random(n) < 0.4).astype(int)
    loadings = rng.normal(size=(2, d, 2))
    X = np.einsum("nq,ndq->nd", rng.normal(size=(n, 2)), loadings[labels])
    X += 0.5 * rng.normal(size=(n, d)) + 6.0 * labels[:, None] * (np.arange(d) % 2)
    holes = np.where(rng.random(X.shape) < 0.25, nan, X)
    there = ~np.isnan(holes).all(axis=1)
    return holes[there], X[there], labels[there]


@every_kind
def test_every_pattern_has_the_density_mean_and_spread_of_the_dense_normal(letters: str) -> None:
    parts, rng = made(letters), np.random.default_rng(2)
    seen = np.array(list(product([False, True], repeat=4)))
    X = np.where(seen, rng.normal(size=seen.shape), nan)
    look = FactorGapsLook(X, parts)
    drawn = FactorGapsLook(np.repeat(X[[5]], 20_000, axis=0), parts).completed(
        np.ones(20_000, dtype=int), np.random.RandomState(0)
    )
    for k, cov in enumerate(parts.covariances):
        filled = look.filled(k)
        for i, there in enumerate(seen):
            mean, own = parts.means[k], cov[np.ix_(there, there)]
            if there.any():
                expected = multivariate_normal(mean[there], own).logpdf(X[i, there])
                assert look.log_density[i, k] == pytest.approx(expected, abs=1e-10)
            else:
                assert look.log_density[i, k] == 0.0
            slope = cov[np.ix_(~there, there)] @ np.linalg.inv(own)
            np.testing.assert_allclose(
                filled[i, ~there], mean[~there] + slope @ (X[i, there] - mean[there]), atol=1e-10
            )
            if i == 5 and k == 1:
                left = cov[np.ix_(~there, ~there)] - slope @ cov[np.ix_(there, ~there)]
                np.testing.assert_allclose(np.cov(drawn[:, ~there].T), left, atol=0.05)
                np.testing.assert_allclose(drawn.mean(axis=0), filled[i], atol=0.05)


@every_kind
def test_sums_of_whole_rows_are_the_plain_ones(letters: str) -> None:
    parts, rng = made(letters), np.random.default_rng(3)
    X, resp = rng.normal(size=(50, 4)), rng.uniform(size=(50, 2))
    plain = FactorAnalysers(FactorAnalytic(2, letters))
    holed = FactorGapsLook(X, parts).statistics(resp)
    for name, value in vars(plain.statistics(X, resp, parts)).items():
        np.testing.assert_allclose(getattr(holed, name), value, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(
        FactorGapsLook(X, parts).log_density, plain.log_density(X, parts), atol=1e-10
    )


@every_kind
def test_the_gradient_is_that_of_the_likelihood_of_what_is_there(letters: str) -> None:
    """Fisher's identity: only the right expected sums give the slope of the log-likelihood."""
    family = FactorAnalysers(FactorAnalytic(2, letters), gaps=True)
    parts = made(letters, d=6)
    model = Mixture(family, no_noise_prior(family.kind, parts.noise.shape[1]))
    X, rng = two_groups(100)[0], np.random.default_rng(4)
    chart = model.chart(MixtureParams(np.array([0.6, 0.4]), parts))
    here = 0.1 * rng.normal(size=chart.size)
    gradient = chart.gradient(model.e_step(Chunk(X), chart.params(here)), chart.params(here))
    for _ in range(4):
        way, step = rng.normal(size=chart.size), 1e-5
        ends = [chart.params(here + sign * step * way) for sign in (1, -1)]
        one, two = (model.e_step(Chunk(X), end).loglik for end in ends)
        assert gradient @ way == pytest.approx((one - two) / (2 * step), rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("letters", ["UUU", "CUC", "UCC"])
def test_groups_are_found_where_a_quarter_of_the_cells_is_missing(letters: str) -> None:
    """EM refuses a fall."""
    X, whole, labels = two_groups()
    found = GaussianMixture(2, covariance_type=f"{letters}:2", random_state=0).fit(X)
    assert found.converged_
    if letters == "UUU":
        assert found.fit_result_.verdict == "interior maximum"
        assert adjusted_rand_score(labels, found.predict(X)) > 0.85
        gaps = np.isnan(X)
        filled = found.impute(X)
        np.testing.assert_array_equal(filled[~gaps], X[~gaps])
        by_mean = np.where(gaps, np.nanmean(X, axis=0), X)
        assert np.square(filled - whole).sum() < 0.3 * np.square(by_mean - whole).sum()
        assert found.factors(X).shape == (len(X), 2, 2)
        np.testing.assert_allclose(
            found.factors(whole), FactorGapsLook(whole, found._fitted()[1].components).scores
        )


def test_factors_that_leave_nothing_out_are_a_full_covariance() -> None:
    """Three columns and one factor: six numbers either way, so the same maximum."""
    rng = np.random.default_rng(5)
    X = rng.multivariate_normal([1, 2, 3], [[2, 1, 0.9], [1, 2, 0.8], [0.9, 0.8, 2]], size=400)
    X[rng.random(X.shape) < 0.3] = nan
    X = X[~np.isnan(X).all(axis=1)]
    full = GaussianMixture(1, tol=1e-11).fit(X)
    one = GaussianMixture(1, covariance_type="UUU:1", tol=1e-11).fit(X)
    assert one.fit_result_.loglik == pytest.approx(full.fit_result_.loglik, abs=1e-6)
    np.testing.assert_allclose(one.covariances_, full.covariances_, atol=1e-3)


@pytest.mark.filterwarnings("ignore::mixtura.selection.component_search.StillRisingWarning")
def test_a_constant_beside_gaps_changes_nothing_and_searches_choose() -> None:
    X, _, _ = two_groups(300)
    fives = np.where(np.random.default_rng(6).random(len(X)) < 0.3, nan, 5.0)
    table = np.column_stack([X, fives])
    plain, found = (
        GaussianMixture(2, covariance_type="UUU:2", random_state=0).fit(rows) for rows in (X, table)
    )
    np.testing.assert_allclose(found.predict_proba(table), plain.predict_proba(X), atol=1e-2)
    np.testing.assert_allclose(found.noise_variance_[:, 6], 1e-6, rtol=1e-6)
    assert found.fit_result_.n_parameters == plain.fit_result_.n_parameters
    kinds = ["UCC:1", "UCU:1"]
    search = GaussianMixtureSearch([1, 2], covariance_type=kinds, random_state=0).fit(X)
    assert search.best_params_["n_components"] == 2


def test_a_start_fills_gaps_by_the_means_of_groups() -> None:
    X = np.array([[1.0, nan, nan], [3.0, 4.0, nan], [nan, 8.0, nan]])
    found = guessed(X, np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([9.0, 9, 7]))
    np.testing.assert_array_equal(found, [[1, 4, 7], [3, 4, 7], [9, 8, 7]])

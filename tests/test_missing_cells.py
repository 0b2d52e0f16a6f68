"""Gaussian components and missing cells: maximum likelihood by patterns of gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

import mixtura
from mixtura import Block, GaussianMixture, GaussianMixtureSearch, Mixture, Product, audit
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture as Model
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk

nan = np.nan
# Murray (1977), discussion of Dempster, Laird & Rubin: two maxima, at correlations 1/2 and -1/2,
# and a saddle at 0.
MURRAY = np.array(
    [
        [1, 1, -1, -1, 2, 2, -2, -2, nan, nan, nan, nan],
        [1, -1, 1, -1, nan, nan, nan, nan, 2, 2, -2, -2],
    ]
).T


def two_groups(n: int = 500, missing: float = 0.3, seed: int = 0) -> tuple[Array, Array, Array]:
    """(rows with gaps, the same whole, labels); no row without a cell."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.4).astype(int)
    roots = np.linalg.cholesky(
        [[[1, 0.6, 0.2], [0.6, 1, 0.3], [0.2, 0.3, 1]], [[1, -0.5, 0], [-0.5, 1, 0], [0, 0, 0.5]]]
    )
    X = np.einsum("nij,nj->ni", roots[labels], rng.normal(size=(n, 3)))
    X += np.array([[0, 0, 0], [4, 4, 0]])[labels]
    holes = np.where(rng.random(X.shape) < missing, nan, X)
    there = ~np.isnan(holes).all(axis=1)
    return holes[there], X[there], labels[there]


def given_mixture(name: str) -> tuple[Gaussian, MixtureParams]:
    """A family for rows with gaps, and two components of it."""
    kind = Gaussian(structure(name), gaps=True)
    dense = np.array([[[1, 0.6, 0.2], [0.6, 2, 0.3], [0.2, 0.3, 1]], 0.5 * np.eye(3) + 0.2])
    form = kind.form
    cov = dense.mean(axis=0) if form.shared else dense
    if not form.correlates:
        cov = np.diagonal(dense, axis1=1, axis2=2)
        cov = cov.mean(axis=1) if form.shape(2, 3) == (2,) else cov
    means = np.array([[0.0, 0, 0], [4, 4, 0]])
    return kind, MixtureParams(np.array([0.6, 0.4]), gaussian_params(means, cov, form))


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_a_row_has_the_density_of_the_cells_that_are_there(name: str) -> None:
    kind, params = given_mixture(name)
    X = two_groups(60)[0]
    found = kind.log_density(X, params.components)
    dense = kind.covariances(params.components, np.arange(3))
    for i, row in enumerate(X):
        seen = ~np.isnan(row)
        for k in range(2):
            mean, cov = params.components.means[k][seen], dense[k][np.ix_(seen, seen)]
            assert found[i, k] == pytest.approx(
                multivariate_normal(mean, cov).logpdf(row[seen]), abs=1e-10
            )


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_sums_of_whole_rows_are_the_plain_ones(name: str) -> None:
    kind, params = given_mixture(name)
    X = two_groups(80)[1]
    resp = np.random.default_rng(1).uniform(size=(len(X), 2))
    holed = kind.statistics(X, resp, params.components)
    plain = kind.whole().statistics(X, resp, params.components)
    for field in ("counts", "first", "second"):
        np.testing.assert_allclose(getattr(holed, field), getattr(plain, field), atol=1e-10)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "VVE"])
def test_the_gradient_is_that_of_the_likelihood_of_what_is_there(name: str) -> None:
    """Fisher's identity: only the right expected sums give the slope of the log-likelihood."""
    kind, params = given_mixture(name)
    model = Model(kind, no_prior(kind.form, 3))
    X = two_groups(120)[0]
    chart, rng = model.chart(params), np.random.default_rng(2)
    here = 0.1 * rng.normal(size=chart.size)
    summary = model.e_step(Chunk(X), chart.params(here))
    gradient = chart.gradient(summary, chart.params(here))
    for _ in range(4):
        way, step = rng.normal(size=chart.size), 1e-5
        ends = [chart.params(here + sign * step * way) for sign in (1, -1)]
        one, two = (model.e_step(Chunk(X), end).loglik for end in ends)
        assert gradient @ way == pytest.approx((one - two) / (2 * step), rel=1e-5, abs=1e-4)


def test_murrays_rows_have_two_maxima_and_a_saddle() -> None:
    found = GaussianMixture(1, random_state=0, tol=1e-12).fit(MURRAY)
    assert found.fit_result_.loglik == pytest.approx(-29.974286, abs=1e-6)
    assert found.fit_result_.verdict == "interior maximum"
    cov = found.covariances_[0]
    assert abs(cov[0, 1]) / np.sqrt(cov[0, 0] * cov[1, 1]) == pytest.approx(0.5, abs=1e-4)
    np.testing.assert_allclose(np.diagonal(cov), 8 / 3, atol=1e-3)
    saddle = GaussianMixture.from_parameters([1.0], np.zeros((1, 2)), [2.5 * np.eye(2)])
    assert saddle.score(MURRAY) * 12 == pytest.approx(-30.033342, abs=1e-6)
    found = audit(saddle, MURRAY)
    # By less than what rounding for print may cost: it is the saddle that tells.
    assert found.verdict == "not an optimum"
    assert 0 < found.gain < 0.1
    assert "leaves 1 saddle on its way" in found.summary()
    assert audit(GaussianMixture(1).fit(MURRAY), MURRAY).verdict == "the best known"


@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "VEV", "EVE", "EII"])
def test_groups_are_found_where_a_third_of_the_cells_is_missing(name: str) -> None:
    X, _, labels = two_groups()
    found = GaussianMixture(2, covariance_type=name, random_state=0).fit(X)
    assert found.converged_
    assert not found.fit_result_.penalised
    # A row of which only the third column is there tells nothing.
    told = ~np.isnan(X[:, :2]).all(axis=1)
    assert adjusted_rand_score(labels[told], found.predict(X[told])) > 0.8
    if name == "diag":
        free = Mixture("normal", 2, random_state=0).fit(X)
        assert free.fit_result_.loglik == pytest.approx(found.fit_result_.loglik, abs=1e-5)


def test_a_weight_is_copies_of_the_row() -> None:
    X = two_groups(200)[0]
    weights = np.random.default_rng(3).integers(0, 3, size=len(X))
    weighted = GaussianMixture(2, random_state=0, tol=1e-10).fit(X, sample_weight=weights)
    copies = GaussianMixture(2, random_state=0, tol=1e-10).fit(np.repeat(X, weights, axis=0))
    assert weighted.score(X) == pytest.approx(copies.score(X), abs=1e-6)


def test_what_is_missing_at_random_biases_nothing() -> None:
    """The second column is missing where the first is high; five standard errors are 0.06."""
    rng = np.random.default_rng(4)
    X = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=8000)
    X[X[:, 0] > 0.5, 1] = nan
    found = GaussianMixture(1).fit(X)
    assert found.means_[0, 1] == pytest.approx(0.0, abs=0.06)
    assert found.covariances_[0, 0, 1] == pytest.approx(0.8, abs=0.06)
    whole_rows = X[~np.isnan(X).any(axis=1)]
    assert whole_rows[:, 1].mean() < -0.3


def test_cells_are_filled_by_what_the_others_tell() -> None:
    X, truth, _ = two_groups(800)
    found = GaussianMixture(2, random_state=0).fit(X)
    gaps = np.isnan(X)
    filled = found.impute(X)
    np.testing.assert_array_equal(filled[~gaps], X[~gaps])
    by_mean = np.where(gaps, np.nanmean(X, axis=0), X)
    assert np.square(filled - truth).sum() < 0.5 * np.square(by_mean - truth).sum()
    draws = found.impute(X, draws=40, random_state=0)
    assert draws.shape == (40, *X.shape)
    np.testing.assert_array_equal(draws[:, ~gaps], np.broadcast_to(X[~gaps], (40, (~gaps).sum())))
    # Means of 40 draws are the means, within what 40 draws leave open on average.
    assert np.sqrt(np.square(draws.mean(axis=0) - filled)[gaps].mean()) < 0.25
    with pytest.raises(ValueError, match="draws must be a whole number from 1 on"):
        found.impute(X, draws=0)


def test_a_mixture_of_whole_rows_answers_for_rows_with_gaps() -> None:
    X, whole, _ = two_groups()
    found = GaussianMixture(2, random_state=0).fit(whole)
    assert found.fit_result_.engine == "compiled"
    assert found.predict_proba(X).shape == (len(X), 2)
    marginal = found.marginal([0, 2])
    only = np.column_stack([whole[:, 0], np.full(len(X), nan), whole[:, 2]])
    np.testing.assert_allclose(found.score_samples(only), marginal.score_samples(whole[:, [0, 2]]))


def test_blocks_of_a_product_and_files(tmp_path: Path) -> None:
    X = two_groups()[0]
    counts = np.random.default_rng(5).poisson(3, size=(len(X), 1)).astype(float)
    counts[::7] = nan
    table = np.hstack([X, counts])
    kinds = Product([Block("full", [0, 1, 2]), Block("poisson", [3])])
    found = Mixture(kinds, 2, random_state=0).fit(table)
    found.save(tmp_path / "both.json")
    again = mixtura.load(tmp_path / "both.json")
    np.testing.assert_array_equal(again.predict_proba(table), found.predict_proba(table))
    assert not np.isnan(found.impute(table)).any()
    alone = GaussianMixture(2, random_state=0).fit(X)
    alone.save(tmp_path / "one.json")
    assert mixtura.load(tmp_path / "one.json").score(X) == alone.score(X)


def test_what_knows_no_gaps_says_so() -> None:
    X = two_groups(100)[0]
    with pytest.raises(ValueError, match="engine='mixed' has no kernel for rows with gaps"):
        GaussianMixture(2, engine="mixed").fit(X)
    with pytest.raises(ValueError, match="effort='quick' is for whole rows, and X has missing"):
        GaussianMixtureSearch(n_components=[1, 2], effort="quick").fit(X)
    X[3] = nan
    with pytest.raises(ValueError, match=r"row 3 .* has no value in any column"):
        GaussianMixture(2).fit(X)


@pytest.mark.parametrize("name", ["full", "tied", "diag", "EEV"])
@pytest.mark.parametrize("of_constant", [0.0, 0.3])
def test_a_constant_beside_gaps_changes_nothing(name: str, of_constant: float) -> None:
    """Wherever it is there it is the same factor of every component's density."""
    X, _, _ = two_groups(300)
    plain = GaussianMixture(2, covariance_type=name, random_state=0, tol=1e-9).fit(X)
    fives = np.where(np.random.default_rng(6).random(len(X)) < of_constant, nan, 5.0)
    table = np.column_stack([X, fives])
    found = GaussianMixture(2, covariance_type=name, random_state=0, tol=1e-9).fit(table)
    np.testing.assert_allclose(found.predict_proba(table), plain.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(found.means_[:, :3], plain.means_, atol=1e-4)
    held = found.covariances_[..., 3, 3] if name != "diag" else found.covariances_[:, 3]
    np.testing.assert_allclose(held, 1e-6, rtol=1e-6)
    assert found.fit_result_.n_parameters == plain.fit_result_.n_parameters
    np.testing.assert_allclose(found.impute(table)[:, 3], 5.0, atol=1e-12)
    np.testing.assert_array_equal(found.sample(20)[0][:, 3], 5.0)


@pytest.mark.parametrize("name", ["full", "tied"])
@pytest.mark.parametrize("units", [1.0, 1e-6])
def test_a_sum_of_other_columns_tells_what_is_missing_of_them(name: str, units: float) -> None:
    """Where one cell of a sum is missing the others tell it: the fit is that of the whole rows."""
    _, whole, _ = two_groups(400)
    table = np.column_stack([whole, whole @ [units, -2 * units, units] + 7 * units])
    rng = np.random.default_rng(7)
    holed = table.copy()
    some = np.flatnonzero(rng.random(len(table)) < 0.5)
    holed[some, rng.integers(0, 4, len(some))] = nan
    kinds = [GaussianMixture(2, covariance_type=name, random_state=0, tol=1e-9) for _ in "ab"]
    plain, found = kinds[0].fit(table), kinds[1].fit(holed)
    assert found.fit_result_.n_parameters == plain.fit_result_.n_parameters
    order = [np.argsort(each.means_[:, 0]) for each in (plain, found)]
    scale = np.array([1, 1, 1, units])
    np.testing.assert_allclose(
        found.means_[order[1]] / scale, plain.means_[order[0]] / scale, atol=2e-3
    )
    assert np.abs((found.impute(holed) - table) / scale).max() < 1e-3
    drawn = found.sample(50)[0]
    np.testing.assert_allclose(drawn[:, 3] / units, drawn[:, :3] @ [1, -2, 1] + 7, atol=1e-6)


def test_a_narrow_direction_beside_gaps_is_no_sum() -> None:
    """And one that only a sample has for constant is as wide as the whole table says."""
    _, whole, _ = two_groups(400)
    near = whole.sum(axis=1) + 1e-4 * np.random.default_rng(8).normal(size=len(whole))
    table = np.column_stack([whole, near])
    table[::3, 0] = nan
    found = GaussianMixture(1, random_state=0).fit(table)
    assert found.fit_result_.n_parameters == 14
    away = [1, 1, 1, -1]
    assert away @ found.covariances_[0] @ away == pytest.approx(1e-8, rel=0.5)


@pytest.mark.filterwarnings("ignore::mixtura.estimators.complaints.DegenerateWarning")
@pytest.mark.parametrize("seed", range(3))
def test_singular_components_beside_gaps_end_in_no_raw_error(seed: int) -> None:
    """Few rows of many columns: every way to a singularity is the search's, not NumPy's."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(14, 5)), 1)
    X[:, 4] = X[:, 0] + X[:, 1]
    X[rng.random(X.shape) < 0.15] = nan
    X = X[~np.isnan(X).all(axis=1)]
    found = GaussianMixture(3, random_state=0).fit(X)
    assert np.isfinite(found.score_samples(X)).all()
    with pytest.raises(ValueError, match=r"family='student': column .* constant or a sum"):
        Mixture("student", 2, random_state=0).fit(np.column_stack([X, np.ones(len(X))]))


@pytest.mark.filterwarnings("ignore::mixtura.selection.component_search.StillRisingWarning")
def test_searches_choose_where_cells_are_missing() -> None:
    X = two_groups(400)[0]
    search = GaussianMixtureSearch([1, 2, 3], covariance_type=["VVV", "VVI"], random_state=0).fit(X)
    assert search.best_params_["n_components"] == 2
    assert search.effort_ == "thorough"
    alone = GaussianMixture(2, covariance_type="VVV", random_state=0).fit(X)
    best = search.best_estimator_.fit_result_.loglik
    assert best == pytest.approx(alone.fit_result_.loglik, abs=1e-3)
    held = GaussianMixtureSearch([1, 2], covariance_type="VVV", criterion="heldout", cv=2)
    assert held.fit(X).best_params_["n_components"] > 1
    runs = mixtura.compare_solvers(X, 2, solvers=["em", "lbfgs"], random_state=0).runs
    assert len({round(run.loglik, 6) for run in runs}) == 1


def test_the_bootstrap_misses_what_the_table_misses() -> None:
    X = two_groups(120)[0]
    found = mixtura.bootstrap_lrt(X, 1, max_components=2, max_resamples=4, random_state=0, risk=0)
    plain = [GaussianMixture(K, random_state=0).fit(X).fit_result_.loglik for K in (1, 2)]
    assert found.trials[0].loglik == pytest.approx(plain[0], abs=1e-5)
    assert found.trials[0].loglik_larger == pytest.approx(plain[1], abs=1e-3)
    # Each resample has fewer cells than a whole table: its statistic is of the same rows.
    assert np.isfinite(found.trials[0].statistics).all()


def test_a_table_in_pieces_may_miss_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums are of other groups of rows than in memory, so the last digits may differ."""
    monkeypatch.setattr("mixtura.data.streamed.SMALL_BYTES", 0)
    X = two_groups(60_000, 0.2)[0]
    whole = GaussianMixture(2, random_state=0).fit(X)
    path = tmp_path / "table.npy"
    np.save(path, X)
    found = GaussianMixture(2, random_state=0).fit(path)
    assert found.fit_result_.engine == whole.fit_result_.engine == "compiled"
    np.testing.assert_allclose(found.means_, whole.means_, atol=1e-8)
    np.testing.assert_allclose(found.predict_proba(path), whole.predict_proba(X), atol=1e-7)
    assert found.score(path) == pytest.approx(whole.score(X), abs=1e-10)
    X[70] = nan
    np.save(path, X)
    with pytest.raises(ValueError, match=r"row 71 has no value in any column"):
        GaussianMixture(2).fit(path)

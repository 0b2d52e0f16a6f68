"""What is said of each row: how far out, how unlikely, how much in doubt, the few likeliest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import issparse
from scipy.spatial.distance import mahalanobis
from scipy.special import gammaln, log_ndtr, logsumexp
from scipy.stats import chi2, entropy, f, invwishart, kstest, norm, t

from mixtura import (
    BayesianGaussianMixture,
    BayesianMixture,
    Block,
    ContaminatedMixture,
    GaussianMixture,
    Mixture,
    Product,
    StudentMixture,
)
from mixtura.families.beyond import log_t_tail, log_tail

rng = np.random.default_rng(0)
X = np.vstack([rng.normal(0, 1, (150, 2)), rng.normal(5, [1.0, 2.0], (100, 2))])


@pytest.fixture(scope="module")
def mixture() -> GaussianMixture:
    return GaussianMixture(2, random_state=0).fit(X)


def test_outlier_scores_are_the_tails_of_mahalanobis_distances(mixture):
    p = mixture.predict_proba(X)
    tails = np.zeros((len(X), 2))
    for k in range(2):
        inverse = np.linalg.inv(mixture.covariances_[k])
        apart = [mahalanobis(x, mixture.means_[k], inverse) ** 2 for x in X]
        tails[:, k] = chi2(2).sf(apart)
    expected = -np.log10((p * tails).sum(axis=1))
    assert mixture.outlier_scores(X) == pytest.approx(expected, abs=1e-8)


def test_a_row_far_out_has_a_score_still(mixture):
    near, far, farther = mixture.outlier_scores([[0.0, 0.0], [60.0, 60.0], [1e5, 1e5]])
    assert near < 1
    assert 100 < far < farther < np.inf


@pytest.mark.parametrize("d", [1, 2, 4, 10, 60])
def test_tails_go_on_where_numbers_end(d):
    squares = np.array([3.0, 1300.0, 1390.0, 4000.0])
    # Finite sums, for an even d, and the normal distribution's tail for one column.
    i = np.arange(d // 2)[:, None]
    sums = logsumexp(i * np.log(squares / 2) - gammaln(i + 1), axis=0) if d > 1 else 0.0
    exact = sums - squares / 2 if d > 1 else np.log(2) + log_ndtr(-np.sqrt(squares))
    assert log_tail(squares, d) == pytest.approx(exact, rel=1e-9)


def test_p_values_of_one_normal_are_its_two_sided_tails():
    one = GaussianMixture.from_parameters([1.0], [[2.0]], [[[4.0]]], random_state=0)
    x = np.array([2.0, 4.0, -4.0, 30.0])
    expected = 2 * norm.sf(np.abs(x - 2) / 2)
    found = one.predictive_p_values(x[:, None])
    assert found == pytest.approx(expected, abs=0.006)
    assert found[3] == 1 / 100_001
    # There the tail of the squared distance is the same number.
    assert 10 ** -one.outlier_scores(x[:, None]) == pytest.approx(expected, rel=1e-8)


def test_p_values_of_rows_from_the_mixture_are_uniform(mixture):
    rows, _ = mixture.sample(2000, random_state=5)
    found = mixture.predictive_p_values(rows)
    assert kstest(found, "uniform").pvalue > 0.01


@pytest.mark.parametrize("family", ["poisson", "student", "contaminated"])
def test_p_values_of_any_family_that_draws(family):
    table = np.abs(X).round() if family == "poisson" else X
    fitted = Mixture(family, 2, random_state=0).fit(table)
    rows, _ = fitted.sample(500, random_state=1)
    found = fitted.predictive_p_values(rows, n_samples=5000)
    # Of counts many rows are alike, so that p-values are no smaller than uniform ones.
    assert np.mean(found <= 0.1) == pytest.approx(0.1, abs=0.05)
    if family == "poisson":
        with pytest.raises(ValueError, match="no Mahalanobis distance"):
            fitted.outlier_scores(rows)


def t_tail(found, k, squares, d):
    """SciPy's."""
    return f(d, found.degrees_of_freedom_[k]).sf(squares / d)


def contaminated_tail(found, k, squares, d):
    """Of good rows and of bad ones."""
    good, law = found.good_shares_[k], chi2(d)
    return good * law.sf(squares) + (1 - good) * law.sf(squares / found.inflations_[k])


@pytest.mark.parametrize(
    ("kind", "tail", "matrices"),
    [
        (StudentMixture, t_tail, "scales_"),
        (ContaminatedMixture, contaminated_tail, "covariances_"),
    ],
)
def test_heavy_tails_score_rows_by_their_own_law(kind, tail, matrices):
    extra = np.random.default_rng(1).normal(size=len(X))
    table = np.column_stack([X, X @ [1.0, 0.5] + extra])
    table[:12] += np.random.default_rng(2).normal(0, 15, (12, 3))
    found = kind(2, random_state=0).fit(table)
    rows = with_gaps(table)
    p, scores = found.predict_proba(rows), found.outlier_scores(rows)
    assert scores[0] == 0.0
    for i in range(1, 60):
        seen = ~np.isnan(rows[i])
        chance = 0.0
        for k in range(2):
            away = rows[i, seen] - found.means_[k, seen]
            own = getattr(found, matrices)[k][np.ix_(seen, seen)]
            squares = away @ np.linalg.solve(own, away)
            chance += p[i, k] * tail(found, k, squares, seen.sum())
        assert scores[i] == pytest.approx(-np.log10(chance), abs=1e-8)
    # Of rows of the mixture a tenth lie as far out as one of ten does.
    drawn, _ = found.sample(2000, random_state=3)
    assert kstest(10 ** -found.outlier_scores(drawn), "uniform").pvalue > 0.01
    far = found.outlier_scores(np.array([[1e4, 0, 0], [1e7, 0, 0]]))
    assert far[0] < far[1] < np.inf


@pytest.mark.parametrize("form", ["full", "tied", "diag", "spherical"])
def test_of_a_posterior_by_what_it_predicts(form):
    """Draws of means and precisions from their law, and a row of each, by SciPy."""
    rng = np.random.default_rng(4)
    few = rng.normal([0.0, 3.0], [1.0, 2.0], (12, 2))
    found = BayesianGaussianMixture(n_components=1, covariance_type=form, random_state=0).fit(few)
    own = found._fitted()[1].components
    wishart = invwishart(own.freedom[0], own.form.dense(own.scale, 1, 2)[0])
    rows = []
    for cov in wishart.rvs(4000, random_state=5):
        mean = rng.multivariate_normal(own.means[0], cov / own.mean_precision[0])
        rows.append(rng.multivariate_normal(mean, cov))
    assert kstest(10 ** -found.outlier_scores(rows), "uniform").pvalue > 0.01


def test_p_values_of_a_posterior_are_those_of_its_predictive_law():
    few = np.array([[0.0], [1.0], [1.5], [4.0], [2.5]])
    found = BayesianGaussianMixture(n_components=1, random_state=0).fit(few)
    own = found._fitted()[1].components
    width = (own.covariances[0, 0, 0] * (1 + 1 / own.mean_precision[0])) ** 0.5
    x = np.array([[2.0], [-4.0], [9.0]])
    tails = 2 * t(own.freedom[0]).sf(np.abs(x[:, 0] - own.means[0, 0]) / width)
    assert found.predictive_p_values(x) == pytest.approx(tails, abs=0.006)


@pytest.mark.parametrize("name", ["poisson", "exponential", "bernoulli", "categorical", "product"])
def test_rows_of_a_posterior_are_drawn_with_their_parameters(name):
    """The share of draws that are as likely as a row, beside the predictive law itself."""
    rng = np.random.default_rng(3)
    counts, ones = rng.poisson(2.0, (6, 1)), rng.integers(2, size=(6, 1))
    law: Any = Product([Block("poisson", [0]), Block("bernoulli", [1])])
    table, cells = {
        "poisson": (counts, np.arange(60)[:, None]),
        "exponential": (rng.exponential(2.0, (6, 1)), np.linspace(0.002, 800, 200_000)[:, None]),
        "bernoulli": (np.hstack([ones, 1 - ones]), [[0, 0], [0, 1], [1, 0], [1, 1]]),
        "categorical": (rng.integers(3, size=(9, 1)), [[0], [1], [2]]),
        "product": (np.hstack([counts, ones]), [[i, j] for i in range(60) for j in range(2)]),
    }[name]
    found = BayesianMixture(law if name == "product" else name, 1, random_state=0).fit(table)
    p = np.exp(found.score_samples(cells, predictive=True))
    p /= p.sum()
    at = np.arange(len(cells))[:: max(len(cells) // 8, 1)][:4]
    expected = [p[p <= p[i] * (1 + 1e-12)].sum() for i in at]
    assert found.predictive_p_values(np.array(cells)[at]) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("nu", [0.5, 3.0, 200.0, 1e6])
def test_tails_of_t_go_on_where_numbers_end(nu):
    squares = np.array([0.0, 3.0, 1300.0, 4000.0, 1e9, 1e300])
    less = np.log1p(squares / nu)
    # Finite sums for an even d.
    assert log_t_tail(squares, 2, nu) == pytest.approx(-nu / 2 * less, rel=1e-9)
    of_four = -nu / 2 * less + np.log1p(nu / 2 * -np.expm1(-less))
    assert log_t_tail(squares, 4, nu) == pytest.approx(of_four, rel=1e-9)
    many = log_t_tail(squares[1:4], 7, 1e13)
    assert many == pytest.approx(log_tail(squares[1:4], 7), rel=1e-6)


def with_gaps(rows: np.ndarray) -> np.ndarray:
    """The rows, of which a third lack the first column, a third the second, and one all."""
    rows = np.array(rows, dtype=float)
    rows[1::3, 0], rows[2::3, 1], rows[0] = np.nan, np.nan, np.nan
    return rows


@pytest.mark.parametrize("kind", ["full", "tied", "UUU:1", "diag"])
def test_rows_with_gaps_are_scored_by_the_columns_they_have(kind):
    table = np.column_stack([X, X @ [1.0, 0.5] + np.random.default_rng(1).normal(size=len(X))])
    fitted = GaussianMixture(2, covariance_type=kind, random_state=0).fit(table)
    rows = with_gaps(table)
    found = fitted.outlier_scores(rows)
    assert found[0] == 0.0
    assert found[3::3] == pytest.approx(fitted.outlier_scores(table[3::3]), abs=1e-9)
    for columns, some in (([1, 2], slice(1, None, 3)), ([0, 2], slice(2, None, 3))):
        alone = fitted.marginal(columns).outlier_scores(table[some][:, columns])
        assert found[some] == pytest.approx(alone, abs=1e-8)


@pytest.mark.parametrize("family", ["gaussian", "normal", "poisson"])
def test_p_values_of_rows_with_gaps_are_beside_draws_with_the_same(family):
    table = np.abs(X).round() if family == "poisson" else X
    kind = GaussianMixture(2) if family == "gaussian" else Mixture(family, 2)
    fitted = kind.set_params(random_state=0).fit(table)
    rows, _ = fitted.sample(3000, random_state=1)
    found = fitted.predictive_p_values(with_gaps(rows), n_samples=20_000)
    assert found[0] == 1.0
    whole = fitted.predictive_p_values(rows, n_samples=20_000)
    assert found[3::3] == pytest.approx(whole[3::3], abs=1e-12)
    if family == "poisson":
        assert np.mean(found <= 0.1) == pytest.approx(0.1, abs=0.05)
    else:
        # One of a thousand such tests fails where all is right.
        assert min(kstest(found[i::3], "uniform").pvalue for i in (1, 2)) > 5e-4


def test_no_unit_changes_a_score(mixture):
    scaled = GaussianMixture(2, random_state=0).fit(X * [1e3, 1e-4])
    scores = scaled.outlier_scores(X * [1e3, 1e-4])
    assert scores == pytest.approx(mixture.outlier_scores(X), abs=1e-6)


def test_entropy_is_that_of_the_responsibilities(mixture):
    expected = entropy(mixture.predict_proba(X), axis=1)
    assert mixture.responsibility_entropy(X) == pytest.approx(expected, abs=1e-12)


@pytest.mark.filterwarnings("ignore::mixtura.DegenerateWarning")
def test_the_likeliest_few_are_kept_and_no_more():
    many = GaussianMixture(6, random_state=0).fit(X)
    whole, few = many.predict_proba(X), many.predict_proba(X, top=2)
    assert issparse(few)
    assert few.shape == whole.shape
    assert few.nnz <= 2 * len(X)
    dense = few.toarray()
    assert dense.max(axis=1) == pytest.approx(whole.max(axis=1))
    kept = np.sort(whole, axis=1)[:, -2:].sum(axis=1)
    assert dense.sum(axis=1) == pytest.approx(kept)
    assert np.array_equal(many.predict_proba(X, top=99).toarray(), whole)


def test_beside_noise_rows_are_judged_by_the_components():
    table = np.vstack([X, rng.uniform(-30, 40, (30, 2))])
    noisy = GaussianMixture(2, noise=True, random_state=0).fit(table)
    noise = noisy.predict(table) == -1
    assert noisy.predict_proba(table, top=1).shape == (len(table), 3)
    assert noisy.outlier_scores(table)[noise].min() > 2
    assert noisy.predictive_p_values(table)[noise].max() < 0.02


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda m: m.predict_proba(X, top=0), "a whole number from 1 on, got 0"),
        (lambda m: m.predictive_p_values(X, n_samples=0), "a whole number from 1 on, got 0"),
    ],
)
def test_what_cannot_be_is_refused(mixture, ask, said):
    with pytest.raises(ValueError, match=said):
        ask(mixture)

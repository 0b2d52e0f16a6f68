"""Where rows are few the hill of one covariance is taken, unless another is surely above it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs

from mixtura import GaussianMixture, NormalInverseWishart, audit
from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.fitting.plainer import LATE, SURELY, UNSEEN, standard_errors
from mixtura.fitting.tied import _climbed, tied
from mixtura.models.responsibilities import one_hot
from mixtura.records import Array
from mixtura.selection.likelihood_ratio import Effort
from mixtura.selection.points import Point
from mixtura.selection.trial import fitted


@pytest.fixture
def half(iris: Array) -> Array:
    """75 rows for 44 parameters, whose highest hill is not surely above the plain one."""
    return iris[np.random.default_rng(0).permutation(150)][::2].copy()


def test_steps_are_those_of_scikit_learns_mixture_with_one_covariance(iris: Array) -> None:
    Z = (iris - iris.mean(axis=0)) / iris.std(axis=0)
    total, heights, theirs = Z.T @ Z, [], []
    for seed in range(2):
        first = one_hot(np.random.default_rng(seed).integers(3, size=150), 3)
        shares = first.mean(axis=0)
        means = first.T @ Z / (150 * shares[:, None])
        within = (total - 150 * (means.T * shares) @ means) / 150
        other = Theirs(
            3,
            covariance_type="tied",
            weights_init=shares,
            means_init=means,
            precisions_init=np.linalg.inv(within),
            reg_covar=0.0,
            tol=0.0,
            max_iter=30,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            other.fit(Z)
        resp, height = _climbed(Z, np.ones(150), total, first.T, 31)
        np.testing.assert_allclose(resp.T, other.predict_proba(Z), atol=1e-3)
        heights.append(height)
        theirs.append(other.score(Z))
    assert heights[0] - heights[1] == pytest.approx(theirs[0] - theirs[1], abs=1e-4)


def test_groups_of_one_covariance_hang_on_no_unit_of_weight_and_need_no_scatter() -> None:
    Z = np.random.default_rng(0).normal(size=(100, 2))
    one, other = (tied(Z, w * np.ones(100), 2, np.random.RandomState(0)) for w in (1.0, 1e-3))
    np.testing.assert_allclose(one, other, atol=1e-9)
    assert np.isfinite(tied(np.zeros((6, 2)), np.ones(6), 3, np.random.RandomState(0))).all()
    assert tied(Z[:2], np.ones(2), 3, np.random.RandomState(0)).shape == (2, 3)


def test_standard_errors_are_vuongs_statistic() -> None:
    rng = np.random.default_rng(0)
    first, second, w = rng.normal(0.3, 1.0, 50), rng.normal(size=50), rng.integers(1, 4, 50)
    copies = np.repeat(first - second, w)
    expected = copies.sum() / (np.sqrt(len(copies)) * copies.std())
    assert standard_errors(first, second, w, w.sum()) == pytest.approx(expected, rel=1e-12)
    # An end under which a row that is left out is impossible is above none that knows of it.
    spiked = np.append(first[1:], -np.inf)
    assert standard_errors(spiked, second, w, w.sum()) == -np.inf
    assert standard_errors(first, spiked, w, w.sum()) == np.inf


def test_a_higher_hill_that_is_not_surely_better_is_told_of_and_left(half: Array) -> None:
    fit = GaussianMixture(3, random_state=0).fit(half).fit_result_
    highest = fit.landscape[0]
    assert fit.met is not None
    assert fit.met.mean_loglik < highest.mean_loglik - 0.01
    assert "nats higher" in fit.remark
    seen, unseen = (
        float(fit.remark.split(words)[1].split()[0]) for words in ("higher: ", "left out ")
    )
    assert seen < SURELY
    assert unseen < UNSEEN
    assert fit.verdict == "interior maximum"
    # In other units of a column it is the same end.
    scaled = half * np.array([1.0, 1e3, 1.0, 1e-2])
    again = GaussianMixture(3, random_state=0).fit(scaled).fit_result_
    assert again.loglik + 75 * np.log(10.0) == pytest.approx(fit.loglik, abs=1e-6)


def test_order_copies_of_rows_and_precision_change_no_choice(half: Array) -> None:
    w = np.arange(75) % 2 + 1
    copies = np.repeat(half, w, axis=0)
    by_weight = GaussianMixture(3, random_state=0).fit(half, sample_weight=w).fit_result_
    by_copies = GaussianMixture(3, random_state=0).fit(copies[::-1]).fit_result_
    assert by_weight.remark == by_copies.remark
    assert "nats higher" in by_copies.remark
    assert by_weight.loglik == pytest.approx(by_copies.loglik, abs=1e-6)
    alone = GaussianMixture(3, random_state=0).fit(half).fit_result_
    single = GaussianMixture(3, random_state=0).fit(half.astype(np.float32)).fit_result_
    assert single.remark == alone.remark


def test_a_column_that_hangs_on_others_does_not_change_which_end_is_taken(half: Array) -> None:
    alone = GaussianMixture(3, random_state=0).fit(half)
    for more in (np.ones(75), half[:, 0] + half[:, 1]):
        found = GaussianMixture(3, random_state=0).fit(np.column_stack([half, more]))
        assert "5.19 nats higher" in found.fit_result_.remark
        means = [np.sort(each.means_[:, :4], axis=0) for each in (found, alone)]
        np.testing.assert_allclose(means[0], means[1], atol=1e-3)


def test_where_there_was_no_time_to_compare_ends_that_is_said(half: Array) -> None:
    with pytest.warns(ConvergenceWarning, match="max_seconds had passed"):
        fit = GaussianMixture(3, random_state=0).fit(half, max_seconds=1e-6).fit_result_
    assert fit.remark == LATE


def test_who_asks_for_the_highest_end_gets_it(half: Array) -> None:
    taken = GaussianMixture(3, random_state=0).fit(half).fit_result_.loglik
    more = GaussianMixture(3, random_state=0, n_init=2).fit(half).fit_result_
    assert more.remark == ""
    assert more.loglik > taken + 1
    # Criteria and tests compare maxima: searches keep the highest, as mclust does.
    settings = {"random_state": 0, "n_init": 1}
    found, _ = fitted(Rows(half), settings, Point("full", 3, None))
    assert found.fit.loglik > taken + 1
    effort = Effort(Gaussian(structure("full")), "auto", 1, 1e-7, 1000)
    assert effort.pair(half, None, 3, 0).logliks[0] > taken + 1
    # A prior and copies of the rows settle what is noise otherwise.
    belief = GaussianMixture(3, prior=NormalInverseWishart(), random_state=0).fit(half)
    plenty = GaussianMixture(3, random_state=0).fit(np.repeat(half, 6, axis=0))
    assert belief.fit_result_.remark == plenty.fit_result_.remark == ""
    assert plenty.fit_result_.met == plenty.fit_result_.landscape[0]


@pytest.mark.parametrize("seed", range(3))
def test_on_large_clean_data_the_default_is_the_plain_maximum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 1.0], [0.0, 5.0, -1.0]])
    X = centres[rng.integers(3, size=3000)] + rng.normal(size=(3000, 3))
    ours = GaussianMixture(3, random_state=seed).fit(X)
    theirs = Theirs(3, means_init=centres, reg_covar=0.0, tol=1e-10, max_iter=1000).fit(X)
    order = np.linalg.norm(ours.means_[:, None] - theirs.means_, axis=2).argmin(axis=0)
    variances = np.einsum("kii->ki", theirs.covariances_)
    held = (3000 * theirs.weights_)[:, None]
    means = np.abs(ours.means_[order] - theirs.means_) / np.sqrt(variances / held)
    # That of a variance of normal rows: twice its square by the number of rows.
    spreads = np.einsum("kii->ki", ours.covariances_[order]) - variances
    spreads = np.abs(spreads) / (variances * np.sqrt(2 / held))
    # A tenth of a standard error is the promise; what is left is how far each climbed.
    assert max(means.max(), spreads.max()) < 0.01


def blurred(seed: int, n: int, d: int) -> Array:
    """Rows of three groups that overlap."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.normal(size=(n, d)) + 2 * rng.normal(size=(3, d))[rng.integers(0, 3, n)])


def test_an_audit_of_one_initialisation_keeps_the_highest_too() -> None:
    X = blurred(3, 60, 2)
    fit = GaussianMixture(3, random_state=3).fit(X).fit_result_
    found = audit(GaussianMixture(3, random_state=3).fit(X), X, n_init=1, random_state=3)
    assert "another end is 10.1 nats higher" in fit.remark
    assert found.search is not None
    assert found.search.mean_loglik == pytest.approx(fit.landscape[0].mean_loglik, abs=1e-9)
    assert found.verdict == "a lower optimum"
    again = found.mixture.set_params(n_init=1).fit(X)
    assert again.fit_result_.loglik == pytest.approx(fit.loglik)


def test_two_initialisations_end_no_lower_than_one() -> None:
    # The plain hill was the highest here, and only one initialisation looked at it.
    for seed, n, d in ((8, 60, 3), (14, 100, 2)):
        X = blurred(seed, n, d)
        one, two = (
            GaussianMixture(4, n_init=n_init, random_state=seed).fit(X).fit_result_
            for n_init in (1, 2)
        )
        assert two.loglik >= one.loglik - 1e-6

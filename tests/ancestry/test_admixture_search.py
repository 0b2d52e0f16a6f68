"""Several K: aligned, cross-validated, and what ADMIXTURE would print."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import mixtura
from mixtura.data.genotypes import from_dosages
from mixtura.engines.ancestry import Fold
from mixtura.fitting.admixture_folds import cross_validated
from mixtura.inference.populations import fst, matching
from tests.ancestry.panels import balding_nichols


@pytest.fixture(scope="module")
def panel():
    X, Q, P = balding_nichols(60, 1200, 3, seed=1)
    return X, Q, P, mixtura.AdmixtureSearch((2, 3, 4), n_init=2, random_state=0).fit(X)


def test_the_number_that_was_simulated_has_the_least_error(panel):
    X, _, _, search = panel
    assert search.best_n_populations_ == 3
    assert search.best_estimator_ is search.admixtures_[3]
    errors = [trial.cv.error for trial in search.trials_]
    assert errors[0] - errors[1] > 3 * search.trials_[1].cv.spread
    for trial in search.trials_:
        assert sum(sum(mode.hits.values()) for mode in trial.modes) == 2
    assert np.diff([trial.loglik for trial in search.trials_]).min() > 0
    with pytest.raises(ValueError, match="X has 60 individuals and 1199 markers, and the fit 60"):
        search.best_estimator_.cross_validate(X[:, 1:])


def test_populations_keep_their_places(panel):
    _, _, _, search = panel
    for K in (3, 4):
        before, after = search.admixtures_[K - 1].Q_, search.admixtures_[K].Q_
        overlap = (after.T @ before) / np.outer(
            np.linalg.norm(after, axis=0), np.linalg.norm(before, axis=0)
        )
        placed = sum(overlap[k, k] for k in range(K - 1))
        best = max(
            sum(overlap[p[k], k] for k in range(K - 1)) for p in itertools.permutations(range(K))
        )
        assert placed == pytest.approx(best)


def test_matching_undoes_a_permutation():
    Q = np.random.default_rng(0).dirichlet(np.ones(5), 40)
    order = matching(Q[:, [3, 0, 4, 1, 2]], Q)
    np.testing.assert_array_equal(Q[:, [3, 0, 4, 1, 2]][:, order], Q)


def test_the_error_of_one_population_is_that_of_the_frequencies():
    """K = 1: hidden genotypes are predicted by the frequencies of those that are seen."""
    rng = np.random.default_rng(2)
    X = rng.binomial(2, rng.uniform(0.1, 0.9, 4000), (50, 4000))
    cv = mixtura.Admixture(1).fit(X).cross_validate(X)
    p = X.mean(axis=0) / 2
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    assert cv.error == pytest.approx(entropy, abs=0.02)
    assert cv.error > entropy
    assert 0 < cv.spread < 0.003
    # ADMIXTURE's is the same but for the saturated likelihood, log 1/2 a copy of heterozygotes,
    # and for the shrinkage.
    expected = 2 * cv.error - 2 * np.log(2) * (X == 1).mean()
    assert cv.admixture == pytest.approx(expected, abs=1e-3)


def test_the_error_of_sparse_genotypes_shrinks_by_copies_that_are_seen():
    """K = 1 by hand, nine in ten missing: (x + 1/2) / (c + 1) of what is seen of each marker."""
    rng = np.random.default_rng(3)
    X = rng.binomial(2, rng.uniform(0.05, 0.5, 400), (80, 400)).astype(float)
    X[1:][rng.random((79, 400)) < 0.9] = np.nan
    found = mixtura.Admixture(1).fit(X)
    cv = cross_validated(from_dosages(X), found.Q_, found.P_.T, found._climber(), 3, 7)
    lost = 0.0
    for number in range(3):
        hidden = Fold(number, 3, 7).holds(slice(0, 400), 80).T
        seen = np.where(hidden, np.nan, X)
        p = (np.nansum(seen, axis=0) + 0.5) / (2 * np.sum(~np.isnan(seen), axis=0) + 1)
        lost -= np.nansum(np.where(hidden, X * np.log(p) + (2 - X) * np.log(1 - p), np.nan))
    # A marker of which nothing is seen is predicted by a half, as 1/2 over 1 is.
    assert cv.error == pytest.approx(lost / (2 * np.sum(~np.isnan(X))), rel=1e-4)


def test_fst_is_hudsons():
    P = np.random.default_rng(0).uniform(0.01, 0.99, (3, 50))
    found = fst(P)
    for a, b in itertools.combinations(range(3), 2):
        p, r = P[a], P[b]
        ratio = ((p - r) ** 2).sum() / (p * (1 - r) + r * (1 - p)).sum()
        assert found[a, b] == found[b, a] == pytest.approx(ratio)
    np.testing.assert_array_equal(np.diag(found), 0)


def test_fst_of_balding_nichols_is_what_was_simulated(panel):
    """Two populations that each drifted by F = 0.1 from one: F between them."""
    _, _, P, search = panel
    pairs = np.triu_indices(3, 1)
    assert fst(P.T)[pairs].mean() == pytest.approx(0.1, abs=0.01)
    # The noise of estimated frequencies adds to it: there are 20 individuals to each.
    assert 0.1 < search.best_estimator_.fst()[pairs].mean() < 0.18


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_populations": ()}, "n_populations is empty"),
        ({"n_populations": None}, "n_populations must be an integer or several, got None"),
        ({"n_populations": (2, "a")}, "n_populations must be an integer, at least 1, got 'a'"),
        ({"folds": 1}, "folds must be an integer, at least 2, got 1"),
    ],
)
def test_bad_settings(panel, settings, message):
    with pytest.raises(ValueError, match=message):
        mixtura.AdmixtureSearch(**settings).fit(panel[0])


@pytest.mark.filterwarnings("error")
def test_nothing_left_in_a_fold():
    """Who has one genotype, and a marker with one, barely change the error; too many folds."""
    X = balding_nichols(40, 300, 2, seed=0)[0].astype(float)
    whole = mixtura.Admixture(2, random_state=0).fit(X).cross_validate(X).error
    X[3, 1:] = np.nan
    X[1:, 5] = np.nan
    one = mixtura.Admixture(2, random_state=0).fit(X)
    assert one.cross_validate(X).error == pytest.approx(whole, abs=0.02)
    few = X[10:14, :3]
    with pytest.raises(ValueError, match=r"folds=50 leaves .* there are 12 known ones: take"):
        mixtura.Admixture(1).fit(few).cross_validate(few, 50)


def test_more_folds_than_genotypes_are_refused_before_any_fit():
    begun: list[int] = []
    X = np.random.default_rng(0).binomial(2, 0.5, (6, 20))
    with pytest.raises(ValueError, match=r"folds=121 leaves a fold without .* 120 known ones"):
        mixtura.AdmixtureSearch((2,), folds=121).fit(X, progress=begun.append)
    assert begun == []

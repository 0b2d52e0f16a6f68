"""Pseudo-residuals: distribution functions of families, enumeration, and normality."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats

from mixtura import HiddenMarkov
from mixtura.families.registry import family

U = np.array([[0.01], [0.4], [1.0], [3.0], [9.0]])
WHOLE = np.array([[0.0], [1.0], [4.0], [30.0], [90.0]])
MEANS, SPREAD = np.array([[1.0], [3.0]]), np.array([[0.5], [2.0]])
CASES = {
    "full": (
        {"means": MEANS, "covariances": SPREAD[:, :, None]},
        stats.norm(MEANS.T, SPREAD.T**0.5),
    ),
    "tied": ({"means": MEANS, "covariances": SPREAD[1:]}, stats.norm(MEANS.T, 2.0**0.5)),
    "normal": ({"means": MEANS, "variances": SPREAD}, stats.norm(MEANS.T, SPREAD.T**0.5)),
    "lognormal": (
        {"log_means": MEANS, "log_variances": SPREAD},
        stats.lognorm(SPREAD.T**0.5, scale=np.exp(MEANS.T)),
    ),
    "exponential": ({"means": MEANS}, stats.expon(scale=MEANS.T)),
    "gamma": ({"means": MEANS, "shapes": SPREAD}, stats.gamma(SPREAD.T, scale=(MEANS / SPREAD).T)),
    "poisson": ({"rates": MEANS}, stats.poisson(MEANS.T)),
    "negativebinomial": (
        {"means": MEANS, "sizes": SPREAD},
        stats.nbinom(SPREAD.T, (SPREAD / (SPREAD + MEANS)).T),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_tails_are_those_of_scipy(name):
    arrays, law = CASES[name]
    kind = family(name)
    X = U if kind.measure == "a density" else WHOLE
    below, above = kind.tails(X, kind.params(arrays))
    np.testing.assert_allclose(below, law.cdf(X), rtol=1e-9)
    np.testing.assert_allclose(above, law.sf(X), rtol=1e-9)


def test_families_without_tails_are_refused():
    fitted = HiddenMarkov("categorical", 1, random_state=0).fit([[0], [1], [0]])
    with pytest.raises(ValueError, match="family 'categorical' does not tell its distribution"):
        fitted.pseudo_residuals([[0], [1]])


@pytest.fixture(scope="module")
def chain():
    rng = np.random.default_rng(2)
    states = np.repeat(np.tile([0, 1], 40), rng.geometric(0.1, 80))
    X = rng.normal(np.array([0.0, 3.0])[states], np.array([1.0, 2.0])[states])[:, None]
    return HiddenMarkov("full", 2, random_state=0).fit(X), X


def test_they_are_those_of_all_paths(chain):
    fitted, X = chain
    x = X[:6].copy()
    x[2] = np.nan
    params = fitted._fitted()[1]
    norm = stats.norm(fitted.means_[:, 0], fitted.covariances_[:, 0, 0] ** 0.5)
    for t in (0, 1, 3, 5):
        ways, below = 0.0, 0.0
        for path in product(range(2), repeat=t + 1):
            p = params.initial[path[0]]
            for before, after in pairwise(path):
                p *= params.transitions[before, after]
            p *= np.prod([norm.pdf(x[s, 0])[path[s]] for s in range(t) if s != 2])
            ways, below = ways + p, below + p * norm.cdf(x[t, 0])[path[t]]
        assert fitted.pseudo_residuals(x)[t] == pytest.approx(stats.norm.ppf(below / ways))
    assert np.isnan(fitted.pseudo_residuals(x)[2])
    # Sequences know nothing of each other.
    both = fitted.pseudo_residuals(X[:20], [10, 10])
    np.testing.assert_allclose(both[10:], fitted.pseudo_residuals(X[10:20]))


def test_they_are_normal_where_the_model_holds(chain):
    fitted, X = chain
    found = fitted.pseudo_residuals(X)
    assert stats.kstest(found, "norm").pvalue > 0.01
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 3 / np.sqrt(len(X))
    far = X.copy()
    far[5] = 60.0
    assert 25 < fitted.pseudo_residuals(far)[5] < 60


def test_of_counts_the_middle_is_taken():
    X = np.random.default_rng(0).poisson(7, 50)[:, None]
    fitted = HiddenMarkov("poisson", 1, random_state=0).fit(X)
    law = stats.poisson(fitted.rates_[0, 0])
    middle = (law.cdf(X[:, 0]) + law.cdf(X[:, 0] - 1)) / 2
    np.testing.assert_allclose(fitted.pseudo_residuals(X), stats.norm.ppf(middle), atol=1e-9)


def test_several_columns_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="X has 2 columns, and pseudo-residuals are those of one"):
        HiddenMarkov("diag", 1).fit(X).pseudo_residuals(X)

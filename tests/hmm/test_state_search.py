"""How many states: criteria against published and recomputed ones, and what is not chosen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from test_known_chains import QUAKES

from mixtura import FitError, GaussianHMM, HiddenMarkov, HiddenMarkovSearch, StillRisingWarning

RNG = np.random.default_rng(5)
STATES = np.tile(np.repeat([0, 1, 0], [9, 7, 4]), 4)
X = RNG.normal(4.0 * STATES, 1.0)[:, None]
LENGTHS = [20, 20, 20, 20]


def test_earthquakes():
    # Zucchini, MacDonald & Langrock (2016), table 6.1: BIC of stationary chains.
    chain = HiddenMarkov("poisson", initial="stationary")
    search = HiddenMarkovSearch(chain, [1, 2, 3, 4], random_state=0).fit(QUAKES)
    np.testing.assert_allclose(search.cv_results_["bic"][:3], [788.5, 703.3, 701.0], atol=0.05)
    assert search.best_params_ == {"n_states": 3}
    assert search.best_estimator_.fit_result_.loglik == pytest.approx(-329.4603, abs=1e-4)
    assert search.predict(QUAKES).max() == 2
    assert search.score(QUAKES) == pytest.approx(-329.4603, abs=1e-4)


@pytest.mark.parametrize("criterion", ["bic", "icl", "heldout"])
def test_criteria_are_what_they_say(criterion):
    chain = HiddenMarkov("diag", tol=1e-9)
    search = HiddenMarkovSearch(chain, [1, 2, 3], criterion=criterion, cv=4, random_state=1)
    results = search.fit(X, LENGTHS).cv_results_
    assert search.best_params_ == {"n_states": 2}
    two = search.best_estimator_
    p, n = two.fit_result_.n_parameters, len(X)
    assert results["bic"][1] == pytest.approx(-2 * two.score(X, LENGTHS) + p * np.log(n))
    assert results["icl"][1] == pytest.approx(-2 * two.decode(X, LENGTHS)[0] + p * np.log(n))
    assert results["icl"][1] > results["bic"][1]
    if criterion == "heldout":
        parts = np.split(X, 4)
        left = [
            HiddenMarkov("diag", 2, tol=1e-9, random_state=0)
            .fit([each for j, each in enumerate(parts) if j != i])
            .score(parts[i])
            for i in range(4)
        ]
        assert results["heldout"][1] == pytest.approx(sum(left) / n, abs=1e-6)


def test_a_weight_is_copies_of_the_sequence():
    weighed = HiddenMarkovSearch(HiddenMarkov("diag", tol=1e-10), [1, 2, 3], random_state=0)
    results = weighed.fit(X, LENGTHS, sample_weight=[1, 3, 1, 1]).cv_results_
    copies = np.concatenate([X, X[20:40], X[20:40]])
    others = weighed.fit(copies, [20] * 6).cv_results_
    for name in ("loglik", "bic", "icl"):
        assert results[name][1] == pytest.approx(others[name][1], abs=1e-5)


def test_the_largest_may_be_too_small():
    with pytest.warns(StillRisingWarning, match="the best number of states, 2, is the largest"):
        HiddenMarkovSearch(HiddenMarkov("diag"), [1, 2], random_state=0).fit(X, LENGTHS)


def test_collapsed_and_empty_states_are_not_chosen():
    still = np.r_[np.zeros(12), 5 * np.ones(12), RNG.normal(2, 1, 12)][:, None]
    search = HiddenMarkovSearch(HiddenMarkov(), [1, 3], random_state=0).fit(still)
    assert search.cv_results_["bic"].argmin() == 1
    assert search.cv_results_["flaw"][1].endswith("has collapsed onto 12 rows")
    assert search.best_params_ == {"n_states": 1}
    with pytest.raises(FitError, match="no number of states may be chosen: state 1 is empty"):
        HiddenMarkovSearch(HiddenMarkov("poisson"), 2, random_state=0).fit(np.ones((20, 1)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"criterion": "heldout", "cv": 5}, "more folds than the 4 sequences"),
        ({"criterion": "aic"}, "choose from bic, icl, heldout"),
        ({"cv": 1}, "folds are a number from 2"),
        ({"n_states": [0, 1]}, "0 is no number of states"),
        ({"estimator": GaussianHMM()}, "estimator must be a HiddenMarkov, got GaussianHMM"),
    ],
)
def test_what_cannot_be_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        HiddenMarkovSearch(**{"estimator": HiddenMarkov(), **settings}).fit(X, LENGTHS)


def test_a_fold_that_cannot_be_fitted_is_a_flaw():
    rows = np.concatenate([RNG.normal(size=20), np.zeros(40)])[:, None]
    search = HiddenMarkovSearch(
        HiddenMarkov("diag"), [1, 2], criterion="heldout", cv=3, random_state=0
    )
    results = search.fit(rows, [20, 20, 20]).cv_results_
    assert search.best_params_ == {"n_states": 1}
    assert results["flaw"][1].startswith("fold ")
    assert " of 3 cannot be fitted: X has only 1 distinct" in results["flaw"][1]
    np.testing.assert_array_equal(np.isnan(results["heldout"]), [False, True])


def test_a_fold_without_weight_is_a_flaw_and_known_states_go_into_the_others():
    X = np.random.default_rng(0).poisson(np.tile([2.0, 9.0], 60))[:, None]
    search = HiddenMarkovSearch(HiddenMarkov("poisson"), [2], criterion="heldout", cv=3)
    with pytest.raises(FitError, match="no sequence that is left has a weight above 0"):
        search.fit(X, [40, 40, 40], sample_weight=[1, 0, 0])

    def parts(states):
        def read():
            for i in range(0, 120, 20):
                yield X[i : i + 20], [20], None, states[i : i + 20]

        return read

    # Known the other way round than the counts say: the folds are fitted with them.
    wrong = np.resize([0, 0, 1, 1], 120)
    heldout = [clone(search).fit(parts(states)).best_score_ for states in (np.full(120, -1), wrong)]
    assert heldout[1] < heldout[0] - 0.1

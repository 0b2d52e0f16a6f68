"""Steps whose state is known: every path that agrees with them, fits and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from mixtura import HiddenMarkov, PoissonHMM
from mixtura.errors import FitError

RNG = np.random.default_rng(5)
RUNS = np.repeat(RNG.integers(0, 3, size=40), RNG.integers(3, 9, size=40))
COUNTS = RNG.poisson(np.array([2.0, 6.0, 12.0])[RUNS])[:, None]
SOFT = np.full((len(RUNS), 3), 1 / 3)
SPEED = RNG.normal(np.array([0.0, 2.0, 5.0])[RUNS])[:, None]


def test_every_path_that_agrees():
    hmm = PoissonHMM(3, init_params="")
    hmm.startprob_ = [0.5, 0.3, 0.2]
    hmm.transmat_ = [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.0, 0.5, 0.5]]
    hmm.lambdas_ = [[1.0], [4.0], [9.0]]
    X, known = np.array([[2.0], [5.0], [np.nan], [7.0]]), [np.nan, -1, 1, 2]
    total, posterior, best = 0.0, np.zeros((4, 3)), (-1.0, ())
    for path in product(range(3), repeat=4):
        if path[2] != 1 or path[3] != 2:
            continue
        p = hmm.startprob_[path[0]]
        for t, k in enumerate(path):
            p *= hmm.transmat_[path[t - 1], k] if t else 1.0
            p *= 1.0 if t == 2 else stats.poisson(hmm.lambdas_[k, 0]).pmf(X[t, 0])
        total += p
        posterior[np.arange(4), path] += p
        best = max(best, (p, path))
    assert hmm.score(X, states=known) == pytest.approx(np.log(total), abs=1e-12)
    np.testing.assert_allclose(hmm.predict_proba(X, states=known), posterior / total, atol=1e-12)
    value, path = hmm.decode(X, states=known)
    assert value == pytest.approx(np.log(best[0]), abs=1e-12)
    assert tuple(path) == best[1]
    # What is known later is not known yet.
    before = hmm.filter(X, states=known)
    np.testing.assert_allclose(before[:2], hmm.filter(X)[:2], atol=1e-12)
    np.testing.assert_array_equal(before[2:].argmax(axis=1), [1, 2])
    ahead = hmm.forecast(X, 1, states=known)
    np.testing.assert_allclose(ahead[0, 0], hmm.transmat_[2], atol=1e-12)
    size = hmm.bic(X) + 2 * hmm.score(X)
    assert hmm.bic(X, states=known) == pytest.approx(size - 2 * np.log(total), abs=1e-10)
    size = hmm.aic(X) + 2 * hmm.score(X)
    assert hmm.aic(X, states=known) == pytest.approx(size - 2 * np.log(total), abs=1e-10)
    # Step 3 is told by the state known of step 2 alone; step 2 nobody saw.
    law = stats.poisson(hmm.lambdas_[:, 0])
    below = hmm.transmat_[1] @ (law.cdf(7) - 0.5 * law.pmf(7))
    residuals = hmm.pseudo_residuals(X, states=known)
    assert residuals[3] == pytest.approx(stats.norm.ppf(below), abs=1e-10)
    assert np.isnan(residuals[2])


def test_what_contradicts_known_states_says_so():
    on = PoissonHMM(2, init_params="")
    on.startprob_, on.transmat_ = [1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]]
    on.lambdas_ = [[1.0], [4.0]]
    X, back = np.array([[2.0], [5.0], [3.0]]), [-1, 1, 0]
    for ask in (on.score, on.predict, on.filter):
        with pytest.raises(ValueError, match=r"no path .* through its known states: look at these"):
            ask(X, states=back)
    moves = HiddenMarkov("poisson", 2, topology="left-right", random_state=0)
    with pytest.raises(FitError, match=r"through its known states: .* or look at states"):
        moves.fit(COUNTS, states=[*back, *[-1] * (len(COUNTS) - 3)])


@pytest.mark.parametrize(("family", "rows"), [("poisson", COUNTS), ("diag", SPEED)])
def test_known_states_name_the_states(family, rows):
    # Not in the order of means.
    told = np.full(len(RUNS), np.nan)
    names = np.array([2, 0, 1])
    told[::10] = names[RUNS[::10]]
    hmm = HiddenMarkov(family, 3, random_state=0).fit(rows, states=told)
    assert (hmm.predict(rows) == names[RUNS]).mean() > 0.8
    seen = ~np.isnan(told)
    assert (hmm.predict(rows, states=told)[seen] == told[seen]).all()
    assert (np.diff(hmm.lower_bounds_) >= -1e-12).all()
    assert hmm.fit_result_.verdict == "interior maximum"
    assert hmm.score(rows, states=told) == pytest.approx(hmm.fit_result_.loglik, abs=1e-8)


def test_all_states_known_is_counting():
    hmm = HiddenMarkov("poisson", 3, random_state=0).fit(COUNTS, states=RUNS)
    means = [COUNTS[k == RUNS].mean() for k in range(3)]
    np.testing.assert_allclose(hmm.rates_[:, 0], means, rtol=1e-6)
    moves = np.zeros((3, 3))
    np.add.at(moves, (RUNS[:-1], RUNS[1:]), 1.0)
    np.testing.assert_allclose(hmm.transitions_, moves / moves.sum(axis=1)[:, None], atol=1e-6)


def test_lists_of_sequences_and_checkpoints(tmp_path):
    told = np.where(RUNS == 1, 1, -1)
    cut = [COUNTS[:90], COUNTS[90:]]
    hmm = HiddenMarkov("poisson", 3, random_state=0)
    hmm.fit(cut, states=[told[:90], told[90:]], checkpoint=tmp_path / "c")
    whole = HiddenMarkov("poisson", 3, random_state=0)
    whole.fit(COUNTS, [90, len(COUNTS) - 90], states=told)
    np.testing.assert_array_equal(hmm.rates_, whole.rates_)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([0, 1], "states has shape"),
        (np.full(len(RUNS), 3), r"row 0 .* has 3, and the states are the whole numbers 0 to 2"),
        (SOFT, r"shape \(\d+, 3\).* one whole number from 0 to 2.* how likely each is cannot"),
        (SOFT.tolist(), r"shape \(\d+, 3\).* one whole number from 0 to 2.* how likely"),
        (np.full(len(RUNS), 0.5), r"states: row 0 .* has 0.5"),
    ],
)
def test_bad_states_are_named(states, said):
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("poisson", 3).fit(COUNTS, states=states)


def test_a_known_state_that_cannot_be():
    hmm = HiddenMarkov("poisson", 3, topology="left-right")
    told = np.full(len(RUNS), -1)
    told[5], told[6] = 2, 1
    with pytest.raises(ValueError, match="no path of positive probability"):
        hmm.fit(COUNTS, states=told)

"""Transitions that hang on covariates: every path, published maxima, what is fitted and refused."""

from __future__ import annotations

import csv
import operator
import warnings
from dataclasses import replace
from functools import reduce
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import softmax
from sklearn.base import clone

import mixtura
from mixtura import Block, HiddenMarkov, Product
from mixtura.engines.driven import recursion
from mixtura.engines.threads import ordered_map
from mixtura.families.design import untold
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.families.priors import Flat
from mixtura.models.driven import Driven, DrivenParams, in_steps
from mixtura.records import Chunk

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "hmm"
needs = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not here")
RNG = np.random.default_rng(2)
INTERCEPT = np.array([[0.0, -2.0], [-1.5, 0.0]])
SLOPE = np.array([[0.0, 2.0], [-1.0, 0.0]])


def planted(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(counts and the covariate (n, 2), states), moves by INTERCEPT and SLOPE."""
    c, state = RNG.normal(3.0, 1.0, size=n), np.zeros(n, dtype=int)
    for t in range(1, n):
        logits = INTERCEPT[state[t - 1]] + SLOPE[state[t - 1]] * (c[t - 1] - 3.0)
        state[t] = RNG.choice(2, p=softmax(logits))
    return np.column_stack([RNG.poisson(np.array([2.0, 9.0])[state]), c]), state


X, STATE = planted(1500)


@needs
def test_reaction_times_where_pay_is_for_accuracy():
    # depmixS4 (Visser & Speekenbrink 2010, J. Statistical Software 36), its vignette and tests.
    with open(REFERENCE / "speed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    table = np.array([[float(r["rt"]), r["corr"] == "cor", float(r["Pacc"])] for r in rows])
    alone = HiddenMarkov("normal", 2, covariates=[1], random_state=0, tol=1e-9)
    alone.fit(table[:, [0, 2]])
    assert alone.fit_result_.loglik == pytest.approx(-44.19948, abs=1e-5)
    assert alone.fit_result_.n_parameters == 1 + 4 + 4
    # Its coefficients of the covariate over its deviation, beside its first state, our second.
    sd = table[:, 2].std(ddof=1)
    np.testing.assert_allclose(alone.transition_coef_[0, 1, 0] * sd, 1.3924, atol=2e-3)
    np.testing.assert_allclose(-alone.transition_coef_[1, 0, 0] * sd, 3.581, atol=5e-3)
    kinds = Product([Block("normal", [0]), Block("categorical", [1])])
    both = HiddenMarkov(kinds, 2, covariates=[2], random_state=0, tol=1e-9)
    both.fit(table, [168, 134, 137])
    assert both.fit_result_.loglik == pytest.approx(-248.9722, abs=1e-4)


def by_hand() -> HiddenMarkov:
    hmm = HiddenMarkov("poisson", 2, covariates=[1], random_state=0, max_iter=1)
    with pytest.warns(match="did not converge"):
        hmm.fit(X[:100])
    hmm.initial_ = np.array([0.3, 0.7])
    hmm.poisson_rates_ = np.array([[2.0], [6.0]])
    hmm.transition_intercept_, hmm.transition_coef_ = INTERCEPT, SLOPE[:, :, None]
    return hmm


def test_every_path():
    hmm, rows = by_hand(), np.array([[1.0, 0.4], [7.0, -0.2], [3.0, 1.0], [5.0, 9.0]])
    total, posterior, best = 0.0, np.zeros((4, 2)), (-1.0, ())
    for path in product(range(2), repeat=4):
        p = hmm.initial_[path[0]]
        for t, k in enumerate(path):
            if t:
                i = path[t - 1]
                p *= softmax(INTERCEPT[i] + SLOPE[i] * rows[t - 1, 1])[k]
            p *= stats.poisson([2.0, 6.0][k]).pmf(rows[t, 0])
        total += p
        posterior[np.arange(4), path] += p
        best = max(best, (p, path))
    assert hmm.score(rows) == pytest.approx(np.log(total), abs=1e-12)
    np.testing.assert_allclose(hmm.predict_proba(rows), posterior / total, atol=1e-12)
    value, states = hmm.decode(rows)
    assert value == pytest.approx(np.log(best[0]), abs=1e-12)
    assert tuple(states) == best[1]
    now = hmm.filter(rows)
    for t in range(1, 4):
        np.testing.assert_allclose(now[t - 1], hmm.predict_proba(rows[:t])[-1], atol=1e-12)
    # The last step that has a covariate says where the next one is.
    ahead = hmm.forecast(rows[:3])[0, 0]
    law = softmax(INTERCEPT + SLOPE * rows[2, 1], axis=1)
    np.testing.assert_allclose(ahead, now[2] @ law, atol=1e-12)


@pytest.mark.parametrize(
    "asked",
    [
        {"covariates": [1]},
        {"initial_covariates": [1]},
        {"covariates": [1], "durations": "poisson", "max_duration": 20},
    ],
)
def test_a_checkpoint_changes_nothing(asked, tmp_path):
    rows, lengths = X[:200], [20] * 10
    K = 3 if "durations" in asked else 2
    plain = HiddenMarkov("poisson", K, max_iter=20, random_state=0, **asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = clone(plain).fit(rows, lengths, checkpoint=tmp_path / "run")
        assert kept.score(rows, lengths) == plain.fit(rows, lengths).score(rows, lengths)


def test_c_is_step_after_step():
    b, ends = 3 * RNG.normal(size=(50, 3)), np.array([1, 2, 30, 50])
    moves = RNG.dirichlet(np.ones(3), size=(50, 3))
    moves[20, 0] = [0.0, 0.0, 1.0]
    first = RNG.dirichlet(np.ones(3))
    for one, other in zip(
        in_steps(first, moves, b, ends), recursion(first, moves, b, ends), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_slopes_are_differences_of_the_log_likelihood():
    model = Driven(Poisson(), Flat(), design=untold([1], 2))
    logits = np.stack([INTERCEPT, SLOPE], axis=2)
    laws = np.array([0.4, 0.6]), PoissonParams(np.array([[2.0, 1.0], [8.0, 1.0]]))
    params = DrivenParams(*laws, np.array([0.5, 0.5]), np.full((2, 2), 0.5), logits)
    chunk = Chunk(X[:200], np.full(200, 2.0), ends=np.array([120, 200]))
    slopes = model.e_step(chunk, params).statistics.slopes.reshape(2, 2, 2)
    for i, j, q in product(range(2), range(2), range(2)):
        ends = []
        for sign in (1, -1):
            moved = logits.copy()
            moved[i, j, q] += sign * 1e-5
            ends.append(model.e_step(chunk, replace(params, logits=moved)).loglik)
        numeric = (ends[0] - ends[1]) / 2e-5
        assert slopes[i, j, q] == pytest.approx(0.0 if i == j else numeric, abs=1e-4)


def test_a_long_table_is_the_sum_of_short_ones():
    # Longer than one piece of moves, and shorter ones; in threads and not.
    model = Driven(Poisson(), Flat(), design=untold([1], 2))
    logits = np.stack([INTERCEPT, SLOPE], axis=2)
    laws = np.array([0.4, 0.6]), PoissonParams(np.array([[2.0, 1.0], [8.0, 1.0]]))
    params = DrivenParams(*laws, np.array([0.5, 0.5]), np.full((2, 2), 0.5), logits)
    rows = np.tile(X[:1000], (40, 1)) + np.arange(40000)[:, None] * [0.0, 1e-5]
    ends = np.arange(50, 1001, 50)
    whole = model.e_step_driven(
        Chunk(rows, None, ends=np.arange(50, 40001, 50)), params, recursion, ordered_map
    )
    each = [
        model.e_step_driven(Chunk(rows[i : i + 1000], None, ends=ends), params, recursion)
        for i in range(0, 40000, 1000)
    ]
    summed = reduce(operator.add, (one.statistics for one in each))
    for name in ("moves", "slopes", "information"):
        one, other = getattr(whole.statistics, name), getattr(summed, name)
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-7)


def test_planted_coefficients_are_found_by_name(tmp_path):
    table = pd.DataFrame(X, columns=["bites", "heat"])
    hmm = HiddenMarkov("poisson", 2, covariates="heat", random_state=0).fit(table)
    assert (np.diff(hmm.lower_bounds_) >= -1e-12).all()
    np.testing.assert_allclose(hmm.transition_coef_[:, :, 0], SLOPE, atol=0.4)
    here = hmm.transition_intercept_ + 3.0 * hmm.transition_coef_[:, :, 0]
    np.testing.assert_allclose(here, INTERCEPT, atol=0.4)
    plain = HiddenMarkov("poisson", 2, random_state=0).fit(table[["bites"]])
    assert hmm.bic(table) < plain.bic(table[["bites"]]) - 50
    hmm.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.score(table) == hmm.score(table)
    np.testing.assert_array_equal(again.predict(table), hmm.predict(table))
    assert "Log-odds of a move" in again.summary()
    assert "heat" in again.summary()


def test_coefficients_do_not_hang_on_units():
    far = X.copy()
    far[:, 1] = 1e2 + 1e-3 * far[:, 1]
    one, other = (
        HiddenMarkov("poisson", 2, covariates=[1], random_state=0, tol=1e-9).fit(rows)
        for rows in (X[:500], far[:500])
    )
    assert one.fit_result_.loglik == pytest.approx(other.fit_result_.loglik, abs=1e-3)
    np.testing.assert_allclose(one.transition_coef_, 1e-3 * other.transition_coef_, rtol=1e-2)


def test_weights_and_barred_moves():
    rows = X[:400]
    twice = HiddenMarkov("poisson", 2, covariates=[1], random_state=0, tol=1e-9)
    twice.fit(rows, [250, 150], sample_weight=[2, 1])
    copied = HiddenMarkov("poisson", 2, covariates=[1], random_state=0, tol=1e-9)
    copied.fit([rows[:250], rows[:250], rows[250:]])
    assert twice.fit_result_.loglik == pytest.approx(copied.fit_result_.loglik, abs=1e-4)
    on = HiddenMarkov("poisson", 3, covariates=[1], topology="cyclic", random_state=0).fit(rows)
    assert (on.transitions_[[0, 1, 2], [2, 0, 1]] == 0).all()
    assert on.fit_result_.n_parameters == 2 + 3 * 2 + 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"initial": "stationary"}, "covariates with initial='stationary'"),
        ({"tied_rows": [0, 0]}, "covariates with tied_rows"),
        ({"covariates": [5]}, "covariates"),
    ],
)
def test_what_does_not_go_together_is_named(settings, said):
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("poisson", 2, **{"covariates": [1], **settings}).fit(X)


def test_missing_and_constant_covariates_and_longer_forecasts():
    rows = X[:200].copy()
    rows[50] = np.nan
    with pytest.raises(ValueError, match=r"is missing in row 50 .*, and the move to the next step"):
        HiddenMarkov("poisson", 2, covariates=[1]).fit(rows)
    rows[:, 1] = 1.0
    with pytest.raises(ValueError, match="holds one value only"):
        HiddenMarkov("poisson", 2, covariates=[1]).fit(rows)
    hmm = HiddenMarkov("poisson", 2, covariates=[1], random_state=0).fit(X[:300])
    with pytest.raises(ValueError, match="k=2: transitions hang on the covariates"):
        hmm.forecast(X[:300], 2)
    with pytest.raises(NotImplementedError, match="hang on covariates"):
        hmm.sample(5)


@pytest.mark.parametrize("solver", ["em", "lbfgs", "newton"])
def test_every_solver_ends_at_one_top(solver):
    hmm = HiddenMarkov("poisson", 2, covariates=[1], solver=solver, random_state=0, tol=1e-8)
    fit = hmm.fit(X[:400]).fit_result_
    assert fit.verdict == "interior maximum"
    best = HiddenMarkov("poisson", 2, covariates=[1], random_state=0).fit(X[:400])
    assert fit.loglik == pytest.approx(best.fit_result_.loglik, abs=1e-3)


def test_standard_errors_where_states_are_known_are_a_logit_regressions():
    hmm = HiddenMarkov("poisson", 2, covariates=[1], random_state=0, tol=1e-9)
    hmm.fit(X, states=STATE)
    told = hmm.standard_errors(X, states=STATE)
    for i, j in ((0, 1), (1, 0)):
        c = X[:-1, 1][STATE[:-1] == i]
        z = np.column_stack([np.ones(len(c)), c])
        p = 1 / (1 + np.exp(-hmm.transition_intercept_[i, j] - hmm.transition_coef_[i, j, 0] * c))
        known = np.sqrt(np.diag(np.linalg.inv((z * (p * (1 - p))[:, None]).T @ z)))
        assert told["transition_intercept"][i, j] == pytest.approx(known[0], rel=1e-3)
        assert told["transition_coef"][i, j, 0] == pytest.approx(known[1], rel=1e-3)
    assert np.isnan(told["transition_coef"][0, 0, 0])

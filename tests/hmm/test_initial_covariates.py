"""First states that hang on covariates: by enumeration, by a logit alone, in files and later."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

import mixtura
from mixtura import HiddenMarkov
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import open_sweep
from mixtura.fitting.mixture_fit import prepare
from mixtura.models.driven_first import DrivenFirst, first_design
from mixtura.report.chain_figure import draw_chain

RNG = np.random.default_rng(5)
S, STEPS = 120, 6
AGE, HEAT = RNG.normal(50, 10, S), RNG.normal(size=S * STEPS)
FIRST = (RNG.uniform(size=S) < 1 / (1 + np.exp(-(AGE - 50) / 5))).astype(int)


def _walks() -> np.ndarray:
    states = np.empty((S, STEPS), dtype=int)
    states[:, 0] = FIRST
    for t in range(1, STEPS):
        states[:, t] = np.where(RNG.uniform(size=S) < 0.15, 1 - states[:, t - 1], states[:, t - 1])
    return states.ravel()


STATES = _walks()
TABLE = pd.DataFrame(
    {
        "bites": RNG.poisson(np.array([2.0, 9.0])[STATES]),
        "age": np.repeat(AGE, STEPS),
        "heat": HEAT,
    }
)
LENGTHS = [STEPS] * S


def rates_of(hmm) -> np.ndarray:
    return hmm.poisson_rates_[:, 0]


def of_paths(hmm, table, lengths) -> tuple[float, np.ndarray]:
    """The log-likelihood, and P(first state) of each sequence, over all paths."""
    total, firsts, start = 0.0, [], 0
    a, b = hmm.transition_intercept_, hmm.transition_coef_
    driven = () if hmm.covariates is None else (hmm.covariates,)
    for length in lengths:
        rows = table.iloc[start : start + length]
        age = rows["age"].iloc[0]
        law = log_softmax(hmm.initial_intercept_ + hmm.initial_coef_[:, 0] * age)
        emitted = stats.poisson.logpmf(rows["bites"].to_numpy()[:, None], rates_of(hmm))
        c = rows[list(driven)].to_numpy()
        moves = log_softmax(a + np.einsum("ijp,tp->tij", b, c), axis=2)
        worth = {}
        for path in product(range(2), repeat=length):
            found = law[path[0]] + emitted[np.arange(length), path].sum()
            found += sum(moves[t - 1, path[t - 1], path[t]] for t in range(1, length))
            worth[path] = found
        whole = logsumexp(list(worth.values()))
        total += whole
        own = [logsumexp([v for p, v in worth.items() if p[0] == k]) - whole for k in range(2)]
        firsts.append(np.exp(own))
        start += length
    return total, np.array(firsts)


@pytest.fixture(scope="module")
def fitted() -> HiddenMarkov:
    asked = HiddenMarkov("poisson", 2, initial_covariates="age", random_state=0)
    return asked.fit(TABLE[["bites", "age"]], LENGTHS)


def test_a_fit_is_that_of_every_path(fitted):
    table = TABLE[["bites", "age"]]
    total, firsts = of_paths(fitted, table, LENGTHS)
    assert fitted.score(table, LENGTHS) == pytest.approx(total, abs=1e-8)
    posterior = fitted.predict_proba(table, LENGTHS)
    np.testing.assert_allclose(posterior[::STEPS], firsts, atol=1e-9)
    assert fitted.fit_result_.verdict == "interior maximum"
    assert fitted.initial_intercept_[0] == fitted.initial_coef_[0, 0] == 0.0
    assert fitted.initial_coef_[1, 0] == pytest.approx(0.2, abs=0.08)
    # Two rates, two moves, an intercept and a coefficient.
    assert fitted.fit_result_.n_parameters == 6


def test_the_coefficients_are_those_of_a_logit_of_the_first_states(fitted):
    table = TABLE[["bites", "age"]]
    firsts = fitted.predict_proba(table, LENGTHS)[::STEPS]
    z = (AGE - AGE.mean()) / AGE.std()

    def loss(free):
        logits = np.stack([np.zeros(S), free[0] + free[1] * z], axis=1)
        return -(firsts * log_softmax(logits, axis=1)).sum()

    a, b = minimize(loss, np.zeros(2), method="BFGS").x
    slope = b / AGE.std()
    assert fitted.initial_coef_[1, 0] == pytest.approx(slope, abs=2e-4)
    assert fitted.initial_intercept_[1] == pytest.approx(a - slope * AGE.mean(), abs=1e-2)


def test_without_an_effect_it_is_the_plain_model():
    noise = TABLE[["bites"]].assign(age=np.repeat(np.tile([0.0, 1.0], S // 2), STEPS))
    plain = HiddenMarkov("poisson", 2, random_state=0).fit(TABLE[["bites"]], LENGTHS)
    more = HiddenMarkov("poisson", 2, initial_covariates="age", random_state=0).fit(noise, LENGTHS)
    gain = more.score(noise, LENGTHS) - plain.score(TABLE[["bites"]], LENGTHS)
    assert gain + 1e-4 >= 0
    assert gain < 4
    assert isinstance(more._fitted()[0], DrivenFirst)


def test_moves_may_hang_on_covariates_too(tmp_path):
    asked = {"covariates": "heat", "initial_covariates": ["age"], "random_state": 0}
    hmm = HiddenMarkov("poisson", 2, **asked).fit(TABLE, LENGTHS)
    total, firsts = of_paths(hmm, TABLE, LENGTHS)
    assert hmm.score(TABLE, LENGTHS) == pytest.approx(total, abs=1e-8)
    np.testing.assert_allclose(hmm.predict_proba(TABLE, LENGTHS)[::STEPS], firsts, atol=1e-9)
    hmm.save(tmp_path / "hmm.json")
    again = mixtura.load(tmp_path / "hmm.json")
    assert again.score(TABLE, LENGTHS) == hmm.score(TABLE, LENGTHS)
    assert "first state" in hmm.summary()
    found = hmm.standard_errors(TABLE, LENGTHS)
    assert found["initial_coef"][1, 0] == pytest.approx(0.05, rel=0.7)
    assert np.isnan(found["initial_coef"][0, 0])
    path = hmm.best_paths(TABLE, 1, LENGTHS)
    assert path[0].sum() == pytest.approx(hmm.decode(TABLE, LENGTHS)[0], abs=1e-8)
    ahead = hmm.filter(TABLE, LENGTHS)[::STEPS]
    emitted = stats.poisson.pmf(TABLE["bites"].to_numpy()[::STEPS, None], rates_of(hmm))
    law = np.exp(
        log_softmax(hmm.initial_intercept_ + np.outer(AGE, hmm.initial_coef_[:, 0]), axis=1)
    )
    joint = emitted * law
    np.testing.assert_allclose(ahead, joint / joint.sum(axis=1, keepdims=True), atol=1e-10)


def test_weights_are_copies_and_engines_agree(fitted):
    table = TABLE[["bites", "age"]]
    part, lengths = table[: 30 * STEPS], [STEPS] * 30
    twice = pd.concat([part, part[: 10 * STEPS]])
    weight = np.repeat([2.0, 1.0], [10, 20])
    asked = HiddenMarkov("poisson", 2, initial_covariates="age", random_state=0)
    one = asked.fit(part, lengths, sample_weight=weight)
    value = one.score(part, lengths, sample_weight=weight)
    assert one.score(twice, [STEPS] * 40) == pytest.approx(value, abs=1e-8)
    model, params = fitted._fitted()
    model = replace(model, first=first_design(rows := of_table(), (1,)))
    told, other = (open_sweep(name, model, rows)(params) for name in ("compiled", "local"))
    assert told.loglik == pytest.approx(other.loglik, abs=1e-9)
    for name in ("first_slopes", "first_information", "moves", "starts"):
        ours, plain = (getattr(each.statistics, name) for each in (told, other))
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-9)


def of_table() -> Sequences:
    return Sequences(
        TABLE[["bites", "age"]].to_numpy(dtype=float), None, np.cumsum(LENGTHS), None, (1,)
    )


def test_the_gradient_is_the_finite_difference(fitted):
    model, params = fitted._fitted()
    rows = of_table()
    ground = prepare(rows.rows(), model.family, 2, np.random.RandomState(0))
    model = replace(
        model,
        prior=ground.model.unpenalised().prior,
        first=first_design(rows, (1,)),
        sequences=S / len(TABLE),
    )
    off = replace(params, first_logits=params.first_logits * 0.5)
    sweep, chart = open_sweep("compiled", model, rows), model.chart(off)
    slope = chart.gradient(sweep(off), off)
    for i in range(chart.size):
        step = np.eye(chart.size)[i] * 1e-4
        high, low = (sweep(chart.params(sign * step)).loglik for sign in (1, -1))
        assert slope[i] == pytest.approx((high - low) / 2e-4, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"initial": "stationary"}, "initial_covariates with initial='stationary'"),
        ({"tied_rows": [0, 0]}, "initial_covariates with tied_rows"),
        ({"initial": "fixed", "first_states": [1, 1]}, "initial_covariates with initial='fixed'"),
        ({"initial_covariates": "agge"}, "^initial_covariates has 'agge', which is no column"),
        ({"covariates": "agge"}, "^covariates has 'agge', which is no column"),
        ({"initial_covariates": {"age"}}, "initial_covariates must .* has no order: give a list"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, said):
    asked = {"initial_covariates": "age"} | settings
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("poisson", 2, **asked).fit(TABLE[["bites", "age"]], LENGTHS)


def test_of_one_sequence_no_first_state_hangs_on_anything():
    with pytest.raises(ValueError, match=r"X is one sequence, .*: give lengths"):
        HiddenMarkov("poisson", 2, initial_covariates="age").fit(TABLE[["bites", "age"]])


@pytest.mark.parametrize("settings", [{"n_states": 1}, {"topology": "left-right"}])
def test_one_state_to_begin_in_is_the_model_without_a_logit(settings, tmp_path):
    asked = {"n_states": 2, "random_state": 0} | settings
    table, lengths = TABLE[["bites", "age"]][: 20 * STEPS], [STEPS] * 20
    plain = HiddenMarkov("poisson", **asked).fit(table[["bites"]], lengths)
    told = HiddenMarkov("poisson", initial_covariates="age", **asked).fit(table, lengths)
    worth = plain.score(table[["bites"]], lengths)
    assert told.score(table, lengths) == pytest.approx(worth, abs=1e-6)
    assert told.fit_result_.n_parameters == plain.fit_result_.n_parameters
    assert not told.initial_coef_.any()
    assert told.initial_[0] == 1.0
    assert np.isnan(told.standard_errors(table, lengths)["initial_coef"]).all()
    told.save(tmp_path / "chain.json")
    assert mixtura.load(tmp_path / "chain.json").score(table, lengths) == told.score(table, lengths)


def test_of_three_states_two_may_be_begun_in():
    table, lengths = TABLE[["bites", "age"]][: 40 * STEPS], [STEPS] * 40
    asked = {"first_states": [0, 1, 1], "initial_covariates": "age", "random_state": 0}
    told = HiddenMarkov("poisson", 3, **asked).fit(table, lengths)
    # Beside the first of those allowed.
    assert told.initial_[0] == 0.0
    assert not told.initial_coef_[:2].any()
    assert told.initial_coef_[2, 0] != 0.0
    plain = HiddenMarkov("poisson", 3, first_states=[0, 1, 1], random_state=0)
    plain.fit(table[["bites"]], lengths)
    assert told.fit_result_.n_parameters == plain.fit_result_.n_parameters + 1
    assert told.fit_result_.loglik > plain.fit_result_.loglik


def test_beside_a_state_that_sequences_begin_in():
    """No sequence begins in state 0: the others are told beside state 1, the same from any start.

    The logit's errors are those of a logistic regression, of states that are plain to see.
    """
    rng = np.random.default_rng(0)
    age = rng.normal(size=150)
    state = np.where(rng.uniform(size=150) < 1.0 / (1.0 + np.exp(-age)), 2, 1)
    X, moves = [], np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.3, 0.1, 0.6]])
    for person, k in enumerate(state):
        for _ in range(5):
            X.append([rng.normal(20.0 * k), age[person]])
            k = rng.choice(3, p=moves[k])
    X, lengths = np.array(X), [5] * 150
    asked = {"initial_covariates": [1]}
    fits = [HiddenMarkov("normal", 3, random_state=i, **asked).fit(X, lengths) for i in (0, 1)]
    first, second = fits
    np.testing.assert_allclose(first.initial_coef_[1:], second.initial_coef_[1:], atol=1e-4)
    assert first.initial_intercept_[1] == first.initial_coef_[1, 0] == 0.0
    assert first.fit_result_.certificate.verdict == "interior maximum"
    assert "0   no sequence begins in it" in first.summary()
    assert "beside 1" in first.summary()
    z = np.column_stack([np.ones(150), age])
    at = np.array([first.initial_intercept_[2], first.initial_coef_[2, 0]])
    p = 1.0 / (1.0 + np.exp(-z @ at))
    np.testing.assert_allclose(z.T @ ((state == 2) - p), 0.0, atol=1e-3)
    errors = np.sqrt(np.diag(np.linalg.inv(z.T @ (z * (p * (1 - p))[:, None]))))
    found = first.standard_errors(X, lengths)
    told = [found["initial_intercept"][2], found["initial_coef"][2, 0]]
    np.testing.assert_allclose(told, errors, rtol=1e-3)
    assert np.isnan(found["initial_coef"][:2]).all()


def test_the_figure_shows_what_states_describe(fitted):
    X = TABLE[["bites", "age"]]
    never = np.array([[1.0 - 6e-16, 6e-16], [0.25, 0.75]])
    view = replace(fitted.view(), transitions=never)
    assert view.stays.tolist() == [np.inf, 4.0]
    figure = draw_chain(view, X.to_numpy(), LENGTHS, fitted.predict_proba(X, LENGTHS))
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert "bites" in labels
    assert "age" not in labels


def test_it_says_what_it_cannot_draw(fitted):
    with pytest.raises(NotImplementedError, match="the first states of this model hang on"):
        fitted.sample(3)


def test_a_first_row_without_its_covariate_is_refused():
    few = TABLE[["bites", "age"]][: 40 * STEPS].astype(float)
    gap, lengths = few.copy(), [STEPS] * 40
    asked = {"initial_covariates": "age", "random_state": 0}
    whole = HiddenMarkov("poisson", 2, **asked).fit(gap, lengths)
    gap.iloc[2 * STEPS + 1, 1] = np.nan
    told = HiddenMarkov("poisson", 2, **asked).fit(gap, lengths)
    # Later rows say nothing of it.
    np.testing.assert_array_equal(told.initial_coef_, whole.initial_coef_)
    assert told.score(gap, lengths) == whole.score(few, lengths)
    first = gap.copy()
    first.iloc[2 * STEPS, 1] = np.nan
    with pytest.raises(
        ValueError, match=f"in row {2 * STEPS} .*: states cannot hang on what is mis"
    ):
        HiddenMarkov("poisson", 2, **asked).fit(first, lengths)
    # A step that nobody saw needs it too where it is the first.
    gap.iloc[2 * STEPS + 1, 0] = np.nan
    HiddenMarkov("poisson", 2, **asked).fit(gap, lengths)
    gap.iloc[2 * STEPS] = np.nan
    said = f"initial_covariates: column 'age' is missing in row {2 * STEPS}"
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("poisson", 2, initial_covariates="age").fit(gap, lengths)

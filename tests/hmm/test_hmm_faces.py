"""hmmlearn's names: its numbers, its attributes, what is set by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import mixtura
from mixtura import (
    GMMHMM,
    CategoricalHMM,
    GaussianHMM,
    HiddenMarkov,
    MultinomialHMM,
    PoissonHMM,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
needs = pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data are not here")
RNG = np.random.default_rng(3)
RUNS = np.repeat(RNG.integers(0, 2, size=40), RNG.integers(3, 9, size=40))
COUNTS = RNG.poisson(np.array([2.0, 9.0])[RUNS])[:, None]
SYMBOLS = (RNG.uniform(size=(len(RUNS), 1)) < np.array([0.2, 0.8])[RUNS][:, None]).astype(int)


@needs
@pytest.mark.parametrize("kind", ["full", "diag", "tied", "spherical"])
def test_the_trace_is_that_of_hmmlearn(kind):
    # hmmlearn 0.3.3 with its priors off, 20 steps from given parameters.
    known = json.loads((REFERENCE / "hmmlearn_small.json").read_text())
    X = np.loadtxt(REFERENCE / "hmm" / "hmm_seq.csv", delimiter=",", skiprows=1)[:, :2]
    told, lengths = known["models"][kind], known["lengths"]
    hmm = GaussianHMM(3, kind, n_iter=20, tol=-np.inf, init_params="")
    hmm.startprob_, hmm.transmat_ = told["start"]["startprob"], told["start"]["transmat"]
    hmm.means_, hmm.covars_ = told["start"]["means"], told["start"]["covars"]
    assert hmm.score(X, lengths) == pytest.approx(told["loglik_start"], abs=1e-9)
    value, states = hmm.decode(X, lengths)
    assert value == pytest.approx(told["viterbi_logprob_start"], abs=1e-9)
    assert states.tolist() == told["states_start_viterbi"]
    head = hmm.predict_proba(X, lengths)[:20]
    np.testing.assert_allclose(head, told["posteriors_start_head"], atol=1e-9)
    hmm.fit(X, lengths)
    after = told["after_20"]
    np.testing.assert_allclose(hmm.monitor_.history, after["loglik_history"], atol=1e-9, rtol=0)
    assert hmm.monitor_.iter == 20
    assert hmm.score(X, lengths) == pytest.approx(after["loglik"], abs=1e-9)
    for name in ("startprob", "transmat", "means"):
        np.testing.assert_allclose(getattr(hmm, f"{name}_"), after[name], atol=1e-9)
    covars = np.reshape(after["covars"], (-1, 2, 2))[:: 2 if kind == "spherical" else 1]
    if kind != "spherical":
        np.testing.assert_allclose(hmm.covars_, covars, atol=1e-9)
    assert hmm.covars_.shape == (3, 2, 2)


def started(**settings) -> PoissonHMM:
    hmm = PoissonHMM(2, init_params="", **settings)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5], [[0.7, 0.3], [0.3, 0.7]]
    hmm.lambdas_ = [[7.0], [3.0]]
    return hmm


def test_steps_are_those_of_em_by_hand():
    hmm = started(n_iter=1, tol=-np.inf).fit(COUNTS)
    before = started()
    posterior = before.predict_proba(COUNTS)
    rates = posterior.T @ COUNTS[:, 0] / posterior.sum(axis=0)
    np.testing.assert_allclose(hmm.lambdas_[:, 0], rates, rtol=1e-12)
    np.testing.assert_allclose(hmm.startprob_, posterior[0], rtol=1e-12)
    assert hmm.monitor_.history == pytest.approx([before.score(COUNTS)])


def test_the_rule_to_stop_is_hmmlearns():
    hmm = started(n_iter=200, tol=0.1).fit(COUNTS)
    assert hmm.monitor_.converged
    gains = np.diff(hmm.monitor_.history)
    assert gains[-1] < 0.1 <= gains[:-1].min()
    # States stay in the order in which they were set.
    assert hmm.lambdas_[0, 0] > hmm.lambdas_[1, 0]


def test_what_is_not_in_params_is_held():
    hmm = started(n_iter=5, params="tl").fit(COUNTS)
    assert (hmm.startprob_ == 0.5).all()
    only = started(n_iter=5, params="st").fit(COUNTS)
    assert only.lambdas_.ravel().tolist() == [7.0, 3.0]
    with pytest.raises(ValueError, match="give all of 'mcw', or none"):
        GMMHMM(2, params="stm").fit(COUNTS)


WAVES = np.stack(
    [
        3 * np.sin(0.9 * np.arange(40.0) ** 2) + np.where((np.arange(40) // 7) % 2, 4, 0),
        np.cos(1.7 * np.arange(40.0) ** 2) + 0.3 * (np.arange(40) % 3),
    ],
    1,
)


def waves(kind, **settings):
    hmm = GaussianHMM(2, kind, init_params="", tol=-np.inf, **settings)
    hmm.startprob_, hmm.transmat_ = [0.6, 0.4], [[0.8, 0.2], [0.3, 0.7]]
    hmm.means_ = np.array([[0.0, 0.0], [4.0, 0.5]])
    hmm.covars_ = np.full((2, 2), 4.0) if kind == "diag" else np.tile(4 * np.eye(2), (2, 1, 1))
    return hmm


def test_covariances_may_be_held_while_means_move():
    hmm = waves("diag", params="stm", n_iter=4).fit(WAVES, [25, 15])
    # hmmlearn 0.3.3.
    assert hmm.score(WAVES, [25, 15]) == pytest.approx(-164.5535224969396, abs=1e-9)
    assert (hmm.covars_[:, 0, 0] == 4.0).all()


def test_means_may_be_held_while_covariances_move(tmp_path):
    # There hmmlearn forgets to count the rows, and divides by none.
    before = waves("full")
    posterior = before.predict_proba(WAVES, [25, 15])
    hmm = waves("full", params="stc", n_iter=1).fit(WAVES, [25, 15])
    assert hmm.means_.tolist() == before.means_.tolist()
    for k, own in enumerate(posterior.T):
        off = WAVES - hmm.means_[k]
        np.testing.assert_allclose(hmm.covars_[k], (own[:, None] * off).T @ off / own.sum())
    searched = GaussianHMM(2, params="stc", init_params="stc", random_state=0)
    searched.means_ = hmm.means_
    searched.fit(WAVES, [25, 15])
    assert searched.means_.tolist() == hmm.means_.tolist()
    searched.save(tmp_path / "hmm.json")
    assert mixtura.load(tmp_path / "hmm.json").score(WAVES) == searched.score(WAVES)
    with pytest.raises(ValueError, match="holds means_: set them before the fit"):
        GaussianHMM(2, params="stc").fit(WAVES)
    with pytest.raises(ValueError, match="holds means_, and priors"):
        waves("full", params="stc", means_weight=1.0).fit(WAVES)


def test_symbols_and_trials_are_counted_or_told():
    hmm = CategoricalHMM(2, random_state=0).fit(SYMBOLS)
    assert hmm.n_features == 2
    more = CategoricalHMM(2, n_features=4, emissionprob_prior=1.5, random_state=0).fit(SYMBOLS)
    assert more.emissionprob_.shape == (2, 4)
    assert more.emissionprob_[:, 2:].min() > 0
    assert clone(more).n_features == 4
    pairs = np.hstack([SYMBOLS, 1 - SYMBOLS])
    assert MultinomialHMM(2, n_trials=1, random_state=0).fit(pairs).sample(5)[0].sum() == 5
    pairs[3] = 0, 2
    with pytest.raises(ValueError, match=r"n_trials: row 3 .* of X adds up to 2"):
        MultinomialHMM(2, n_trials=1).fit(pairs)
    MultinomialHMM(2, n_trials=pairs.sum(axis=1), random_state=0).fit(pairs)


def test_what_is_not_in_init_params_begins_as_set():
    hmm = PoissonHMM(2, init_params="l", random_state=0)
    with pytest.raises(ValueError, match="leaves out 's', and startprob_ is not set"):
        hmm.fit(COUNTS)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5], [[1.0, 0.0], [0.3, 0.7]]
    hmm.fit(COUNTS)
    assert hmm.transmat_[0, 1] == 0.0
    hmm.transmat_ = np.eye(3)
    with pytest.raises(ValueError, match=r"transmat_ must be of shape \(2, 2\), got \(3, 3\)"):
        hmm.fit(COUNTS)


@pytest.mark.parametrize(
    ("hmm", "X", "family"),
    [
        (PoissonHMM(2, random_state=0), COUNTS, "poisson"),
        (CategoricalHMM(2, random_state=0), SYMBOLS, "categorical"),
        (MultinomialHMM(2, random_state=0), np.hstack([SYMBOLS, 1 - SYMBOLS]), "multinomial"),
        (GaussianHMM(2, random_state=0), COUNTS, "diag"),
    ],
)
def test_faces_find_what_the_general_one_finds(hmm, X, family, tmp_path):
    hmm.fit(X)
    other = HiddenMarkov(family, 2, random_state=0).fit(X)
    assert hmm.score(X) == pytest.approx(other.score(X), abs=1e-3)
    hmm.save(tmp_path / "hmm.json")
    assert mixtura.load(tmp_path / "hmm.json").score(X) == hmm.score(X)


def test_logarithms_say_the_same():
    one, two = (started(n_iter=3, implementation=name).fit(COUNTS) for name in ("scaling", "log"))
    np.testing.assert_allclose(one.transmat_, two.transmat_, rtol=1e-10)


def test_priors_are_rows_beside_those_of_the_table():
    plain, prior = started(n_iter=1).fit(COUNTS), started(n_iter=1, transmat_prior=11.0).fit(COUNTS)
    before = started()
    filtered, kernel = before.predict_proba(COUNTS), plain.transmat_
    out = filtered[:-1].sum(axis=0)[:, None]
    np.testing.assert_allclose(prior.transmat_, (kernel * out + 10) / (out + 20), rtol=1e-10)
    with pytest.raises(ValueError, match="startprob_prior must be 1 or more"):
        started(startprob_prior=0.5).fit(COUNTS)


@pytest.mark.parametrize(
    ("face", "name"),
    [
        (GaussianHMM, "min_covar"),
        (GMMHMM, "min_covar"),
    ],
)
def test_parameters_that_are_gone_say_what_is_done_instead(face, name):
    with pytest.raises(ValueError, match=f"{face.__name__} has no {name}: leave it out; "):
        face(n_components=2, **{name: 1})
    with pytest.raises(TypeError, match="nonsense"):
        face(nonsense=1)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("diag", [[1.0], [-1.0]]),
        ("full", [[[1.0]], [[-1.0]]]),
        ("tied", [[-1.0]]),
        ("spherical", [1.0, -1.0]),
    ],
)
def test_variances_set_below_zero_are_refused_by_their_name(kind, value):
    hmm = GaussianHMM(2, kind, init_params="", n_iter=2)
    hmm.startprob_, hmm.transmat_ = [0.5, 0.5], np.full((2, 2), 0.5)
    hmm.means_, hmm.covars_ = np.array([[0.0], [1.0]]), value
    for asked in (hmm.fit, hmm.score, hmm.predict):
        with pytest.raises(ValueError, match="'covars_' should be"):
            asked(np.arange(6.0)[:, None])


def test_a_forecast_is_of_whole_steps():
    X = np.r_[np.zeros(9), np.ones(9)][:, None] + np.random.default_rng(0).normal(0, 0.1, (18, 1))
    hmm = GaussianHMM(2, random_state=0).fit(X)
    for k in (2.5, 0):
        with pytest.raises(ValueError, match="k must be a whole number from 1 on"):
            hmm.forecast(X, k)
    assert hmm.forecast(X, np.int64(2)).shape == (1, 2, 2)


def test_what_cannot_be_is_told_of_its_row_though_many_are_equal():
    symbols = CategoricalHMM(2, random_state=0, n_iter=3).fit(SYMBOLS)
    odd = SYMBOLS.copy()
    odd[7] = 2
    with pytest.raises(ValueError, match=r"holds 2 in row 7"):
        symbols.predict(odd)
    rates = PoissonHMM(2, random_state=0, n_iter=3).fit(COUNTS)
    odd = COUNTS.astype(float)
    odd[9] = 0.5
    with pytest.raises(ValueError, match=r"holds 0.5 in row 9"):
        rates.filter(odd)


def test_what_is_asked_takes_no_infinity_nor_other_columns():
    X = RNG.normal(size=(60, 2)) + 4.0 * RUNS[:60, None]
    hmm = GaussianHMM(2, random_state=0, n_iter=3).fit(X)
    far = X.copy()
    far[5, 1] = np.inf
    for given, told in ((far, "infinity"), (X[:, :1], "1 features"), (X[:0], "minimum of 1")):
        with pytest.raises(ValueError, match=told):
            hmm.predict(given)
    # Where only a sum is infinite there are numbers, if hopeless ones.
    with pytest.raises(ValueError, match="no path of positive probability"):
        hmm.predict(np.where(far == np.inf, 1.7e308, np.abs(X) * 1e307))


def test_a_symbol_that_the_fit_never_met_is_named():
    hmm = CategoricalHMM(2, random_state=0).fit(np.tile([0, 1, 2, 0], 10)[:, None])
    for asked in (hmm.predict, hmm.score):
        with pytest.raises(
            ValueError, match=r"holds 5 in row 1 .*, and .* 0 to 2: leave the row out"
        ):
            asked([[0], [5]])

"""States that are mixtures: every path through their parts, hmmlearn's numbers, files."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

import mixtura
from mixtura import GMMHMM, HiddenMarkov, MixtureOf

RNG = np.random.default_rng(0)
RUNS = np.repeat(RNG.integers(0, 2, size=30), RNG.integers(4, 12, size=30))
PART = RNG.integers(0, 2, size=len(RUNS))
CENTRES = np.array([[[0.0, 0.0], [4.0, 4.0]], [[8.0, 0.0], [0.0, 4.0]]])
X = CENTRES[RUNS, PART] + RNG.normal(size=(len(RUNS), 2))

T = np.arange(40.0)
WAVES = np.stack(
    [3 * np.sin(0.9 * T * T) + np.where((T // 7) % 2, 4, 0), np.cos(1.7 * T * T) + 0.3 * (T % 3)], 1
)
LENGTHS = [25, 15]
# hmmlearn 0.3.3: log-likelihood and Viterbi's at the start below, then one step, priors off.
HMMLEARN = {
    "diag": {
        "score": -158.29400272304244,
        "viterbi": -163.96454744659772,
        "startprob": [0.8126716530791633, 0.18732834692083675],
        "transmat": [
            [0.7862570888269771, 0.21374291117302283],
            [0.33517202601430257, 0.6648279739856974],
        ],
        "weights": [
            [0.5280622854707246, 0.47193771452927535],
            [0.38646030500746476, 0.6135396949925351],
        ],
        "means": [
            [[-0.6524075129004471, 0.3646032003841515], [2.217333331941502, 0.4163440410188242]],
            [[2.5832164234136403, 0.4312585904091506], [5.961242673892742, 0.3338689544444842]],
        ],
        "covars": [
            [[3.8176183759755142, 0.8532717670822042], [1.9109257624435156, 0.9071719096671854]],
            [[1.7779291309972591, 0.6974874793392074], [1.3125546913755166, 0.8125828843118059]],
        ],
    },
    "tied": {
        "score": -155.05205565739243,
        "viterbi": -160.54933888126772,
        "startprob": [0.8619224505683722, 0.13807754943162776],
        "transmat": [
            [0.7521069091139184, 0.24789309088608155],
            [0.35613774471039455, 0.6438622552896055],
        ],
        "weights": [
            [0.5399774525849329, 0.4600225474150671],
            [0.3931185768547772, 0.6068814231452229],
        ],
        "means": [
            [[-0.5929250994394777, 0.34943818760143075], [2.027352088617206, 0.5764487494175695]],
            [[2.6835398237130246, 0.20314085282489894], [5.911912829538679, 0.31294763828382116]],
        ],
        "covars": [
            [[2.994623786147459, -0.3851996437789392], [-0.3851996437789392, 0.7712367191807736]],
            [[1.5272176631210825, 0.03625080724177807], [0.03625080724177807, 0.7344224142757576]],
        ],
    },
}


def by_hand(kind: str) -> GMMHMM:
    hmm = GMMHMM(2, 2, covariance_type=kind, n_iter=1, tol=-np.inf, init_params="")
    hmm.startprob_, hmm.transmat_ = [0.6, 0.4], [[0.8, 0.2], [0.3, 0.7]]
    hmm.weights_ = [[0.5, 0.5], [0.3, 0.7]]
    hmm.means_ = np.array([[[0.0, 0.0], [2.0, 1.0]], [[3.0, 0.0], [6.0, 1.0]]])
    tied = np.tile(np.array([[2.0, 0.3], [0.3, 1.0]]), (2, 1, 1))
    hmm.covars_ = np.full((2, 2, 2), 2.0) if kind == "diag" else tied
    return hmm


@pytest.mark.parametrize("kind", ["diag", "tied"])
def test_a_step_is_hmmlearns_but_for_where_it_centres_covariances(kind):
    known, hmm = HMMLEARN[kind], by_hand(kind)
    assert hmm.score(WAVES, LENGTHS) == pytest.approx(known["score"], abs=1e-9)
    assert hmm.decode(WAVES, LENGTHS)[0] == pytest.approx(known["viterbi"], abs=1e-9)
    before = hmm.means_
    hmm.fit(WAVES, LENGTHS)
    for name in ("startprob", "transmat", "weights", "means"):
        np.testing.assert_allclose(getattr(hmm, f"{name}_"), known[name], atol=1e-9)
    # hmmlearn takes squares about the means before the step, and EM about those after it.
    moved = hmm.means_ - before
    excess = moved**2
    if kind == "tied":
        excess = np.einsum("km,kmi,kmj->kij", hmm.weights_, moved, moved)
    np.testing.assert_allclose(hmm.covars_ + excess, known["covars"], atol=1e-9)


def test_every_path_through_states_and_parts():
    hmm, rows = by_hand("diag"), WAVES[:4]
    total, posterior = 0.0, np.zeros((4, 2))
    for path in product(range(2), repeat=4):
        for parts in product(range(2), repeat=4):
            p = hmm.startprob_[path[0]]
            for t in range(4):
                k, m = path[t], parts[t]
                p *= hmm.transmat_[path[t - 1], k] if t else 1.0
                density = stats.norm(hmm.means_[k, m], np.sqrt(2.0)).pdf(rows[t]).prod()
                p *= hmm.weights_[k, m] * density
            total += p
            posterior[np.arange(4), path] += p
    assert hmm.score(rows) == pytest.approx(np.log(total), abs=1e-10)
    np.testing.assert_allclose(hmm.predict_proba(rows), posterior / total, atol=1e-10)


@pytest.mark.parametrize("kind", ["diag", "full", "tied", "spherical"])
def test_planted_parts_are_found_and_kept(kind, tmp_path):
    hmm = GMMHMM(2, 2, covariance_type=kind, random_state=0).fit(X)
    assert (np.diff(hmm.monitor_.history) >= -1e-9).all()
    # States are in the order of their means, and so are the parts of each.
    np.testing.assert_allclose(hmm.means_, CENTRES[:, [[0, 1], [1, 0]]][[0, 1], [0, 1]], atol=0.6)
    assert (hmm.predict(X) == RUNS).mean() > 0.98
    hmm.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.score(X) == hmm.score(X)
    np.testing.assert_array_equal(again.weights_, hmm.weights_)
    free = {"diag": 8, "full": 12, "tied": 6, "spherical": 4}[kind]
    assert hmm.fit_result_.n_parameters == 3 + 2 + 8 + free


def test_parts_of_any_family():
    rates = np.array([[1.0, 30.0], [8.0, 80.0]])
    counts = RNG.poisson(rates[RUNS, PART])[:, None]
    hmm = HiddenMarkov(MixtureOf("poisson", 2), 2, random_state=0).fit(counts)
    np.testing.assert_allclose(hmm.rates_[:, :, 0], rates, rtol=0.3)
    assert hmm.fit_result_.verdict == "interior maximum"
    plain = HiddenMarkov("poisson", 2, random_state=0).fit(counts)
    assert hmm.bic(counts) < plain.bic(counts)
    drawn, states = hmm.sample(20_000, random_state=1)
    for k in range(2):
        assert drawn[states == k].mean() == pytest.approx(
            hmm.shares_[k] @ hmm.rates_[k, :, 0], rel=0.1
        )
    residuals = hmm.pseudo_residuals(counts)
    assert abs(residuals.std() - 1.0) < 0.15
    assert hmm.standard_errors(counts)["shares"].shape == (2, 2)


def test_one_part_is_the_plain_model():
    one = HiddenMarkov(MixtureOf("full", 1), 2, random_state=0).fit(X)
    plain = HiddenMarkov("full", 2, random_state=0).fit(X)
    assert one.score(X) == pytest.approx(plain.score(X), abs=1e-3)
    assert one.fit_result_.n_parameters == plain.fit_result_.n_parameters


def test_parts_are_in_order_where_states_are_placed():
    known = np.full(len(X), -1)
    known[:2] = RUNS[:2]
    cyclic = HiddenMarkov(MixtureOf("diag", 2), 2, topology="cyclic", random_state=0).fit(X)
    told = HiddenMarkov(MixtureOf("diag", 2), 2, random_state=0).fit(X, states=known)
    for model in (cyclic, told):
        assert (np.diff(model.means_[:, :, 0], axis=1) > 0).all()
    assert (told.predict(X)[:2] == RUNS[:2]).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="n must be a whole number of parts"):
        MixtureOf("full", 0)
    hmm = by_hand("diag")
    hmm.weights_ = [0.5, 0.5]
    with pytest.raises(ValueError, match=r"weights_ must be of shape \(2, 2\)"):
        hmm.fit(WAVES)
    with pytest.raises(ValueError, match="has no min_covar"):
        GMMHMM(2, min_covar=1e-3)

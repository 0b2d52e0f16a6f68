"""`HiddenMarkov`: the model, its fits, what is asked of it, and what it refuses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixtura
from mixtura import HiddenMarkov
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import open_sweep
from mixtura.families.normal import Normal, NormalParams
from mixtura.families.priors import Flat
from mixtura.models.hidden_markov import HiddenMarkov as Model
from mixtura.models.hidden_markov_params import HiddenMarkovParams


def drawn(n: int = 400, seed: int = 0):
    rng = np.random.default_rng(seed)
    z = np.zeros(n, dtype=int)
    for t in range(1, n):
        z[t] = z[t - 1] if rng.uniform() < 0.9 else rng.integers(3)
    means = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    return means[z] + rng.normal(size=(n, 2)), z


X, STATES = drawn()
LENGTHS = [150, 1, 2, 247]
MODEL = Model(Normal(), Flat(), sequences=4 / 400)
PARAMS = HiddenMarkovParams(
    np.full(3, 1 / 3),
    NormalParams(np.array([[0.5, 0.3], [2.0, 0.1], [0.2, 2.0]]), np.full((3, 2), 1.3)),
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]]),
)


def rows(x=X, w=None, lengths=LENGTHS):
    return Sequences(np.ascontiguousarray(x), w, np.cumsum(lengths))


def test_every_engine_equals_the_plain_sum_however_it_is_cut():
    found = [open_sweep(name, MODEL, rows())(PARAMS) for name in ("local", "threads", "compiled")]
    whole = rows()
    parts = [MODEL.e_step(chunk, PARAMS) for chunk in whole.chunks(1)]
    assert len(parts) == 4
    found.append(sum(parts[1:], parts[0]))
    for one in found[1:]:
        np.testing.assert_allclose(one.loglik, found[0].loglik, rtol=1e-12)
        arrays = found[0].statistics.arrays()
        for name, array in one.statistics.arrays().items():
            np.testing.assert_allclose(array, arrays[name], rtol=1e-9, atol=1e-9)


def test_a_weight_is_copies_of_the_sequence():
    w = np.repeat([2.0, 1.0, 0.0, 1.0], LENGTHS)
    one = open_sweep("compiled", MODEL, rows(w=w))(PARAMS)
    copied = np.concatenate([X[:150], X[:151], X[153:]])
    two = open_sweep("compiled", MODEL, rows(copied, lengths=[150, 150, 1, 247]))(PARAMS)
    np.testing.assert_allclose(one.loglik, two.loglik, rtol=1e-12)
    np.testing.assert_allclose(one.statistics.moves, two.statistics.moves, rtol=1e-10)
    np.testing.assert_allclose(one.statistics.starts, two.statistics.starts, rtol=1e-10)


def test_the_score_is_the_slope_of_the_likelihood():
    sweep = open_sweep("compiled", MODEL, rows())
    chart = MODEL.chart(PARAMS)
    slope, step = chart.gradient(sweep(PARAMS), PARAMS), 1e-5
    for j in range(chart.size):
        free = np.zeros(chart.size)
        free[j] = step
        rise = sweep(chart.params(free)).loglik - sweep(chart.params(-free)).loglik
        assert rise / (2 * step) == pytest.approx(slope[j], rel=1e-6, abs=1e-4)


def test_a_step_nobody_saw_is_summed_over():
    law = PARAMS.initial, PARAMS.transitions
    gaps = X[:4].copy()
    gaps[1] = np.nan
    gaps[2, 0] = np.nan
    found = open_sweep("compiled", MODEL, rows(gaps, lengths=[4]))(PARAMS)
    emitted = MODEL.emissions(gaps, PARAMS)
    assert not emitted[1].any()
    forward = law[0] * np.exp(emitted[0])
    for b in emitted[1:]:
        forward = forward @ law[1] * np.exp(b)
    assert found.loglik == pytest.approx(np.log(forward.sum()), rel=1e-13)
    # A missing cell is its own marginal.
    lone = -0.5 * ((X[2, 1] - PARAMS.components.means[:, 1]) ** 2 / 1.3 + np.log(2 * np.pi * 1.3))
    np.testing.assert_allclose(emitted[2], lone)


@pytest.fixture(scope="module")
def fitted():
    return HiddenMarkov("full", 3, random_state=0).fit(X, LENGTHS)


@pytest.mark.parametrize("solver", ["em", "squarem", "anderson", "lbfgs", "newton"])
def test_solvers_agree(fitted, solver):
    other = HiddenMarkov("full", 3, random_state=0, solver=solver).fit(X, LENGTHS)
    assert other.fit_result_.verdict == "interior maximum"
    assert other.fit_result_.loglik == pytest.approx(fitted.fit_result_.loglik, abs=1e-5)


def test_states_are_found_and_in_order(fitted):
    assert (np.diff(fitted.means_[:, 0]) > 0).all()
    order = np.argsort([X[k == STATES, 0].mean() for k in range(3)])
    assert (order[fitted.predict(X, LENGTHS)] == STATES).mean() > 0.9
    assert "law of a sequence's first state" in fitted.summary()
    assert "group" not in fitted.summary()


def test_answers_belong_together(fitted):
    loglik, posterior = fitted.score_samples(X, LENGTHS)
    assert loglik == pytest.approx(fitted.score(X, LENGTHS)) == fitted.fit_result_.loglik
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0)
    last = np.cumsum(LENGTHS) - 1
    np.testing.assert_allclose(fitted.filter(X, LENGTHS)[last], posterior[last], atol=1e-12)
    # Steps nobody saw, behind the end, are a forecast.
    ahead = np.vstack([X[:100], np.full((3, 2), np.nan)])
    np.testing.assert_allclose(
        fitted.forecast(X[:100], 3)[0], fitted.predict_proba(ahead)[-3:], atol=1e-12
    )
    assert fitted.decode(X, LENGTHS)[0] < loglik
    assert (fitted.decode(X, LENGTHS, "map")[1] == posterior.argmax(axis=1)).all()
    parts = np.split(X, np.cumsum(LENGTHS)[:-1])
    assert fitted.score(parts) == pytest.approx(loglik)
    p = fitted.fit_result_.n_parameters
    assert p == 2 + 6 + 6 + 9
    assert fitted.bic(X, LENGTHS) == pytest.approx(-2 * loglik + p * np.log(400))
    assert fitted.aic(X, LENGTHS) == pytest.approx(-2 * loglik + 2 * p)


def test_a_file_keeps_it(fitted, tmp_path):
    fitted.save(tmp_path / "model.json")
    again = mixtura.load(tmp_path / "model.json")
    assert again.score(X, LENGTHS) == fitted.score(X, LENGTHS)
    assert again.get_params() == fitted.get_params()


def test_a_checkpoint_is_taken_up(fitted, tmp_path, monkeypatch):
    path = tmp_path / "fit.ckpt"
    monkeypatch.setattr("mixtura.estimators.hidden_markov.removed", lambda _: None)
    one = HiddenMarkov("full", 3, random_state=0).fit(X, LENGTHS, checkpoint=path)
    two = HiddenMarkov("full", 3, random_state=0).fit(X, LENGTHS, checkpoint=path)
    assert one.fit_result_.loglik == two.fit_result_.loglik == fitted.fit_result_.loglik
    with pytest.raises(mixtura.CheckpointError, match="of ends"):
        HiddenMarkov("full", 3, random_state=0).fit(X, [200, 200], checkpoint=path)


def test_draws_are_of_the_model(fitted):
    drawn, states = fitted.sample(20_000, random_state=1)
    moves = np.zeros((3, 3))
    np.add.at(moves, (states[:-1], states[1:]), 1.0)
    shares = moves / moves.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, fitted.transitions_, atol=0.02)
    for k in range(3):
        np.testing.assert_allclose(drawn[states == k].mean(axis=0), fitted.means_[k], atol=0.08)


def test_what_is_not_allowed_stays_out():
    left_right = np.triu(np.ones((3, 3)))
    found = HiddenMarkov(
        "diag", 3, transitions=left_right, first_states=[1, 0, 0], random_state=0
    ).fit(X, LENGTHS)
    assert not np.tril(found.transitions_, -1).any()
    assert (found.initial_ == [1, 0, 0]).all()
    assert found.fit_result_.n_parameters == 3 + 12


def test_sequences_of_one_step_are_a_mixture():
    found = HiddenMarkov("diag", 2, random_state=0).fit(X, np.ones(400, dtype=int))
    mixture = mixtura.Mixture("diag", 2, random_state=0).fit(X)
    assert found.fit_result_.loglik == pytest.approx(mixture.fit_result_.loglik, abs=1e-3)


def test_one_state_is_the_family():
    found = HiddenMarkov("full", 1).fit(X, LENGTHS)
    assert found.score(X) == pytest.approx(mixtura.Mixture("full").fit(X).score(X) * 400)


def test_missing_steps_and_mixed_columns_are_fitted():
    gaps = np.column_stack([X[:, 0], (STATES == 1) + 0.0])
    gaps[::9] = np.nan
    kinds = mixtura.Product([mixtura.Block("normal", [0]), mixtura.Block("bernoulli", [1])])
    found = HiddenMarkov(kinds, 2, random_state=0).fit(gaps)
    assert found.converged_
    assert found.predict(gaps).shape == (400,)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: HiddenMarkov("full", 3).fit(X, [100]), "lengths add up to 100, and X has 400"),
        (lambda: HiddenMarkov("full", 3).fit(X, [0, 400]), "sequence 0 has 0 rows"),
        (lambda: HiddenMarkov("full", 3).fit(X, [0.5]), "lengths must be whole numbers"),
        (lambda: HiddenMarkov("full", 9).fit(X[:5]), "n_states=9, and X has only 5 steps"),
        (lambda: HiddenMarkov("poisson").fit(X), "counts"),
        (lambda: HiddenMarkov("full").fit([X, X[:, :1]]), "have \\[1, 2\\] columns"),
        (lambda: HiddenMarkov("full").fit([X, X], [400, 400]), "leave it out"),
        (lambda: HiddenMarkov("full").fit(np.full((9, 2), np.nan)), "no value in any row"),
        (
            lambda: HiddenMarkov("vonmisesfisher").fit(np.where(np.eye(400, 2), np.nan, X)),
            "column 'x1' has a gap in row 0",
        ),
        (
            lambda: HiddenMarkov("full").fit(X, sample_weight=np.arange(400.0)),
            "differs within a sequence \\(1 where it began with 0\\)",
        ),
        (
            lambda: HiddenMarkov("full", 2, transitions=[[1, 1], [0, 0]]).fit(X),
            "transitions: a row is 0 throughout",
        ),
        (lambda: HiddenMarkov("full", 2, solver="online").fit(X), "solver"),
    ],
)
def test_bad_input_gets_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_sequence_that_cannot_be_is_named():
    found = HiddenMarkov("poisson", 2, random_state=0).fit(np.array([[1], [2], [9], [8]] * 9))
    found.transitions_, found.initial_ = np.eye(2), np.array([1.0, 0.0])
    found.rates_ = np.array([[0.5], [8.0]])
    assert found.predict([[9], [9]]).tolist() == [0, 0]
    found.initial_ = np.array([0.0, 0.0])
    with pytest.raises(ValueError, match=r"sequence 0 .* no path of positive probability"):
        found.predict([[9], [9]])


@pytest.mark.parametrize("frames", ["pandas", "polars"])
def test_a_list_of_frames_has_names(frames: str) -> None:
    library = pytest.importorskip(frames)
    rng = np.random.default_rng(0)
    whole = library.DataFrame({"a": rng.poisson(2, 40), "b": rng.poisson(50, 40)})
    parts = [whole[:20], whole[20:]]
    fitted = HiddenMarkov("poisson", 2, random_state=0).fit(parts)
    assert list(fitted.feature_names_in_) == ["a", "b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted.forecast(whole, 2).shape == (1, 2, 2)
        assert fitted.score(parts) == pytest.approx(fitted.score(whole, [20, 20]))
    with pytest.raises(ValueError, match=r"sequence 1 .* has columns \['b', 'a'\]"):
        fitted.score([parts[0], parts[1][["b", "a"]]])


def test_a_collapsed_state_is_warned_of() -> None:
    X = np.random.default_rng(1).normal(size=(6, 1))
    with pytest.warns(mixtura.DegenerateWarning, match="only the penalty keeps .* fewer states"):
        fitted = HiddenMarkov("normal", 3, random_state=0).fit(X)
    assert fitted.fit_result_.floored


@pytest.mark.parametrize("seed", [2, 3])
def test_a_default_fit_leaves_nothing_that_is_printed(seed):
    # Of 5,600 steps `tol` alone would leave 0.0056 nats.
    rng = np.random.default_rng(seed)
    moves, law = 0.1 + 0.7 * np.eye(3), rng.dirichlet(np.full(5, 2.0), 3)
    symbols = []
    for _ in range(800):
        state = rng.integers(3)
        for _ in range(7):
            symbols.append(rng.choice(5, p=law[state]))
            state = rng.choice(3, p=moves[state])
    table, lengths = np.array(symbols)[:, None], [7] * 800
    usual, sure = (
        HiddenMarkov("categorical", 2, random_state=0, tol=tol).fit(table, lengths).fit_result_
        for tol in (1e-6, 1e-13)
    )
    assert usual.loglik == pytest.approx(sure.loglik, abs=5e-5)
    assert usual.gap * usual.weight < 5e-5
    assert usual.solver.endswith("newton)")
    # One law gives each symbol its share: mixtures of such laws would be starts for nothing.
    assert not any(start.name.startswith("mixture") for start in usual.starts)

"""Stays whose next state hangs on covariates, and tied rows of moves where stays end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax

import mixtura
from mixtura import HiddenMarkov
from mixtura.data.sequences import Sequences
from mixtura.engines.local import LocalSweep
from mixtura.engines.stays import StaySweep, recursion
from mixtura.families.design import design
from mixtura.fitting.mixture_fit import prepare
from mixtura.models.stay_recursions import in_logarithms

RNG = np.random.default_rng(4)
MEANS = np.array([6.0, 3.0, 10.0])


def planted(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(steps and a covariate (n, 2), states): stays of 1 + Poisson(MEANS), and of the two other
    states the later one comes with log-odds 2 c at the last step of a stay."""
    c, state, t, k = RNG.normal(size=n), np.empty(n, dtype=int), 0, 0
    while t < n:
        end = min(n, t + 1 + RNG.poisson(MEANS[k]))
        state[t:end] = k
        low, high = (j for j in range(3) if j != k)
        k = high if RNG.uniform() < 1 / (1 + np.exp(-2 * c[end - 1])) else low
        t = end
    return np.column_stack([RNG.normal(4.0 * state), c]), state


X, STATE = planted(1500)


@pytest.fixture(scope="module")
def fitted() -> HiddenMarkov:
    asked = {"durations": "poisson", "max_duration": 40, "covariates": [1], "random_state": 0}
    return HiddenMarkov("diag", 3, **asked).fit(X)


def segments(path):
    cuts = [0, *(t for t in range(1, len(path)) if path[t] != path[t - 1]), len(path)]
    return [(path[a], a, b) for a, b in pairwise(cuts)]


def test_every_sequence_of_stays(fitted):
    hmm, T = fitted, 5
    rows = np.column_stack([RNG.normal(4, 4, size=T), RNG.normal(size=T)])
    hmm_laws = [stats.poisson(m, loc=1) for m in hmm.stays_[:, 0]]
    means, deviations = (getattr(hmm, f"gaussian_{n}_")[:, 0] for n in ("means", "covariances"))
    total, posterior, best = 0.0, np.zeros((T, 3)), (-1.0, ())
    for path in product(range(3), repeat=T):
        at = np.array(path)
        p = hmm.initial_[at[0]]
        p *= stats.norm(means[at], np.sqrt(deviations[at])).pdf(rows[:, 0]).prod()
        whole = segments(path)
        for (k, a, b), (j, _, _) in pairwise(whole):
            others = [i for i in range(3) if i != k]
            logits = hmm.transition_intercept_[k] + hmm.transition_coef_[k, :, 0] * rows[b - 1, 1]
            p *= hmm_laws[k].pmf(b - a) * softmax(logits[others])[others.index(j)]
        k, a, b = whole[-1]
        p *= hmm_laws[k].sf(b - a - 1)
        total += p
        posterior[np.arange(T), path] += p
        best = max(best, (p, path))
    assert hmm.score(rows) == pytest.approx(np.log(total), abs=1e-10)
    np.testing.assert_allclose(hmm.predict_proba(rows), posterior / total, atol=1e-10)
    value, states = hmm.decode(rows)
    assert value == pytest.approx(np.log(best[0]), abs=1e-10)
    assert tuple(states) == best[1]
    for t in range(1, T):
        ahead = hmm.predict_proba(rows[:t])[-1]
        np.testing.assert_allclose(hmm.filter(rows)[t - 1], ahead, atol=1e-10)


def test_c_is_the_recursion_in_logarithms_and_loses_no_path():
    K, D, n = 3, 4, 60
    moves = RNG.dirichlet(np.ones(K), size=(n, K)) * (1 - np.eye(K))
    moves /= moves.sum(axis=2, keepdims=True)
    rule = RNG.dirichlet(np.ones(K)), moves, RNG.uniform(0.1, 0.9, size=(K, D))
    b, ends, weight = 3 * RNG.normal(size=(n, K)), np.array([1, 25, 60]), np.array([2.0, 0.5, 3.0])
    # In the second case a step far out belongs to a state that one cannot come back to.
    barred = np.tile([[0.0, 1, 0], [0, 0, 1], [0, 1, 0]], (n, 1, 1))
    far = -0.5 * (10.0 * np.repeat([0, 1, 2], 20)[:, None] - [0.0, 10, 20]) ** 2
    far[5] = -0.5 * (60.0 - np.array([0.0, 10, 20])) ** 2
    once = np.array([1.0, 0, 0]), barred, np.full((K, D), 0.1)
    for asked in ((rule, b, ends, weight), (once, far, np.array([60]), None)):
        one, other = recursion(*asked), in_logarithms(*asked)
        for a, z in zip(one[:2], other[:2], strict=True):
            np.testing.assert_allclose(a, z, rtol=1e-10, atol=1e-10)
        for name in ("met", "ended", "stayed"):
            found = getattr(one[2], name)
            np.testing.assert_allclose(found, getattr(other[2], name), rtol=1e-9, atol=1e-9)


def test_what_is_planted_is_found(fitted, tmp_path):
    drawn = [np.mean([b - a for k, a, b in segments(STATE) if k == i]) for i in range(3)]
    np.testing.assert_allclose(1 + fitted.stays_[:, 0], drawn, rtol=0.1)
    slopes = fitted.transition_coef_[:, :, 0]
    # Beside the first other state.
    assert (np.abs(slopes[[0, 1, 2], [2, 2, 1]] - 2.0) < 4 * 0.5).all()
    assert (slopes[[0, 1, 2], [1, 0, 0]] == 0).all()
    assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()
    assert fitted.fit_result_.n_parameters == 2 + 3 * 2 + 3 + 6
    assert fitted.fit_result_.verdict == "interior maximum"
    plain = HiddenMarkov("diag", 3, durations="poisson", max_duration=40, random_state=0)
    assert fitted.score(X) > plain.fit(X[:, :1]).score(X[:, :1]) + 20
    fitted.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.score(X) == fitted.score(X)
    assert "beside one to the first other state" in again.summary()
    told = fitted.standard_errors(X)
    assert np.isfinite(told["transition_coef"][[0, 1, 2], [2, 2, 1], 0]).all()
    assert np.isfinite(told["stays"]).all()


def test_the_chart_has_the_slope_of_differences(fitted):
    model, params = fitted._fitted()
    rows = Sequences(X, ends=np.array([600, 1500]), beside=(1,))
    ground = prepare(rows.rows(), model.family, 3, np.random.RandomState(0))
    known = design(rows.rows(), (1,), True, "covariate")
    prior = ground.model.unpenalised().prior
    model = replace(model, barred=(0, 3), design=known, prior=prior)
    inner = {"initial": np.array([0.3, 0.5, 0.2]), "stays": 1.1 * params.stays}
    params = model.with_arrays(params, inner)
    sweep, chart = StaySweep(model, rows), model.chart(params)
    assert chart.size == model.n_parameters(params)
    found = sweep(params)
    plain = LocalSweep(model, rows)(params)
    assert plain.loglik == pytest.approx(found.loglik, abs=1e-8)
    slope = chart.gradient(found, params)
    np.testing.assert_allclose(chart.gradient(plain, params), slope, rtol=1e-7, atol=1e-7)
    for j, step in enumerate(1e-5 * np.eye(chart.size)):
        ends = [sweep(chart.params(sign * step)).loglik for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[j], rel=1e-4, abs=1e-3)


def test_tied_rows_of_stays_that_end():
    """States 1 and 2 differ in what they last and emit, and are left alike: to 0 or 3."""
    law, rng = np.array([0.3, 0.0, 0.0, 0.7]), np.random.default_rng(1)
    rows = np.array([[0, 0.5, 0.3, 0.2], law, law, [0.4, 0.4, 0.2, 0]])
    path = [0]
    for _ in range(400):
        path.append(rng.choice(4, p=rows[path[-1]]))
    state = np.repeat(path, 1 + rng.poisson(np.array([4, 8, 2, 5])[path]))
    steps = rng.normal(5.0 * state)[:, None]
    asked = {"durations": "poisson", "max_duration": 30, "transitions": rows, "random_state": 0}
    tied = HiddenMarkov("diag", 4, tied_rows=[0, 1, 1, 2], **asked).fit(steps, states=state)
    # All is known: moves are those counted, of both states together.
    moves = [(i, j) for (i, _, _), (j, _, _) in pairwise(segments(state))]
    met = np.array([sum(j == k for i, j in moves if i in (1, 2)) for k in range(4)])
    for k in (1, 2):
        np.testing.assert_allclose(tied.transitions_[k], met / met.sum(), atol=1e-9)
    free = HiddenMarkov("diag", 4, **asked).fit(steps, states=state)
    assert tied.fit_result_.n_parameters == free.fit_result_.n_parameters - 1
    assert (free.transitions_[1] != free.transitions_[2]).any()

"""First states that hang on covariates where states last by a law of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax

import mixtura
from mixtura import HiddenMarkov
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import open_sweep
from mixtura.families.design import design
from mixtura.fitting.mixture_fit import prepare
from mixtura.models.driven_first import first_design

RNG = np.random.default_rng(8)
S = 60
AGE = RNG.normal(50, 10, S)
FIRST = (RNG.uniform(size=S) < 1 / (1 + np.exp(-(AGE - 50) / 5))).astype(int)


def _walks() -> np.ndarray:
    """Counts and age of 8 steps each: stays of 1 + Poisson(1 or 3) in turn, the last cut off."""
    rows: list[list[float]] = []
    for age, k in zip(AGE, FIRST, strict=True):
        turns = [k, 1 - k] * 4
        states = [j for j in turns for _ in range(1 + RNG.poisson([1, 3][j]))]
        rows += [[RNG.poisson([2, 9][j]), age] for j in states[:8]]
    return np.array(rows)


X, LENGTHS = _walks(), [8] * S


@pytest.fixture(scope="module")
def fitted() -> HiddenMarkov:
    asked = {"durations": "poisson", "max_duration": 12, "initial_covariates": [1]}
    return HiddenMarkov("poisson", 2, random_state=0, **asked).fit(X, LENGTHS)


def of_stays(hmm: HiddenMarkov, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """(the likelihood of one sequence, P(state) of its steps), over all sequences of stays."""
    law = np.exp(log_softmax(hmm.initial_intercept_ + hmm.initial_coef_[:, 0] * rows[0, 1]))
    emitted = stats.poisson.pmf(rows[:, :1], hmm.poisson_rates_[:, 0])
    lasts, T = [stats.poisson(m, loc=1) for m in hmm.stays_[:, 0]], len(rows)
    total, posterior = 0.0, np.zeros((T, 2))
    for path in product(range(2), repeat=T):
        cuts = [0, *(t for t in range(1, T) if path[t] != path[t - 1]), T]
        stays = [(path[a], b - a) for a, b in pairwise(cuts)]
        p = law[path[0]] * emitted[np.arange(T), path].prod()
        p *= np.prod([lasts[k].pmf(u) for k, u in stays[:-1]])
        k, u = stays[-1]
        p *= lasts[k].sf(u - 1)
        total += p
        posterior[np.arange(T), path] += p
    return total, posterior / total


def test_every_sequence_of_stays(fitted: HiddenMarkov, tmp_path) -> None:
    rows = X[:5]
    total, posterior = of_stays(fitted, rows)
    assert fitted.score(rows) == pytest.approx(np.log(total), abs=1e-10)
    np.testing.assert_allclose(fitted.predict_proba(rows), posterior, atol=1e-10)
    np.testing.assert_allclose(fitted.filter(rows)[2], of_stays(fitted, X[:3])[1][2], atol=1e-10)
    fitted.save(tmp_path / "m.json")
    assert mixtura.load(tmp_path / "m.json").score(X, LENGTHS) == fitted.score(X, LENGTHS)
    assert fitted.fit_result_.loglik == pytest.approx(fitted.score(X, LENGTHS), abs=1e-8)


def test_what_is_planted_is_found(fitted: HiddenMarkov) -> None:
    # Two rates, two mean stays, an intercept and a coefficient.
    assert fitted.fit_result_.n_parameters == 6
    assert fitted.fit_result_.verdict == "interior maximum"
    assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()
    errors = fitted.standard_errors(X, LENGTHS)
    assert abs(fitted.initial_coef_[1, 0] - 0.2) < 3 * errors["initial_coef"][1, 0]
    assert (np.abs(fitted.stays_[:, 0] - [1, 3]) < 3 * errors["stays"][:, 0]).all()
    plain = HiddenMarkov("poisson", 2, durations="poisson", max_duration=12, random_state=0)
    plain.fit(X[:, :1], LENGTHS)
    assert fitted.fit_result_.loglik > plain.fit_result_.loglik + 5


def test_the_gradient_is_the_finite_difference_and_engines_agree(fitted: HiddenMarkov) -> None:
    model, params = fitted._fitted()
    rows = Sequences(X, None, np.cumsum(LENGTHS), None, (1,))
    ground = prepare(rows.rows(), model.family, 2, np.random.RandomState(0))
    model = replace(
        model,
        prior=ground.model.unpenalised().prior,
        first=first_design(rows, (1,)),
        design=design(rows.rows(), (), True, "covariate"),
        sequences=S / len(X),
    )
    off = replace(params, first_logits=params.first_logits * 0.5, stays=1.2 * params.stays)
    sweep, chart = open_sweep("compiled", model, rows), model.chart(off)
    found, plain = sweep(off), open_sweep("local", model, rows)(off)
    assert found.loglik == pytest.approx(plain.loglik, abs=1e-8)
    slope = chart.gradient(found, off)
    np.testing.assert_allclose(chart.gradient(plain, off), slope, rtol=1e-7, atol=1e-7)
    assert chart.size == model.n_parameters(off)
    for i, step in enumerate(1e-4 * np.eye(chart.size)):
        high, low = (sweep(chart.params(sign * step)).loglik for sign in (1, -1))
        assert slope[i] == pytest.approx((high - low) / 2e-4, rel=1e-4, abs=1e-4)

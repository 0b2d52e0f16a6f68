"""Transitions that hang on covariates: states with one way on, and steps that nobody saw."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura import HiddenMarkov, HiddenMarkovSearch
from mixtura.engines.driven import recursion
from mixtura.models.driven import in_steps

RNG = np.random.default_rng(0)
HEAT = RNG.normal(size=300)
X = np.column_stack([RNG.poisson(np.repeat([2.0, 9.0, 25.0], 100)), HEAT])


@pytest.mark.parametrize("topology", ["left-right", "linear"])
def test_a_last_state_has_one_way_on(topology):
    model = HiddenMarkov("poisson", 3, topology=topology, covariates=[1], random_state=0).fit(X)
    np.testing.assert_allclose(model.poisson_rates_[:, 0], [2, 9, 25], rtol=0.1)
    assert (model.transition_coef_[2] == 0).all()


def test_states_that_are_never_left():
    lengths = [100] * 3
    model = HiddenMarkov("poisson", 3, transitions=np.eye(3), covariates=[1], random_state=0)
    plain = HiddenMarkov("poisson", 3, transitions=np.eye(3), random_state=0)
    told = plain.fit(X[:, :1], lengths).score(X[:, :1], lengths)
    assert model.fit(X, lengths).score(X, lengths) == pytest.approx(told, abs=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_one_state_is_searched_too():
    chain = HiddenMarkov("poisson", covariates=[1])
    found = HiddenMarkovSearch(chain, [1, 2, 3], random_state=0).fit(X)
    assert len(found.predict(X)) == 300


def test_a_step_nobody_saw_has_a_covariate():
    gap = X.copy()
    gap[[40, 41, 150], 0] = np.nan
    model = HiddenMarkov("poisson", 2, covariates=[1], random_state=0).fit(gap)
    b = np.zeros((300, 2))
    for row in np.flatnonzero(~np.isnan(gap[:, 0])):
        x, rates = gap[row, 0], model.poisson_rates_[:, 0]
        b[row] = x * np.log(rates) - rates - np.log(np.arange(1, x + 1)).sum()
    logits = model.transition_intercept_ + model.transition_coef_[:, :, 0] * HEAT[:, None, None]
    moves = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    moves = np.concatenate([np.ones((1, 2, 2)), moves[:-1]])
    ends = np.array([300])
    assert model.score(gap) == pytest.approx(in_steps(model.initial_, moves, b, ends)[0][0])
    np.testing.assert_allclose(
        model.predict_proba(gap), recursion(model.initial_, moves, b, ends)[1], atol=1e-9
    )

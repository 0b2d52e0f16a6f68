"""`BayesianHiddenMarkov`: exact evidence, the bound by all paths, how many states were planted."""

from __future__ import annotations

import re
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from laws import EVIDENCE, FAMILIES, MIXED, PRIORS, by_column, next_codes, next_waits, of, rows
from scipy.special import digamma, gammaln, logsumexp
from scipy.stats import poisson
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import (
    BayesianHiddenMarkov,
    BetaPrior,
    Block,
    GammaPrior,
    Product,
    VariationalGaussianHMM,
)
from mixtura.data.rows import Rows
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import open_sweep
from mixtura.families.bayes.family import posterior_of
from mixtura.fitting.mixture_fit import surveyed
from mixtura.models.variational_chain import VariationalChain
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

FIRST, MOVES = np.array([0.7, 0.4]), np.array([[2.0, 0.5], [0.8, 1.5]])


@pytest.mark.parametrize("name", FAMILIES)
def test_with_one_state_the_bound_is_the_evidence(name):
    X = rows(name)
    if name != "multinomial":
        X[[5, 20], [0, 1]] = np.nan
    # A step that nobody saw.
    X[11] = np.nan
    asked = PRIORS.get(name, [PRIORS["poisson"], BetaPrior(0.3, 1.4), GammaPrior(1.2, 4.0)])
    found = BayesianHiddenMarkov(of(name), 1, prior=asked).fit(
        X, lengths=[15, 25], sample_weight=[2.0, 1.0]
    )
    twice = np.vstack([X[:15], X])
    seen = twice[~np.isnan(twice).all(axis=1)]
    if name == "mixed":
        exact = EVIDENCE["poisson"](seen[:, :2]) + next_waits(1.2, 4.0, seen[:, 3])
        exact += by_column(next_codes, seen[:, 2:3], ([1.4, 0.3],))
    else:
        exact = EVIDENCE[name](seen)
    assert found.elbo_ == pytest.approx(exact, rel=1e-12)


def chain(name: str, X: np.ndarray) -> VariationalChain:
    settled = posterior_of(of(name), PRIORS.get(name)).settled(
        surveyed(Rows(X), 2, np.random.RandomState(0)), 2
    )
    return VariationalChain(settled.family, settled.prior, 1.0, FIRST - 1.0, MOVES - 1.0)


def begun(model: VariationalChain, X: np.ndarray) -> Any:
    resp = np.random.default_rng(1).dirichlet(np.ones(2), size=len(X))
    return model.begun(X, None, resp, (resp[0], resp[:-1].T @ resp[1:]))


def over_paths(first: np.ndarray, moves: np.ndarray, emitted: np.ndarray) -> float:
    """log sum over all paths of exp(first + moves + emitted), which are logarithms."""
    return float(
        logsumexp(
            [
                first[z[0]]
                + sum(moves[i, j] for i, j in pairwise(z))
                + emitted[np.arange(len(z)), z].sum()
                for z in product(range(2), repeat=len(emitted))
            ]
        )
    )


def test_the_bound_is_the_sum_over_all_paths():
    X = np.array([[1.0, 9.0], [0.0, 7.0], [6.0, 1.0], [8.0, 0.0]])
    model = chain("poisson", X)
    q = begun(model, X)
    a, b = q.components.gamma_shapes, q.components.gamma_rates
    expected = digamma(a) - np.log(b)
    emitted = X @ expected.T - (a / b).sum(axis=1) - gammaln(X + 1).sum(axis=1)[:, None]
    laws = [digamma(c) - digamma(c.sum(axis=-1, keepdims=True)) for c in (q.starts, q.moves)]
    sweep = open_sweep("compiled", model, Sequences(X))
    assert sweep(q).loglik == pytest.approx(over_paths(*laws, emitted), abs=1e-12)
    # A posterior that is sure is a point, and its sum over paths a likelihood.
    sure = 1e9
    rates, start, move = np.array([[1.0, 8.0], [7.0, 0.5]]), np.array([0.6, 0.4]), MOVES / 2.5
    move = move / move.sum(axis=1, keepdims=True)
    own = model.family.params({"gamma_shapes": sure * rates, "gamma_rates": np.full((2, 2), sure)})
    point = model.assembled(sure * start, sure * move, own, np.ones(2) / 2)
    at = poisson.logpmf(X[:, None], rates).sum(axis=2)
    exact = over_paths(np.log(start), np.log(move), at)
    assert sweep(point).loglik == pytest.approx(exact, abs=1e-6)


def log_dirichlet(counts: np.ndarray, prior: np.ndarray) -> float:
    """Of draws with the shares integrated out."""
    after = gammaln(prior + counts).sum() - gammaln((prior + counts).sum())
    return float(after - gammaln(prior).sum() + gammaln(prior.sum()))


@pytest.mark.parametrize("name", PRIORS)
def test_the_bound_lies_below_the_evidence_of_all_paths(name):
    X = rows(name, 6)[:4]
    model = chain(name, rows(name, 6))
    sweep = open_sweep("compiled", model, Sequences(X))
    climb = em(Problem(model, sweep, begun(model, X), 1e-13, 2000))
    found = []
    for path in product(range(2), repeat=4):
        z, counts = np.array(path), np.zeros((2, 2))
        np.add.at(counts, (z[:-1], z[1:]), 1.0)
        worth = [EVIDENCE[name](X[z == k]) + log_dirichlet(counts[k], MOVES[k]) for k in range(2)]
        found.append(sum(worth) + log_dirichlet(np.eye(2)[z[0]], FIRST))
    exact = float(logsumexp(found))
    assert exact - 3.0 < climb.objective < exact


def planted(name: str, seed: int = 0, n: int = 400) -> np.ndarray:
    """Three states that last, far enough apart."""
    rng = np.random.default_rng(seed)
    P, z = np.full((3, 3), 0.04) + 0.88 * np.eye(3), [0]
    for _ in range(n - 1):
        z.append(int(rng.choice(3, p=P[z[-1]])))
    counts = rng.poisson(np.array([[1.0, 9.0], [6.0, 2.0], [14.0, 12.0]])[z]).astype(float)
    waits = rng.exponential(np.array([[1.0, 40.0], [12.0, 1.0], [150.0, 30.0]])[z])
    chance = np.array([[0.9, 0.1, 0.1, 0.9], [0.1, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.8]])
    signs = (rng.uniform(size=(n, 4)) < chance[z]).astype(float)
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    draws = np.array([rng.multinomial(6, p) for p in shares[z]]).astype(float)
    codes = np.array([[rng.choice(3, p=shares[k]) for _ in range(5)] for k in z]).astype(float)
    return {
        "poisson": counts,
        "exponential": waits,
        "bernoulli": signs,
        "categorical": codes,
        "multinomial": draws,
        "mixed": np.column_stack([counts, signs[:, 0], waits[:, 0]]),
    }[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_three_planted_states_are_found_in_room_for_seven(name, tmp_path):
    X = planted(name)
    if name != "multinomial":
        X[7, 0] = np.nan
    lengths = [250, 150]
    hmm = BayesianHiddenMarkov(of(name), 7, random_state=0).fit(X, lengths)
    assert hmm.n_components_ == 3
    assert hmm.held_.tolist() == [0, 1, 2]
    assert hmm.initial_concentration_.sum() == pytest.approx(1.0 + 2.0)
    assert hmm.transitions_concentration_.sum() == pytest.approx(7.0 + 398.0)
    # The others are as before.
    np.testing.assert_allclose(hmm.transitions_concentration_[3:], 1 / 7, atol=0.5)
    assert (np.diff(hmm.fit_result_.trace) >= -1e-9 * abs(hmm.elbo_)).all()
    assert (hmm.fit_result_.bound, hmm.fit_result_.loglik) == (True, hmm.elbo_)
    assert "3 states in 400 rows" in hmm.summary()
    assert hmm.sample(5, random_state=0)[0].shape == (5, X.shape[1])
    hmm.save(tmp_path / "model.json")
    again = mixtura.load(tmp_path / "model.json")
    assert again.summary() == hmm.summary()
    np.testing.assert_array_equal(
        again.predict_proba(X, [250, 150]), hmm.predict_proba(X, [250, 150])
    )
    assert again.score(X) == hmm.score(X)
    assert again.held_.tolist() == [0, 1, 2]


def test_normal_columns_are_those_of_the_gaussian_model():
    rng = np.random.default_rng(3)
    z = np.repeat([0, 1, 2, 0, 1], 40)
    X = rng.normal(size=(200, 2)) + np.array([[0, 0], [6, 0], [0, 6]])[z]
    ours = BayesianHiddenMarkov(Product([Block("full", [0, 1])]), 5, random_state=0).fit(X)
    theirs = VariationalGaussianHMM(5, random_state=0).fit(X)
    assert ours.n_components_ == theirs.n_components_ == 3
    assert ours.elbo_ == pytest.approx(theirs.elbo_, abs=1e-3)
    np.testing.assert_allclose(ours.gaussian_means_[:3], theirs.means_[:3], atol=1e-2)


def test_refusals_and_what_a_posterior_has_not():
    X = rows("poisson")
    for settings, said in (
        ({"family": "gamma"}, "'gamma' has no conjugate prior here: use one of bernoulli"),
        ({"prior": BetaPrior()}, "that of family 'poisson' is a GammaPrior, got BetaPrior"),
        ({"family": MIXED, "prior": GammaPrior()}, "is not one for each of the 3 blocks"),
        ({"initial_concentration_prior": 0.0}, "must be finite and above 0"),
        ({"transitions_concentration_prior": [1.0, 2.0]}, "has shape (2,): give one number, or"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            BayesianHiddenMarkov(**{"family": "poisson", "n_states": 2, **settings}).fit(X)
    short = BayesianHiddenMarkov("poisson", 3, max_iter=0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        short.fit(X)
    with pytest.raises(AttributeError, match="a posterior has no BIC"):
        short.bic(X)

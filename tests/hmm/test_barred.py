"""Chains that cannot go back: a path that later turns out to be the only one is never lost."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura import GaussianHMM
from mixtura.engines.chain import RECURSION, in_lanes
from mixtura.engines.chain_steps import TableSteps
from mixtura.engines.lanes import Lanes
from mixtura.engines.native import chain as sequential
from mixtura.models.recursions import filtered_in_logarithms, in_logarithms


def two_states(moves) -> GaussianHMM:
    model = GaussianHMM(2, "spherical", init_params="")
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array(moves, dtype=float)
    model.means_, model.covars_ = np.array([[0.0], [10.0]]), np.ones(2)
    return model


@pytest.mark.parametrize(
    ("moves", "first", "then"),
    [(np.eye(2), 0.0, 10.0), ([[0.9, 0.1], [0.0, 1.0]], 10.0, 0.0)],
    ids=["identity", "absorbing"],
)
def test_the_whole_is_worth_more_than_its_likeliest_path(moves, first, then):
    model = two_states(moves)
    X = np.repeat([first, then], [20, 60])[:, None]
    likeliest, states = model.decode(X)
    assert likeliest <= model.score(X) <= likeliest + np.log(81)
    # Other paths share what this one does not have.
    np.testing.assert_array_equal(model.predict_proba(X).argmax(axis=1), states)


def drawn(seed: int):
    """A chain of few moves, some of next to no chance, and emissions in runs."""
    rng = np.random.default_rng(seed)
    K, n = int(rng.integers(2, 7)), int(rng.integers(4, 200))
    moves = rng.dirichlet(np.full(K, 0.5), K)
    moves[rng.random((K, K)) < rng.choice([0.0, 0.3, 0.6])] = 0.0
    kind = rng.integers(3)
    if kind == 0:
        moves = np.triu(moves)
    elif kind == 1:
        moves *= 10.0 ** -rng.choice([0.0, 30.0, 70.0, 100.0, 150.0, 300.0], size=(K, K))
    moves[moves.sum(axis=1) == 0] = 1.0
    initial = rng.dirichlet(np.ones(K)) * (rng.random(K) < 0.7)
    initial[0] += initial.sum() == 0
    run = int(rng.integers(1, 30))
    worst = rng.choice(
        [0.0, 1.0, 30.0, 300.0, 1000.0], (n // run + 1, K), p=[0.3, 0.3, 0.2, 0.1, 0.1]
    )
    log_density = np.repeat(-worst * rng.random(worst.shape), run, axis=0)[:n]
    return log_density, initial / initial.sum(), moves / moves.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(150))
def test_scaled_numbers_are_right_or_give_up(seed):
    log_density, initial, moves = drawn(seed)
    n = len(log_density)
    ends, law = np.array([n // 3, n]), (initial, moves)
    loglik, states, met = in_logarithms(log_density, *law, ends)
    found = RECURSION(log_density, *law, ends, None)
    for ours, theirs in zip(found, (loglik, states, met), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-8)
    own = np.empty_like(log_density)
    lanes = in_lanes(TableSteps(log_density), law, Lanes(ends), posterior=own)
    if lanes is not None:
        np.testing.assert_allclose(lanes.loglik, loglik, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(own, states, atol=1e-9)
        np.testing.assert_allclose(lanes.met, met, atol=1e-8)
    ones = sequential.filtered(log_density, *law, ends)
    side = in_lanes(TableSteps(log_density), law, Lanes(ends), posterior=own, back=False)
    for s, rows in enumerate((slice(0, n // 3), slice(n // 3, n))):
        true, filtered = filtered_in_logarithms(log_density[rows], *law)
        if np.isfinite(ones[0][s]):
            np.testing.assert_allclose(ones[1][rows], filtered, atol=1e-9)
        if side is not None and np.isfinite(true):
            np.testing.assert_allclose(own[rows], filtered, atol=1e-9)


def test_well_separated_states_stay_on_the_quick_road():
    rng = np.random.default_rng(3)
    moves = np.array([[0.99, 0.01, 0.0], [0.0, 0.99, 0.01], [0.0, 0.0, 1.0]])
    states = np.repeat([0, 1, 2], 100)
    X = rng.normal(size=300) + 50.0 * states
    log_density = -0.5 * (X[:, None] - 50.0 * np.arange(3)) ** 2
    found = in_lanes(TableSteps(log_density), (np.eye(3)[0], moves), Lanes(np.array([300])))
    assert found is not None
    truth = in_logarithms(log_density, np.eye(3)[0], moves, np.array([300]))[0]
    np.testing.assert_allclose(found.loglik, truth, rtol=1e-12)

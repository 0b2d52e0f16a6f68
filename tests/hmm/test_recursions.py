"""Forward, backward and the likeliest path, against every path there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mixtura.engines.chain import RECURSION, likeliest
from mixtura.engines.chain_steps import TableSteps
from mixtura.engines.lanes import Lanes
from mixtura.engines.native.chain import filtered, smoothed
from mixtura.models.recursions import filtered_in_logarithms, in_logarithms


def chain(K: int, T: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.ones(K), K)
    if K > 2:
        moves[0, 1] = 0.0
        moves /= moves.sum(axis=1, keepdims=True)
    return 3.0 * rng.normal(size=(T, K)), rng.dirichlet(np.ones(K)), moves


def enumerated(b, initial, moves):
    """(log-likelihood, posteriors, moves, best path and its log joint) over all K^T paths."""
    T, K = b.shape
    total, posterior, met, best = 0.0, np.zeros((T, K)), np.zeros((K, K)), (-1.0, ())
    for path in product(range(K), repeat=T):
        p = initial[path[0]] * np.exp(b[0, path[0]])
        for t in range(1, T):
            p *= moves[path[t - 1], path[t]] * np.exp(b[t, path[t]])
        total += p
        best = max(best, (p, path))
        for t in range(T):
            posterior[t, path[t]] += p
            if t:
                met[path[t - 1], path[t]] += p
    return np.log(total), posterior / total, met / total, best


@pytest.mark.parametrize(("K", "T"), [(1, 3), (2, 1), (2, 2), (3, 5), (4, 4)])
def test_all_paths(K, T):
    b, initial, moves = chain(K, T)
    ends = np.array([T])
    loglik, posterior, met, (p, path) = enumerated(b, initial, moves)
    for recursion in (smoothed, in_logarithms):
        found = recursion(b, initial, moves, ends, None)
        np.testing.assert_allclose(found[0], loglik, atol=1e-12)
        np.testing.assert_allclose(found[1], posterior, atol=1e-12)
        np.testing.assert_allclose(found[2], met, atol=1e-12)
    value, states = likeliest(TableSteps(b), (initial, moves), Lanes(ends))
    np.testing.assert_allclose(value, np.log(p), atol=1e-12)
    assert tuple(states) == path
    now = filtered(b, initial, moves, ends)[1]
    for t in range(T):
        upto = enumerated(b[: t + 1], initial, moves)[1][-1]
        np.testing.assert_allclose(now[t], upto, atol=1e-12)
    np.testing.assert_allclose(filtered_in_logarithms(b, initial, moves)[1], now, atol=1e-12)


@pytest.mark.parametrize("K", [2, 3, 5, 6, 7, 8, 10, 13])
def test_the_scaled_recursion_is_that_in_logarithms(K):
    b, initial, moves = chain(K, 60, seed=K)
    ends, weight = np.array([1, 3, 20, 60]), np.array([2.0, 0.0, 0.5, 3.0])
    b[30] = 0.0
    for one, two in zip(
        smoothed(b, initial, moves, ends, weight),
        in_logarithms(b, initial, moves, ends, weight),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)


def test_a_state_that_cannot_be_there_does_not_hide_the_one_that_is():
    # Divided by the largest density, that of the state that is there would be exp(-2000): nothing.
    b = np.array([[0.0, 0.0], [-2000.0, 0.0], [-2000.0, 0.0]])
    initial, moves = np.array([1.0, 0.0]), np.eye(2)
    loglik, posterior, met = smoothed(b, initial, moves, np.array([3]))
    assert loglik == [-4000.0]
    np.testing.assert_array_equal(posterior, [[1.0, 0.0]] * 3)
    np.testing.assert_array_equal(met, [[2.0, 0.0], [0.0, 0.0]])


def test_where_scaled_numbers_run_out_logarithms_answer():
    # What is left of state 0 after the first step, exp(-1500), is no double, and all that can be.
    b = np.array([[-1500.0, 0.0], [0.0, -np.inf]])
    law = np.array([0.5, 0.5]), np.eye(2), np.array([2])
    assert np.isneginf(smoothed(b, *law)[0])
    loglik, posterior, _ = RECURSION(b, *law, None)
    np.testing.assert_allclose(loglik, -1500.0 + np.log(0.5))
    np.testing.assert_array_equal(posterior, [[1.0, 0.0]] * 2)


def test_a_step_that_no_state_can_emit_is_no_path():
    b = np.array([[0.0, 0.0], [-np.inf, -np.inf], [0.0, 0.0]])
    law = np.array([0.5, 0.5]), np.full((2, 2), 0.5), np.array([3])
    loglik, posterior, met = RECURSION(b, *law, None)
    assert np.isneginf(loglik)
    assert not posterior.any()
    assert not met.any()

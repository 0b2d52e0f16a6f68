"""Starts by annealed exchange of rows between groups of any shape."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets

from mixtura import GaussianMixture
from mixtura.fitting.exchange import MOST, ROUND, Exchanges, exchange, joining


def criterion(Z: np.ndarray, w: np.ndarray, labels: np.ndarray, K: int) -> float:
    """The classification likelihood up to a constant, by NumPy's weighted covariance."""
    d, unit = Z.shape[1], (w @ Z**2).sum() / w.sum() / Z.shape[1]
    total = 0.0
    for k in range(K):
        mine = labels == k
        n = w[mine].sum()
        cov = np.cov(Z[mine].T, aweights=w[mine], bias=True) + ROUND * unit / n * np.eye(d)
        total += n * np.log(n) - 0.5 * n * np.linalg.slogdet(cov)[1]
    return total


@pytest.mark.parametrize("weighted", [False, True])
def test_what_joining_gains_is_the_difference_of_two_likelihoods(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(40, 4))
    Z -= Z.mean(axis=0)
    labels, w = rng.integers(3, size=40), rng.uniform(0.5, 2.0, 40) if weighted else np.ones(40)
    gains, here = joining(Z, w, labels, 3), criterion(Z, w, labels, 3)
    for i in range(0, 40, 5):
        for k in set(range(3)) - {labels[i]}:
            moved = labels.copy()
            moved[i] = k
            told = gains[k, i] - gains[labels[i], i]
            assert criterion(Z, w, moved, 3) - here == pytest.approx(told, abs=1e-9)


@pytest.mark.parametrize("d", [3, 12])
def test_partitions_side_by_side_are_judged_each_as_if_alone(d: int) -> None:
    rng = np.random.default_rng(1)
    Z, w, labels = (
        rng.normal(size=(30, d)),
        rng.uniform(0.5, 2.0, 30),
        rng.integers(3, size=(6, 30)),
    )
    alone = [joining(Z, w, each, 3) for each in labels]
    np.testing.assert_allclose(joining(Z, w, labels, 3), alone, rtol=1e-9, atol=1e-9)


def test_a_race_is_given_as_many_as_it_asks_for_and_one_alone_is_the_plain_start() -> None:
    Z, w = np.random.RandomState(1).normal(size=(20, 2)), np.ones(20)
    rng, made = np.random.RandomState(0), Exchanges()
    first, *rest = [made.start(Z, w, 2, rng) for _ in range(MOST)]
    np.testing.assert_array_equal(first, exchange(Z, w, 2, np.random.RandomState(0)))
    assert len({each.tobytes() for each in rest}) > 1
    # None is left over: the next race begins anew.
    again = made.start(Z, w, 2, np.random.RandomState(0))
    np.testing.assert_array_equal(again, first)


def test_rows_that_are_all_equal_have_a_start() -> None:
    resp = exchange(np.zeros((6, 2)), np.ones(6), 3, np.random.RandomState(0))
    assert (resp.sum(axis=1) == 1).all()


def test_wide_tables_end_near_the_best_optimum_known() -> None:
    """178 rows for 314 parameters. Of ten seeds 3 came within 0.005 of the best known without these
    starts; of twenty all do, and 11 within 0.001, with them."""
    X = sklearn.datasets.load_wine().data
    means = [GaussianMixture(3, random_state=seed).fit(X).score(X) for seed in range(4)]
    assert np.sort(means)[1] > -15.55585 - 0.005
    assert max(means) > -15.55585 - 0.001

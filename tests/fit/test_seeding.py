"""Our own k-means draws and decides as scikit-learn's does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.cluster import KMeans, kmeans_plusplus

from mixtura.fitting.seeding import clusters, seeds


def table(seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    rng = np.random.RandomState(seed)
    n, d = rng.randint(10, 300), rng.randint(1, 6)
    K = rng.randint(1, min(9, n))
    Z = rng.standard_normal((n, d)) + 4 * rng.randint(0, 3, size=(n, 1))
    return Z - Z.mean(axis=0), rng.randint(1, 4, size=n).astype(float), K


@pytest.mark.parametrize("seed", range(40))
def test_the_same_seeds_and_clusters_for_the_same_random_state(seed: int) -> None:
    Z, w, K = table(seed)
    theirs, ours = np.random.RandomState(seed), np.random.RandomState(seed)
    found, _ = kmeans_plusplus(Z, K, sample_weight=w, random_state=theirs)
    np.testing.assert_array_equal(seeds(Z, w, K, ours), found)
    assert theirs.uniform() == ours.uniform()
    labels = KMeans(K, n_init=1, random_state=theirs).fit(Z, sample_weight=w).labels_
    np.testing.assert_array_equal(clusters(Z, w, seeds(Z, w, K, ours)), labels)


@pytest.mark.parametrize("d", [3, 60])
def test_the_same_of_many_rows_and_clusters(d: int) -> None:
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((3_001, d)) + rng.standard_normal((40, d))[rng.randint(40, size=3_001)]
    theirs = KMeans(60, n_init=1, random_state=0).fit(Z).labels_
    w = np.ones(len(Z))
    found = clusters(Z, w, seeds(Z, w, 60, np.random.RandomState(0)))
    assert (found == theirs).mean() > 0.99


def test_a_cluster_without_rows_begins_anew_far_out() -> None:
    Z = np.concatenate([np.random.RandomState(0).uniform(size=20), [10.0, 11.0]])[:, None]
    start = np.array([[0.0], [0.9], [-50.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = clusters(Z, np.ones(22), start)
    theirs = KMeans(3, n_init=1, init=start).fit(Z).labels_
    np.testing.assert_array_equal(found, theirs)
    assert len(set(found)) == 3
    # Equal rows leave no place to go to.
    assert set(clusters(np.ones((5, 2)), np.ones(5), np.array([[1.0, 1.0], [2.0, 2.0]]))) == {0}

"""Merging by likelihood: step by step by hand, the same for copies and order, mclust's results."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from mixtura import GaussianMixture
from mixtura.engines.native.merging import merging_history
from mixtura.fitting.hierarchical import (
    Merge,
    cuts,
    hierarchical,
    history,
    labelled,
    principal,
    ward,
)
from mixtura.records import AnyArray, Array

DATA = Path(__file__).parents[1] / "reference" / "data"
REFERENCE = json.loads((DATA / "mclust_bic.json").read_text())
COLUMNS = {"iris": 4, "faithful": 2, "diabetes": 3}
RNG = np.random.RandomState(0)


def by_hand(Z: Array, w: Array, K: int, shaped: bool) -> AnyArray:
    """The same merges, every union's cost from its rows."""
    d = Z.shape[1]
    variance = float(np.sum(w @ (Z - w @ Z / w.sum()) ** 2) / (w.sum() * d))

    def value(group: list[int]) -> float:
        x, mass = Z[group], w[group]
        away = x - mass @ x / mass.sum()
        W, n = (away.T * mass) @ away, mass.sum()
        if not shaped:
            return float(np.trace(W))
        volume = np.linalg.det(W / n) if len(group) > d else 0.0
        return float(n * np.log(volume + (np.trace(W) + variance) / n))

    groups = [[i] for i in range(len(Z))]
    while len(groups) > K:
        costs = {
            (i, j): value(groups[i] + groups[j]) - value(groups[i]) - value(groups[j])
            for i, j in itertools.combinations(range(len(groups)), 2)
        }
        i, j = min(costs, key=costs.__getitem__)
        groups[i] += groups.pop(j)
    labels = np.zeros(len(Z), dtype=int)
    for k, group in enumerate(groups):
        labels[group] = k
    return labels


@pytest.mark.parametrize("merge", [history, merging_history])
@pytest.mark.parametrize("shaped", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_every_merge_is_the_cheapest(merge: Merge, shaped: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(24, 2)) + 2.0 * rng.integers(3, size=(24, 1))
    w = rng.integers(1, 4, size=24).astype(float)
    variance = float(np.sum(w @ (Z - w @ Z / w.sum()) ** 2) / (w.sum() * 2))
    for K in (2, 5):
        found = labelled(merge(Z, w, K, shaped, variance), len(Z))
        assert adjusted_rand_score(found, by_hand(Z, w, K, shaped)) == 1.0


def test_both_make_the_same_tree_and_it_may_be_cut_anywhere() -> None:
    rng = np.random.default_rng(5)
    Z, w = rng.normal(size=(150, 4)), rng.integers(1, 3, size=150).astype(float)
    for shaped in (True, False):
        pairs = history(Z, w, 1, shaped, 1.3)
        np.testing.assert_array_equal(merging_history(Z, w, 1, shaped, 1.3), pairs)
        np.testing.assert_array_equal(history(Z, w, 40, shaped, 1.3), pairs[:110])
        found = cuts(Z, w, [2, 7, 200], shaped, merging_history)
        assert [int((resp.sum(axis=0) > 0).sum()) for resp in found.values()] == [2, 7, 150]
        np.testing.assert_array_equal(found[7], cuts(Z, w, [7], shaped)[7])


@pytest.mark.parametrize("start", [hierarchical, ward])
def test_long_parallel_groups_need_their_shape(start: object) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    Z = rng.normal(size=(200, 2)) * [2.0, 0.3] + 2.5 * labels[:, None] * [0.0, 1.0]
    found = start(Z, np.ones(200), 2, RNG).argmax(axis=1)  # type: ignore[operator]
    agreement = adjusted_rand_score(labels, found)
    assert agreement == 1.0 if start is hierarchical else agreement < 0.5


def test_it_draws_nothing_and_knows_no_units(iris: Array) -> None:
    state = np.random.RandomState(3).get_state()[1]
    rng = np.random.RandomState(3)
    one = hierarchical(iris, np.ones(150), 3, rng)
    np.testing.assert_array_equal(rng.get_state()[1], state)
    two = hierarchical(iris * [1e3, 1e-3, 1.0, 7.0] + 5.0, np.ones(150), 3, rng)
    np.testing.assert_array_equal(one, two)


def test_more_rows_than_are_merged_join_the_group_that_describes_them() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(3, size=5000)
    Z = rng.normal(size=(5000, 2)) * [1.0, 0.5] + 5.0 * labels[:, None]
    resp = hierarchical(Z, np.ones(5000), 3, RNG)
    assert resp.sum() == 5000
    assert adjusted_rand_score(labels, resp.argmax(axis=1)) > 0.95


def test_a_constant_column_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    Z = np.c_[rng.normal(size=(60, 2)) + 4.0 * rng.integers(2, size=(60, 1)), np.zeros(60)]
    assert principal(Z, np.ones(60)).shape == (60, 2)
    assert np.all(hierarchical(Z, np.ones(60), 3, RNG).sum(axis=0) > 0)


@pytest.mark.parametrize("table", COLUMNS)
def test_from_this_start_come_mclusts_choices(table: str) -> None:
    X = np.loadtxt(DATA / f"{table}.csv", delimiter=",", skiprows=1, usecols=range(COLUMNS[table]))
    name, K = REFERENCE["tables"][table]["best"]
    theirs = REFERENCE["tables"][table]["bic"][K - 1][REFERENCE["models"].index(name)]
    gm = GaussianMixture(K, covariance_type=name, init_params="hierarchical").fit(X)
    assert gm.converged_
    assert -gm.bic(X) == pytest.approx(theirs, abs=0.03)
    assert -gm.bic(X) > theirs - 1e-3


@pytest.mark.parametrize("shaped", [True, False])
@pytest.mark.parametrize("bad", [np.nan, 1e200])
def test_merges_without_a_price_are_refused(bad: float, shaped: bool) -> None:
    Z = np.array([[0.0], [1.0], [bad], [-bad]])
    with pytest.raises(ValueError, match="not finite"):
        merging_history(Z, np.ones(4), 1, shaped, 1.0)

"""Merges by entropy: against entropies worked out anew, by hand, and against mclust's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import mixtura
from mixtura.inference.merging import elbow, merges

DATA = Path(__file__).parents[1] / "reference" / "data"


def entropy(z, w):
    z = np.where(z > 0, z, 1.0)
    return float(-(w[:, None] * z * np.log(z)).sum())


@pytest.fixture(scope="module")
def some():
    rng = np.random.default_rng(0)
    return rng.dirichlet([0.3] * 5, size=200), rng.integers(0, 4, size=200).astype(float)


def test_each_merge_is_the_best_one_and_its_entropy_that_of_the_sums(some):
    resp, w = some
    before, steps = merges(resp, w)
    assert before == pytest.approx(entropy(resp, w))
    columns = {(k,): resp[:, k] for k in range(5)}
    now = before
    for step in steps:
        after = {}
        keys = sorted(columns)
        for i, one in enumerate(keys):
            for other in keys[i + 1 :]:
                rest = [columns[key] for key in keys if key not in (one, other)]
                z = np.column_stack([*rest, columns[one] + columns[other]])
                after[one, other] = entropy(z, w)
        pair = (step.first, step.second)
        assert after[pair] == pytest.approx(min(after.values()))
        assert step.entropy == pytest.approx(after[pair], abs=1e-9)
        assert step.drop == pytest.approx(now - step.entropy, abs=1e-9)
        now = step.entropy
        merged = columns.pop(step.first) + columns.pop(step.second)
        columns[tuple(sorted(step.first + step.second))] = merged
    assert [step.groups for step in steps] == [4, 3, 2, 1]
    assert steps[-1].entropy == pytest.approx(0.0, abs=1e-9)
    assert steps[-1].rows == pytest.approx(w.sum())


def test_a_weight_is_copies_of_the_row(some):
    resp, w = some
    before, steps = merges(resp, w)
    copied = np.repeat(resp, w.astype(int), axis=0)
    again, same = merges(copied, np.ones(len(copied)))
    assert again == pytest.approx(before)
    for one, other in zip(steps, same, strict=True):
        assert (one.first, one.second, one.rows) == (other.first, other.second, other.rows)


def test_the_elbow_of_two_exact_lines_is_where_they_meet():
    x = np.array([0.0, 10.0, 15.0, 40.0, 41.0])
    bent = elbow(x, np.where(x < 15, x, 15 + 20 * (x - 15)))
    assert bent is not None
    assert bent.at == 2
    assert bent.fitted[1] == pytest.approx([15.0, 515.0, 535.0])
    assert elbow(x[:2], x[:2]) is None


@pytest.fixture(scope="module")
def two_bent_groups():
    """Two groups of two overlapping components each, and a mixture that knows them."""
    means = np.array([[0.0, 0.0], [20.0, 0.0], [1.5, 1.0], [20.0, 2.0]])
    mixture = mixtura.GaussianMixture.from_parameters(
        np.full(4, 0.25), means, np.tile(np.eye(2), (4, 1, 1)), random_state=0
    )
    return mixture, mixture.sample(300)[0]


def test_overlapping_components_make_a_group(two_bent_groups):
    mixture, X = two_bent_groups
    found = mixtura.merge_components(mixture, X)
    assert (found.suggested, found.suggested_by_rows) == (2, 2)
    assert found.groups().tolist() == [0, 1, 0, 1]
    assert found.groups(4).tolist() == [0, 1, 2, 3]
    proba = mixture.predict_proba(X)
    expected = np.column_stack([proba[:, 0] + proba[:, 2], proba[:, 1] + proba[:, 3]])
    assert found.responsibilities() == pytest.approx(expected)
    assert (found.labels() == (X[:, 0] > 10)).all()
    assert found.entropies[-1] == found.entropy
    assert found.merged_rows.tolist()[-1] == sum(step.rows for step in found.steps)
    assert "4 components in 2 groups" in found.summary()
    assert all(len(line) <= 60 for line in found.summary(60).splitlines())


def test_the_figure_has_both_panels(two_bent_groups):
    mixture, X = two_bent_groups
    found = mixtura.merge_components(mixture, X)
    left, right = found.figure().axes
    points = np.concatenate([line.get_ydata() for line in left.lines if line.get_marker() == "o"])
    assert np.sort(points) == pytest.approx(np.sort(found.entropies))
    reach = np.concatenate([line.get_xdata() for line in right.lines if line.get_marker() == "o"])
    assert np.sort(reach) == pytest.approx(found.merged_rows)


def test_one_or_two_components_have_no_elbow():
    one = mixtura.GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    found = mixtura.merge_components(one, [[0.0], [1.0]])
    assert (found.steps, found.suggested, found.groups().tolist()) == ((), None, [0])
    with pytest.raises(ValueError, match="nothing to draw"):
        found.figure()


@pytest.mark.parametrize("K", [3, 5])
def test_groups_that_are_clear_are_not_merged(K):
    rng = np.random.default_rng(K)
    angle = 2 * np.pi * np.arange(K) / K
    centres = 15 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    X = np.concatenate([centre + rng.normal(scale=0.5, size=(80, 2)) for centre in centres])
    found = mixtura.merge_components(mixtura.GaussianMixture(K, random_state=0).fit(X), X)
    assert found.suggested == found.suggested_by_rows == K


def test_what_cannot_be_merged_is_refused(two_bent_groups):
    mixture, X = two_bent_groups
    with pytest.raises(ValueError, match="mixture must be a fitted mixture, got int"):
        mixtura.merge_components(3, X)
    with pytest.raises(ValueError, match="at least one non-zero"):
        mixtura.merge_components(mixture, X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="n_groups must be from 1 to 4, got 5"):
        mixtura.merge_components(mixture, X).labels(5)


def test_mclust_merges_alike():
    reference = json.loads((DATA / "mclust_lrt.json").read_text())["combi"]
    X = np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)
    mixture = mixtura.GaussianMixture.from_parameters(
        np.array(reference["weights"]) / np.sum(reference["weights"]),
        reference["means"],
        reference["covariances"],
    )
    found = mixtura.merge_components(mixture, X)
    assert found.entropies == pytest.approx(reference["entropy"], rel=1e-6, abs=1e-6)
    assert found.suggested == reference["suggested"]
    assert sorted(np.bincount(found.labels()).tolist()) == reference["counts"]

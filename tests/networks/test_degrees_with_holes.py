"""Degrees where pairs are missing: the likelihood of the pairs that were looked at, at its best."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from known_networks import drawn, karate
from scipy.stats import poisson
from sklearn.metrics import adjusted_rand_score

import mixtura
from mixtura.data.networks.reading import as_network
from mixtura.engines.holes import HolesEngine
from mixtura.engines.partition import Aim, PartitionEngine
from mixtura.models.degree_corrected import CorrectedParams
from mixtura.models.partition import poisson_loglik

CASES = list(itertools.product((False, True), (False, True)))


def likelihood(A, directed, means):
    """By SciPy, pair by pair; a node and itself are one, and of half the mean if undirected."""
    means = np.array(means)
    if not directed:
        np.fill_diagonal(means, np.diag(means) / 2)
    seen = np.isfinite(A) & (
        np.ones(A.shape, bool) if directed else np.triu(np.ones(A.shape, bool))
    )
    return poisson.logpmf(A[seen], means[seen]).sum()


def climbed(A, directed, K=2, seed=1, **beside):
    net = as_network(A, directed=directed, **beside)
    rng = np.random.default_rng(seed)
    start = rng.permutation(np.arange(net.n) % K)
    return net, HolesEngine(net).climb(start, K, 500, 1e-13, rng.permutation(net.n))


def rates(end):
    ratio = end.met / np.outer(end.met.sum(axis=1), end.met.sum(axis=0))
    return np.outer(end.out, end.back), ratio


@pytest.mark.parametrize(("directed", "loops"), CASES)
def test_the_likelihood_is_the_one_of_its_parameters_and_the_highest_near(directed, loops):
    A = drawn("poisson", directed, loops, True)
    for seed in range(3):
        _, end = climbed(A, directed, seed=seed)
        both, ratio = rates(end)

        def at(share=None, cells=None, both=both, ratio=ratio, z=end.labels):
            means = both * ratio[np.ix_(z, z)] * (1.0 if cells is None else cells[np.ix_(z, z)])
            share = np.ones((2, len(A))) if share is None else share
            return likelihood(A, directed, means * np.outer(share[0], share[1]))

        assert end.bound == pytest.approx(at(), abs=1e-8)
        assert (np.diff(end.trace) >= -1e-9).all()
        step = 1e-4
        for i in range(len(A)):
            share = np.ones((2, 2, len(A)))
            share[:, : 1 if directed else 2, i] = np.exp([[step], [-step]])
            assert abs(at(share[0]) - at(share[1])) < 1e-6
        for r, s in itertools.product(range(2), repeat=2):
            cells = np.ones((2, 2, 2))
            cells[:, r, s] = np.exp([step, -step])
            if not directed:
                cells[:, s, r] = cells[:, r, s]
            assert abs(at(cells=cells[0]) - at(cells=cells[1])) < 1e-6


@pytest.mark.parametrize(("directed", "loops"), CASES)
def test_no_single_move_gains(directed, loops):
    """With rates held, and what blocks share at its best."""
    A = drawn("poisson", directed, loops, True)
    _, end = climbed(A, directed)
    seen, x = np.isfinite(A), np.nan_to_num(A)
    if not directed:
        x = x + np.diag(np.diag(x))

    def value(z):
        hard = np.eye(2)[z]
        met, among = (hard.T @ table @ hard for table in (x, seen * np.outer(end.out, end.back)))
        return (met * np.log(np.where(met > 0, met, 1) / among)).sum() * (1 if directed else 0.5)

    for i in range(len(A)):
        moved = np.array(end.labels)
        moved[i] = 1 - moved[i]
        if len(np.unique(moved)) == 2:
            assert value(moved) <= value(end.labels) + 1e-7


@pytest.mark.parametrize("directed", [False, True])
def test_without_holes_it_is_the_profile(directed):
    A = drawn("poisson", directed, True, False)
    net, end = climbed(A, directed)
    plain = PartitionEngine(net, Aim.PROFILE)
    kept = plain.climb(end.labels, 2, 100, np.arange(net.n))
    np.testing.assert_array_equal(kept.labels, end.labels)
    assert end.bound == pytest.approx(poisson_loglik(net, end.met))
    np.testing.assert_allclose(end.out, net.degrees[0])
    np.testing.assert_allclose(end.back, net.degrees[1])


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_mask_is_missing_said_the_other_way(share):
    A = drawn("poisson", False, False, False)
    seen = np.triu(np.random.default_rng(0).random(A.shape) < share, 1)
    seen = seen | seen.T | np.eye(len(A), dtype=bool)
    one, other = (
        climbed(each, False, **beside)[1]
        for each, beside in ((np.where(seen, A, np.nan), {}), (A, {"observed": seen}))
    )
    assert one.bound == pytest.approx(other.bound, abs=1e-9)


def test_two_sides():
    rng = np.random.default_rng(4)
    z, w = np.arange(8) % 2, np.arange(7) % 2
    A = rng.poisson(np.array([[3.0, 0.5], [0.5, 2.0]])[np.ix_(z, w)]).astype(float)
    A[rng.random(A.shape) < 0.2] = np.nan
    settings = {"bipartite": True, "degree_corrected": True, "random_state": 0}
    model = mixtura.BlockModel(2, **settings).fit(A)
    rows, columns = np.indices(A.shape).reshape(2, -1)
    seen = np.isfinite(A.ravel())
    told = model.score_samples(rows[seen], columns[seen], A.ravel()[seen]).sum()
    assert told == pytest.approx(model.fit_result_.loglik)
    found = model.labels_[:8], model.labels_[8:]
    assert [adjusted_rand_score(a, b) for a, b in zip((z, w), found, strict=True)] == [1, 1]
    # Edges that are foretold where nobody looked are about as many as elsewhere.
    missing = model.expected(rows[~seen], columns[~seen])
    assert 0 < missing.mean() < 3


def test_karate_with_holes(tmp_path):
    A = karate()
    rng = np.random.default_rng(0)
    i, j = np.nonzero(np.triu(rng.random(A.shape) < 0.15, 1))
    holes = A.copy()
    holes[i, j] = holes[j, i] = np.nan
    model, whole = (
        mixtura.BlockModel(2, degree_corrected=True, random_state=0).fit(each)
        for each in (holes, A)
    )
    assert (model.labels_ == whole.labels_).mean() > 0.9
    # Missing is not absent: of the pairs that were hidden 12 are joined.
    assert model.expected(i, j).sum() == pytest.approx(A[i, j].sum(), abs=4)
    assert model.profile_likelihood_ is None
    assert model.description_length_ is None
    params = model.params_
    assert isinstance(params, CorrectedParams)
    np.testing.assert_allclose(params.met.sum(), params.out.sum())
    kept = mixtura.load(model.save(tmp_path / "holes.json"))
    assert kept.summary() == model.summary()
    assert kept.profile_likelihood_ is None
    assert model.sample(0)[0].shape == A.shape

"""Belief propagation: exact on trees, at rest where its equations hold,
and where it finds blocks."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from known_networks import karate
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura.data.networks.reading import as_network
from mixtura.engines.belief import BeliefEngine
from mixtura.engines.native.belief import Rounds
from mixtura.models.block_model import BlockParams, Edges


def at_rest(A, params, start=None):
    K = len(params.weights)
    rng = np.random.default_rng(0)
    start = rng.dirichlet(np.ones(K), size=len(A)) if start is None else start
    rounds = Rounds(500, 5, 1e-13, False)
    return BeliefEngine(as_network(A)).propagate(params, start, rounds, rng)


@pytest.mark.parametrize("counts", [False, True])
def test_a_tree_is_exact(counts):
    """Against the sum over all blocks of seven nodes; pairs without an edge are next to nothing."""
    A = np.zeros((7, 7))
    for i, j in [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (5, 6)]:
        A[i, j] = A[j, i] = 1 + counts * (i % 2)
    tiny, W = 1e-9, np.array([[2.0, 0.5, 1.0], [0.5, 3.0, 0.2], [1.0, 0.2, 1.0]])
    weights = np.array([0.5, 0.3, 0.2])
    end = at_rest(A, BlockParams(Edges.POISSON, weights, tiny * W))
    z = np.array(list(itertools.product(range(3), repeat=7)))
    joint = np.log(weights)[z].sum(axis=1)
    for i, j in np.argwhere(np.triu(A)):
        joint += A[i, j] * np.log(tiny * W)[z[:, i], z[:, j]]
    total = np.logaddexp.reduce(joint)
    shares = np.exp(joint - total)
    expected = [[shares[z[:, i] == k].sum() for k in range(3)] for i in range(7)]
    np.testing.assert_allclose(end.memberships, expected, atol=1e-6)
    factorials = 3 * np.log(2.0) if counts else 0.0
    assert end.bound == pytest.approx(total - factorials, abs=1e-6)


def test_at_rest_the_equations_hold():
    """Memberships from messages, in NumPy: a node's factor, its edges,
    and the field of the others."""
    A = karate()
    matrix = np.array([[0.3, 0.05], [0.05, 0.2]])
    params = BlockParams(Edges.POISSON, np.array([0.6, 0.4]), matrix)
    end = at_rest(A, params)
    assert end.change < 1e-12
    rng = np.random.default_rng(1)
    messages = {(i, j): rng.dirichlet([1, 1]) for i, j in np.argwhere(A)}
    messages = {pair: end.memberships[pair[0]] for pair in messages}
    field = end.memberships.sum(axis=0) @ matrix - end.memberships @ matrix
    for _ in range(500):
        told = {(i, j): matrix @ messages[i, j] for i, j in messages}
        for i, j in messages:
            share = params.weights * np.exp(-field[i])
            for other in np.flatnonzero(A[i]):
                share = share * (told[other, i] if other != j else 1.0)
            messages[i, j] = share / share.sum()
    for i in range(34):
        share = params.weights * np.exp(-field[i])
        for other in np.flatnonzero(A[i]):
            share = share * (matrix @ messages[other, i])
        np.testing.assert_allclose(end.memberships[i], share / share.sum(), atol=1e-8)


def planted(n, c, snr, seed):
    """Two equal blocks, mean degree c, |c_in - c_out| = 2 snr sqrt(c)."""
    rng = np.random.default_rng(seed)
    half, apart = n // 2, snr * np.sqrt(c)
    parts = []
    for rate, a, b in ((c + apart, 0, 0), (c + apart, half, half), (c - apart, 0, half)):
        pairs = half * half if a != b else half * (half - 1) / 2
        count = rng.poisson(rate / n * pairs)
        parts.append(rng.integers(half, size=(2, count)) + np.array([[a], [b]]))
    rows, columns = np.concatenate(parts, axis=1)
    apart = rows != columns
    A = csr_array((np.ones(apart.sum()), (rows[apart], columns[apart])), shape=(n, n))
    return ((A + A.T) > 0).astype(float)


@pytest.mark.parametrize(("snr", "least", "most"), [(1.5, 0.6, 1.0), (0.7, 0.0, 0.12)])
def test_either_side_of_the_threshold(snr, least, most):
    """Decelle et al. (2011): blocks can be told where |c_in - c_out| > q sqrt(c)."""
    A = planted(3000, 4.0, snr, 0)
    model = mixtura.BlockModel(2, inference="belief", max_iter=100, n_init=2, random_state=0)
    with warnings.catch_warnings():
        # Where there is nothing to find, messages may go on and on.
        warnings.simplefilter("error" if least else "ignore", ConvergenceWarning)
        model.fit(A)
    right = (model.labels_ == (np.arange(3000) >= 1500)).mean()
    assert least <= abs(2 * right - 1) <= most
    if least:
        assert model.fit_result_.converged
        np.testing.assert_allclose(model.block_weights_, 0.5, atol=0.06)
        apart = 1.5 * 2
        expected = np.array([[4 + apart, 4 - apart], [4 - apart, 4 + apart]]) / 3000
        np.testing.assert_allclose(model.block_matrix_, expected, rtol=0.35)


def test_a_report_and_what_is_refused():
    model = mixtura.BlockModel(2, inference="belief", random_state=0).fit(karate())
    assert model.icl_ is None
    assert "Bethe's estimate" in model.summary()
    alone = mixtura.BlockModel(1, inference="belief", random_state=0).fit(karate())
    rate = 156 / (34 * 33)
    assert alone.fit_result_.loglik == pytest.approx(78 * np.log(rate) - 78, abs=1e-6)
    for network, settings, words in (
        (karate(), {"n_blocks": "auto"}, 'n_blocks="auto"'),
        (karate(), {"degree_corrected": True}, "degree_corrected=True"),
        (np.triu(karate()), {}, "a directed network"),
        (karate() + np.eye(34), {"edges": "poisson"}, "self-loops"),
        (np.where(np.eye(34)[::-1] > 0, np.nan, karate()), {}, "missing pairs"),
    ):
        with pytest.raises(ValueError, match=words):
            mixtura.BlockModel(inference="belief", **settings).fit(network)

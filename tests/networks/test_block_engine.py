"""The climb in C against its definition: every law, directed or not, loops, missing pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from known_networks import LAWS, bound, drawn, log_density, pairs

from mixtura.data.networks.reading import as_network
from mixtura.engines.blocks import BlockEngine
from mixtura.models.block_model import Edges

CASES = [
    (law, directed, loops, missing)
    for law, directed, loops, missing in itertools.product(LAWS, *[(False, True)] * 3)
    if not (loops and law == "bernoulli")
]


def climbed(law, directed, loops, missing, steps=200):
    A = drawn(law, directed, loops, missing)
    engine = BlockEngine(as_network(A, directed=directed), Edges(law))
    start = np.random.default_rng(1).dirichlet(np.ones(2), size=len(A))
    return A, engine, engine.climb(start, steps, 1e-12, np.arange(len(A)))


@pytest.mark.parametrize(("law", "directed", "loops", "missing"), CASES)
def test_the_bound_is_the_one_that_is_defined(law, directed, loops, missing):
    for steps in (0, 3, 200):
        A, _, end = climbed(law, directed, loops, missing, steps)
        params = end.params.weights, end.params.matrix, end.params.variance
        expected = bound(A, directed, law, end.memberships, params)
        assert end.bound == pytest.approx(expected, abs=1e-8)
    assert (np.diff(end.trace) >= -1e-9).all()


@pytest.mark.parametrize(("law", "directed", "loops", "missing"), CASES)
def test_parameters_are_shares_and_means_of_pairs(law, directed, loops, missing):
    A, _, end = climbed(law, directed, loops, missing, 2)
    met, among = np.zeros((2, 2, 2))
    for i, j in pairs(A, directed):
        tau = end.memberships
        both = np.diag(tau[i]) if i == j else np.outer(tau[i], tau[j])
        both = both if directed else (both + both.T) / 2
        met, among = met + both * A[i, j], among + both
    np.testing.assert_allclose(end.params.matrix, met / among, atol=1e-11)
    np.testing.assert_allclose(end.params.weights, end.memberships.mean(axis=0))


@pytest.mark.parametrize(("law", "directed", "loops", "missing"), CASES[::3])
def test_the_bound_is_below_the_likelihood(law, directed, loops, missing):
    """Summed over all ways to put nine nodes into two blocks."""
    A, _, end = climbed(law, directed, loops, missing)
    z = np.array(list(itertools.product(range(2), repeat=len(A))))
    joint = np.log(end.params.weights)[z].sum(axis=1)
    for i, j in pairs(A, directed):
        density = log_density(law, A[i, j], end.params.matrix, end.params.variance)
        joint += density[z[:, i], z[:, j]]
    likelihood = np.logaddexp.reduce(joint)
    assert end.bound <= likelihood
    assert end.bound > likelihood - 6


@pytest.mark.parametrize("directed", [False, True])
def test_observed_is_missing_said_the_other_way(directed):
    """A mask of few pairs is kept as the list of those that were seen."""
    rng = np.random.default_rng(4)
    A = drawn("poisson", directed, False, False)
    for share in (0.3, 0.8):
        seen = rng.random(A.shape) < share
        seen = seen if directed else np.triu(seen) | np.triu(seen).T
        ends = []
        for net in (
            as_network(np.where(seen, A, np.nan), directed=directed),
            as_network(A, directed=directed, observed=seen),
        ):
            start = np.random.default_rng(1).dirichlet(np.ones(2), size=len(A))
            climb = BlockEngine(net, Edges.POISSON).climb(start, 50, 1e-9, np.arange(len(A)))
            ends.append(climb.bound)
        assert ends[0] == pytest.approx(ends[1], abs=1e-9)


def test_a_directed_network_the_other_way_round_is_the_same():
    A = drawn("poisson", True, True, True)
    start = np.random.default_rng(1).dirichlet(np.ones(2), size=len(A))
    one, other = (
        BlockEngine(as_network(B, directed=True), Edges.POISSON).climb(
            start, 50, 1e-9, np.arange(len(A))
        )
        for B in (A, A.T)
    )
    np.testing.assert_allclose(one.params.matrix, other.params.matrix.T, atol=1e-8)

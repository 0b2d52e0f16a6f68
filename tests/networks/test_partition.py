"""Hard partitions: objectives against enumeration, and moves against the objectives."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest
from known_networks import HI, drawn, karate
from scipy.stats import poisson

from mixtura.data.networks.reading import as_network
from mixtura.engines.partition import Aim, PartitionEngine
from mixtura.models.partition import (
    asymptotic,
    description_length,
    log_choose,
    log_partitions,
    met_between,
    poisson_loglik,
    profile,
)


@cache
def partitions(m: int, n: int) -> int:
    if m == 0:
        return 1
    return 0 if n == 0 or m < 0 else partitions(m, n - 1) + partitions(m - n, n)


def test_numbers_of_partitions():
    for m, n in [(1, 1), (5, 2), (30, 7), (100, 100)]:
        assert log_partitions(m, n) == pytest.approx(math.log(partitions(m, min(m, n))), rel=1e-6)
    for m, n in [(1000, 30), (1000, 300), (900, 900)]:
        f, g = asymptotic(np.array([n / math.sqrt(m)]))
        rough = f[0] - math.log(m) + math.sqrt(m) * g[0]
        assert rough == pytest.approx(log_partitions(m, n), abs=0.1)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("directed", [False, True])
def test_a_description_is_a_law_of_networks(directed, corrected):
    """Over all multigraphs of three edges between three nodes in two blocks it sums to one."""
    labels, edges = np.array([0, 0, 1]), 3
    places = [(i, j) for i in range(3) for j in range(3) if directed or i <= j]
    total = 0.0
    for chosen in itertools.combinations_with_replacement(places, edges):
        A = np.zeros((3, 3))
        for i, j in chosen:
            A[i, j] += 1
            if i != j and not directed:
                A[j, i] += 1
        network = as_network(A, directed=directed)
        total += math.exp(-description_length(network, labels, 2, corrected))
    # ln P(b): the number of blocks, their sizes, who is where.
    told = math.log(3) + log_choose(2, 1) + math.log(3)
    assert total == pytest.approx(math.exp(-told), rel=1e-6)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("aim", Aim)
def test_moves_raise_what_is_described(aim, directed):
    network = as_network(drawn("poisson", directed, True, False), directed=directed)
    rng = np.random.default_rng(0)
    engine = PartitionEngine(network, aim)

    def value(labels):
        if aim is Aim.PROFILE:
            return profile(met_between(network, labels, 3))
        return -description_length(network, labels, 3, aim is Aim.DESCRIPTION_DEGREES)

    starts = [rng.permutation(np.arange(network.n) % 3) for _ in range(4)]
    ends = [engine.climb(start, 3, 100, rng.permutation(network.n)) for start in starts]
    for start, end in zip(starts, ends, strict=True):
        gained = value(end.labels) - value(start)
        assert end.bound - end.trace[0] == pytest.approx(gained, abs=1e-8)
        assert (np.diff(end.trace) > -1e-9).all()
        for i, block in itertools.product(range(network.n), range(3)):
            moved = np.array(end.labels)
            moved[i] = block
            if len(np.unique(moved)) == 3:
                assert value(moved) <= value(end.labels) + 2e-8


@pytest.mark.parametrize("directed", [False, True])
def test_the_profile_is_the_likelihood_at_its_best(directed):
    """Of Poisson counts with means k_i k_j m_rs / (kappa_r kappa_s); half that of loops."""
    A = drawn("poisson", directed, True, False)
    network = as_network(A, directed=directed)
    labels = np.arange(len(A)) % 2
    met = met_between(network, labels, 2)
    out, back = network.degrees
    rows, columns = met.sum(axis=1), met.sum(axis=0)
    means = np.outer(out, back) * (met / np.outer(rows, columns))[np.ix_(labels, labels)]
    if directed:
        expected = poisson.logpmf(A, means).sum()
    else:
        np.fill_diagonal(means, np.diag(means) / 2)
        expected = np.triu(poisson.logpmf(A, means)).sum()
    assert poisson_loglik(network, met) == pytest.approx(expected)


def test_karate_in_its_factions():
    """Karrer & Newman's L of the club's two factions."""
    labels = np.array([int(node not in HI) for node in range(1, 35)])
    met = met_between(as_network(karate()), labels, 2)
    assert profile(met) == pytest.approx(-743.20710, abs=1e-5)
    assert profile(np.array([[156.0]])) == pytest.approx(-787.77754, abs=1e-5)


def test_karate_as_graph_tool_describes_it():
    """Entropy of graph-tool 2.45's BlockState(deg_corr=False) of the hubs 1, 2, 3, 33, 34."""
    labels = np.array([int(node in (1, 2, 3, 33, 34)) for node in range(1, 35)])
    told = description_length(as_network(karate()), labels, 2, corrected=False)
    assert told == pytest.approx(215.3297144528339, abs=1e-9)

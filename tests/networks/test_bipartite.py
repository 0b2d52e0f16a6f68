"""Bipartite networks: pairs lie between two sides, each with blocks of its own."""

from __future__ import annotations

import itertools
import math

import igraph
import networkx
import numpy as np
import pandas as pd
import pytest
from known_networks import LAWS, log_density
from scipy.sparse import csr_array
from scipy.stats import poisson
from sklearn.metrics import adjusted_rand_score

import mixtura
from mixtura.data.networks.network import NetworkError
from mixtura.data.networks.reading import as_network
from mixtura.engines.blocks import BlockEnd, BlockEngine
from mixtura.engines.partition import Aim, PartitionEngine
from mixtura.fitting.networks.search import promised, unsettled
from mixtura.models.block_model import BlockParams, Edges
from mixtura.models.partition import description_length, log_choose, met_between, poisson_loglik

Z, W = np.repeat([0, 1, 2], [16, 12, 8]), np.repeat([0, 1], [20, 16])
CHANCES = np.array([[0.85, 0.05], [0.1, 0.9], [0.5, 0.5]])


def planted(seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((len(Z), len(W))) < CHANCES[np.ix_(Z, W)]).astype(float)


def small(law, missing):
    """Five nodes and four, of two blocks and two."""
    rng = np.random.default_rng(3)
    mean = np.array([[0.8, 0.2], [0.3, 0.6]])[np.ix_([0, 0, 1, 1, 1], [0, 1, 1, 0])]
    laws = {"bernoulli": rng.random(mean.shape) < mean, "poisson": rng.poisson(2 * mean)}
    A = np.asarray(laws.get(law, rng.normal(mean)), dtype=float)
    if missing:
        A[rng.random(A.shape) < 0.2] = np.nan
    return A


def climbed(A, law, observed=None):
    n, m = A.shape
    rng = np.random.default_rng(1)
    start = np.zeros((n + m, 4))
    start[:n, :2], start[n:, 2:] = rng.dirichlet([1, 1], n), rng.dirichlet([1, 1], m)
    engine = BlockEngine(as_network(A, bipartite=True, observed=observed), Edges(law))
    return engine.climb(start, 100, 1e-12, np.arange(n + m), 2)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("law", LAWS)
def test_the_bound_is_summed_over_pairs_between_the_sides(law, missing):
    A = small(law, missing)
    (n, m), end = A.shape, climbed(A, law)
    tau, params = end.memberships, end.params
    rows, columns = tau[:n, :2], tau[n:, 2:]
    assert not tau[:n, 2:].any()
    assert not tau[n:, :2].any()
    weights = mixtura.models.block_model.shares(params.weights, 2)
    np.testing.assert_allclose(weights, [*rows.mean(axis=0), *columns.mean(axis=0)])
    value = sum((t * np.log(w / t)).sum() for t, w in ((rows, weights[:2]), (columns, weights[2:])))
    met, among = np.zeros((2, 2, 2))
    joint = {}
    for i, j in np.argwhere(np.isfinite(A)):
        density = log_density(law, A[i, j], params.shown, params.variance)
        joint[i, j] = density
        both = np.outer(rows[i], columns[j])
        value += (both * density).sum()
        met, among = met + both * A[i, j], among + both
    assert end.bound == pytest.approx(value, abs=1e-8)
    assert (np.diff(end.trace) >= -1e-9).all()
    np.testing.assert_allclose(params.shown, met / among, atol=1e-10)
    # Summed over all ways to put the nodes into their side's blocks.
    z = np.array(list(itertools.product(range(2), repeat=n + m)))
    total = np.log(weights[:2])[z[:, :n]].sum(axis=1) + np.log(weights[2:])[z[:, n:]].sum(axis=1)
    for (i, j), density in joint.items():
        total += density[z[:, i], z[:, n + j]]
    likelihood = np.logaddexp.reduce(total)
    assert likelihood - 6 < end.bound <= likelihood


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_observed_is_missing_said_the_other_way(share):
    A = small("poisson", False)
    seen = np.random.default_rng(0).random(A.shape) < share
    one, other = climbed(np.where(seen, A, np.nan), "poisson"), climbed(A, "poisson", seen)
    assert one.bound == pytest.approx(other.bound, abs=1e-9)
    net = as_network(A, bipartite=True, observed=seen)
    assert net.n_pairs == seen.sum()


def test_with_degrees_it_is_the_likelihood_of_pairs_between_the_sides():
    A = np.random.default_rng(2).poisson(2.0, (6, 5)).astype(float)
    network = as_network(A, bipartite=True)
    z, w = np.arange(6) % 2, np.arange(5) % 2
    met = met_between(network, np.concatenate([z, w + 2]), 4)
    shown = met[:2, 2:]
    ratio = shown / np.outer(shown.sum(axis=1), shown.sum(axis=0))
    means = np.outer(A.sum(axis=1), A.sum(axis=0)) * ratio[np.ix_(z, w)]
    expected = poisson.logpmf(A, means).sum()
    assert poisson_loglik(network, met) == pytest.approx(expected)


@pytest.mark.parametrize("corrected", [False, True])
def test_a_description_is_a_law_of_bipartite_networks(corrected):
    """Over all multigraphs of three edges between three nodes and two it sums to one."""
    labels, edges = np.array([0, 0, 1, 2, 2]), 3
    places = list(itertools.product(range(3), range(2)))
    total = 0.0
    for chosen in itertools.combinations_with_replacement(places, edges):
        A = np.zeros((3, 2))
        np.add.at(A, tuple(np.array(chosen).T), 1)
        network = as_network(A, bipartite=True)
        total += math.exp(-description_length(network, labels, 3, corrected, 2))
    told = math.log(3) + log_choose(2, 1) + math.log(3) + math.log(2)
    assert total == pytest.approx(math.exp(-told), rel=1e-6)


@pytest.mark.parametrize("aim", Aim)
def test_moves_keep_to_their_side(aim):
    network = as_network(planted(), bipartite=True)
    rng = np.random.default_rng(0)
    start = np.concatenate([rng.integers(3, size=len(Z)), 3 + rng.integers(2, size=len(W))])
    engine = PartitionEngine(network, aim)
    end = engine.climb(start, 5, 100, rng.permutation(network.n), 3)
    assert set(end.labels[: len(Z)]) == {0, 1, 2}
    assert set(end.labels[len(Z) :]) == {3, 4}
    if aim is not Aim.PROFILE:
        found = [
            description_length(network, each, 5, aim is Aim.DESCRIPTION_DEGREES, 3)
            for each in (start, end.labels)
        ]
        assert end.bound - end.trace[0] == pytest.approx(found[0] - found[1], abs=1e-8)


def agreed(model):
    sides = model.labels_[: len(Z)], model.labels_[len(Z) :]
    return [adjusted_rand_score(known, found) for known, found in zip((Z, W), sides, strict=True)]


@pytest.mark.parametrize(
    "settings",
    [
        {"n_blocks": (3, 2)},
        {"n_blocks": "auto", "max_blocks": 3},
        {"n_blocks": "auto", "degree_corrected": "auto", "edges": "poisson"},
    ],
    ids=str,
)
def test_planted_blocks_are_found(settings):
    model = mixtura.BlockModel(bipartite=True, n_init=6, random_state=0, **settings).fit(planted())
    assert agreed(model) == [1.0, 1.0]
    assert model.block_matrix_.shape == (3, 2)
    assert model.sides_ == (36, 36)
    np.testing.assert_allclose(
        model.block_weights_, [16 / 36, 12 / 36, 8 / 36, 20 / 36, 16 / 36], atol=1e-3
    )
    if "max_blocks" in settings:
        assert min(each.value for each in model.path_) < model.icl_
        assert (3, 2) in [each.sides for each in model.path_]


@pytest.mark.parametrize("K", [2, 3])
def test_blocks_that_no_side_shows_alone_are_found(K):
    """Balanced ones: all rows have one margin, and so have all columns."""
    rows, columns = np.repeat(np.arange(K), 36 // K), np.arange(36) % K
    chances = 0.1 + 0.6 * np.eye(K)
    A = (np.random.default_rng(0).random((36, 36)) < chances[np.ix_(rows, columns)]).astype(float)
    settings = {"bipartite": True, "n_init": 3, "tol": 1e-5, "random_state": 0}
    model = mixtura.BlockModel("auto", max_blocks=(K + 1, K), **settings).fit(A)
    assert model.block_matrix_.shape == (K, K)
    assert adjusted_rand_score(rows, model.labels_[:36]) > 0.9
    assert adjusted_rand_score(columns, model.labels_[36:]) > 0.9
    assert model.icl_ >= mixtura.BlockModel((K, K), **settings).fit(A).icl_ - 1e-2
    tried = [each.sides for each in model.path_]
    assert max(tried) <= (K + 1, K)
    assert max(second for _, second in tried) == K


def test_numbers_that_were_met_from_below_are_tried_again():
    """With holes the way up led past (2, 2), to 19 nats less, and climbs crept a thousand steps."""
    rng = np.random.default_rng(1)
    rows, columns = np.arange(60) // 30, np.arange(60) // 30
    rng.shuffle(rows)
    rng.shuffle(columns)
    A = (rng.random((60, 60)) < (0.1 + 0.4 * np.eye(2))[np.ix_(rows, columns)]).astype(float)
    A[rng.random(A.shape) < 0.2] = np.nan
    settings = {"bipartite": True, "n_init": 4, "random_state": 0}
    model = mixtura.BlockModel("auto", max_blocks=3, **settings).fit(A)
    assert model.block_matrix_.shape == (2, 2)
    asked = mixtura.BlockModel((2, 2), **settings).fit(A)
    assert model.icl_ == pytest.approx(asked.icl_, abs=1e-2)
    assert asked.icl_ == pytest.approx(-1590.52, abs=1e-2)


def test_what_a_creeping_climb_promises_is_the_end_of_a_geometric_one():
    tau, params = np.eye(2), BlockParams(Edges.BERNOULLI, np.ones(2), np.ones((2, 2)))
    trace = tuple(5.0 - 3.0 * 0.9**step for step in range(7))
    end = BlockEnd(tau, params, trace, math.inf)
    assert promised(end) == pytest.approx(5.0)
    assert unsettled(end, 6)
    assert not unsettled(end, 7)
    assert promised(BlockEnd(tau, params, (*trace, trace[-1]), 0.0)) == trace[-1]


def test_most_blocks_of_each_side_are_for_two_sides():
    with pytest.raises(ValueError, match=r"max_blocks=\(2, 3\): give a number from 1 on"):
        mixtura.BlockModel("auto", max_blocks=(2, 3)).fit(np.eye(6)[::-1])


def test_icl_counts_the_parameters_of_both_sides():
    """Keribin, Brault, Celeux & Govaert (2015)."""
    model = mixtura.BlockModel((3, 2), bipartite=True, n_init=4, random_state=0).fit(planted())
    tau = model.memberships_
    entropy = -(tau[tau > 0] * np.log(tau[tau > 0])).sum()
    lost = 0.5 * (2 * math.log(36) + math.log(36) + 6 * math.log(36 * 36))
    assert model.icl_ == pytest.approx(model.fit_result_.loglik - entropy - lost)
    assert model.fit_result_.n_parameters == 2 + 1 + 6


def test_planted_blocks_with_degrees():
    rng = np.random.default_rng(1)
    theta, phi = rng.gamma(3, 1 / 3, len(Z)), rng.gamma(3, 1 / 3, len(W))
    A = rng.poisson(8 * np.outer(theta, phi) * CHANCES[np.ix_(Z, W)]).astype(float)
    settings = {"bipartite": True, "degree_corrected": True, "n_init": 6, "random_state": 0}
    model = mixtura.BlockModel((3, 2), **settings).fit(csr_array(A))
    assert agreed(model) == [1.0, 1.0]
    assert model.block_matrix_.sum() == A.sum()
    names = np.indices(A.shape).reshape(2, -1)
    assert model.score(*names, A.ravel()) * A.size == pytest.approx(model.fit_result_.loglik)
    np.testing.assert_array_equal(model.predict(A), model.labels_[: len(Z)])
    np.testing.assert_array_equal(model.predict(A.T, side=1), model.labels_[len(Z) :])
    drawn = model.sample(0)[0]
    assert drawn.shape == A.shape
    assert "Rows are the first side's" in model.summary()


@pytest.mark.parametrize("law", LAWS)
def test_a_new_node_of_either_side(law):
    A = planted() if law == "bernoulli" else small(law, False)
    model = mixtura.BlockModel((2, 2), edges=law, bipartite=True, n_init=4, random_state=0).fit(A)
    n, tau = len(A), model.memberships_
    np.testing.assert_allclose(model.predict_proba(A), tau[:n], atol=2e-3)
    np.testing.assert_allclose(model.predict_proba(A.T, side=1), tau[n:], atol=2e-3)
    unknown = model.predict_proba(np.full((1, A.shape[1]), np.nan))
    np.testing.assert_allclose(unknown[0, :2], model.block_weights_[:2])
    draws = [model.sample(seed)[0].toarray() for seed in range(300)]
    mean = model.block_matrix_[np.ix_(model.labels_[:n], model.labels_[n:] - 2)]
    spread = np.std(draws, axis=0) / math.sqrt(300)
    assert (np.abs(np.mean(draws, axis=0) - mean) <= 5 * spread + 0.02).all()


def test_files(tmp_path):
    model = mixtura.BlockModel((3, 2), bipartite=True, n_init=4, random_state=0).fit(planted())
    kept = mixtura.load(model.save(tmp_path / "two.json"))
    for name in ("labels_", "block_matrix_", "block_weights_", "sides_", "nodes_"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(model, name))
    assert kept.summary() == model.summary()
    assert kept.get_params() == model.get_params()
    # Rows and columns of a matrix have the same names.
    assert kept.expected([1], [1]) == model.expected([1], [1])


def test_networks_of_all_kinds_are_one():
    rows, columns = np.nonzero(planted())
    frame = pd.DataFrame({"who": rows, "what": columns})
    graph = networkx.Graph()
    graph.add_nodes_from((("b", j) for j in range(len(W))), bipartite=1)
    graph.add_nodes_from((("a", i) for i in range(len(Z))), bipartite=0)
    graph.add_edges_from((("b", j), ("a", i)) for i, j in zip(rows, columns, strict=True))
    bare = networkx.Graph(graph.edges)
    other = igraph.Graph.Biadjacency(planted().tolist())
    for given in (planted(), csr_array(planted()), frame, graph, bare, other):
        net = as_network(given, bipartite=True)
        sides = [net.first, net.n - net.first]
        assert sorted(net.degrees[0][: net.first]) == sorted(
            planted().sum(axis=int(given is not bare))
        )
        assert sides == [36, 36]
        assert net.n_edges == len(rows)
        assert net.n_pairs == 36 * 36


def odd():
    return networkx.Graph([(1, 2), (2, 3), (3, 1)])


@pytest.mark.parametrize(
    ("network", "settings", "words"),
    [
        (planted(), {"n_blocks": (2, 37)}, r"n_blocks=\(2, 37\), and side 1 of the network has 36"),
        (planted(), {"n_blocks": (2, 2, 2)}, r"or two of these, \(K1, K2\)"),
        (planted(), {"n_blocks": (2, 0)}, "or two of these"),
        (planted(), {"directed": True}, "have no directions"),
        (planted(), {"inference": "belief"}, "bipartite=True do not go together"),
        (odd(), {}, "nothing tells the two sides of the graph"),
        (networkx.Graph([(1, 2), (3, 4)]), {}, "attribute 'bipartite' of 0 or 1"),
        (networkx.DiGraph([(1, 2)]), {}, "the graph is directed"),
        (igraph.Graph.Ring(3), {}, "a cycle of odd length"),
        (np.zeros((0, 3)), {}, "sides have 0 and 3 nodes"),
        (2 * planted(), {}, "Bernoulli edges are there or not"),
    ],
)
def test_what_is_refused(network, settings, words):
    model = mixtura.BlockModel(**{"n_blocks": (2, 2), "bipartite": True} | settings)
    with pytest.raises(ValueError, match=words) as told:
        model.fit(network)
    assert "\n" not in str(told.value)


def test_what_is_refused_of_sides():
    graph = networkx.Graph([(1, 2), (2, 3)])
    networkx.set_node_attributes(graph, {1: 0, 2: 0, 3: 1}, "bipartite")
    with pytest.raises(NetworkError, match="joins 1 and 2, which are of one side"):
        as_network(graph, bipartite=True)
    del graph.nodes[3]["bipartite"]
    with pytest.raises(NetworkError, match="of a node is None"):
        as_network(graph, bipartite=True)
    with pytest.raises(NetworkError, match=r"a mask of shape \(2, 2\).*give \(36, 36\)"):
        as_network(planted(), bipartite=True, observed=np.ones((2, 2)))
    with pytest.raises(ValueError, match="n_blocks=\\(2, 2\\): give a number from 1 on"):
        mixtura.BlockModel((2, 2)).fit(np.ones((3, 3)) - np.eye(3))
    model = mixtura.BlockModel(2).fit(np.ones((3, 3)) - np.eye(3))
    with pytest.raises(ValueError, match="side=1 is 0 or 1, and 1 of bipartite models only"):
        model.predict(np.ones((1, 3)), side=1)


def test_its_figure():
    model = mixtura.BlockModel((3, 2), bipartite=True, n_init=4, random_state=0).fit(planted())
    sorted_, matrix, drawing = model.figure(planted()).axes
    image = sorted_.images[0].get_array().filled(0.0)
    one, other = (np.argsort(part, kind="stable") for part in (Z, W))
    np.testing.assert_array_equal(image, planted()[np.ix_(one, other)])
    assert len(matrix.texts) == 6
    assert [tick.get_text() for tick in matrix.get_xticklabels()] == ["3", "4"]
    assert len(drawing.collections[0].get_segments()) == planted().sum()

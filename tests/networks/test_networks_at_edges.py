"""Networks at the edges of what is plain: many blocks, rounding, far means, pairs not seen."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from known_networks import karate
from scipy.sparse import csr_array
from sklearn.metrics import adjusted_rand_score

import mixtura
from mixtura.data.networks.network import NetworkError
from mixtura.data.networks.reading import as_network


def planted(K, size, within, between, seed=0):
    """(symmetric matrix of K equal blocks of so many nodes, their labels)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(K), size)
    chance = np.where(labels[:, None] == labels, within, between)
    upper = np.triu(rng.uniform(size=chance.shape) < chance, 1).astype(float)
    return upper + upper.T, labels


def test_auto_finds_thirty_blocks():
    A, labels = planted(30, 15, 0.7, 0.003)
    model = mixtura.BlockModel("auto", degree_corrected=True, random_state=0).fit(csr_array(A))
    assert adjusted_rand_score(labels, model.labels_) == 1.0
    assert not model.fit_result_.remark or "max_blocks" not in model.fit_result_.remark


def test_correlations_are_undirected():
    """np.corrcoef differs from its transpose in the last place."""
    rng = np.random.default_rng(1)
    groups = rng.normal(size=(200, 3))[:, np.repeat(np.arange(3), 10)]
    C = np.corrcoef((groups + rng.normal(size=(200, 30))).T)
    C[0, 1] += 1e-16
    net = as_network(C)
    assert not net.directed
    assert (net.edges != net.edges.T).nnz == 0
    rough = C.copy()
    rough[0, 1] += 1e-6
    assert as_network(rough).directed


def test_a_zero_that_is_written_down_is_no_edge():
    A = csr_array(([1.0, 1.0, 0.0], ([0, 1, 0], [1, 0, 2])), shape=(3, 3))
    assert not as_network(A).directed


@pytest.mark.parametrize("far", [1e6, 1e9])
def test_new_nodes_far_from_zero_have_the_blocks_of_those_near(far):
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    means = np.where(labels[:, None] == labels, 2.0, 0.0)
    x = np.triu(means + rng.normal(size=(60, 60)), 1)
    near = far + x + x.T
    np.fill_diagonal(near, 0.0)
    model = mixtura.BlockModel(2, edges="gaussian", random_state=0).fit(near)
    new = rng.normal(size=(40, 60)) + np.where(np.arange(40)[:, None] % 2 == labels, 2.0, 0.0)
    found = model.predict(far + new)
    assert adjusted_rand_score(np.arange(40) % 2, found) == 1.0


def test_pairs_that_nobody_looked_at_say_nothing_of_a_node_with_degrees():
    A, labels = planted(2, 30, 0.5, 0.05)
    model = mixtura.BlockModel(2, degree_corrected=True, random_state=0).fit(A)
    assert adjusted_rand_score(labels, model.labels_) == 1.0
    new = np.zeros(60)
    new[:8] = 1.0
    one = model.predict_proba(new[None])[0]
    assert one.max() > 0.999
    # Eight edges to one block, and none to the other, at which nobody looked.
    new[30:] = np.nan
    np.testing.assert_allclose(model.predict_proba(new[None])[0], 0.5, atol=1e-12)
    # Without a single gap the formula is that without gaps: one node of a block that is not seen.
    new[30:] = 0.0
    new[59] = np.nan
    again = model.predict_proba(new[None])[0]
    assert again.max() > 0.999
    assert again.max() <= one.max()


def test_a_bool_of_numpy_is_a_bool():
    A, _ = planted(2, 15, 0.6, 0.1)
    for yes in (True, False):
        plain = mixtura.BlockModel("auto", degree_corrected=yes, random_state=0).fit(A)
        numpy = mixtura.BlockModel("auto", degree_corrected=np.bool_(yes), random_state=0).fit(A)
        assert numpy.path_ == plain.path_
        assert type(numpy.params_) is type(plain.params_)


def test_nodes_without_edges_are_of_no_block():
    A, _ = planted(2, 10, 0.8, 0.1)
    alone = np.zeros((60, 60))
    alone[:20, :20] = A
    model = mixtura.BlockModel(2, degree_corrected=True, random_state=0).fit(alone)
    np.testing.assert_allclose(model.block_weights_, 0.5)


def test_an_edge_between_blocks_that_never_met_has_a_density():
    A = np.kron(np.eye(2), np.ones((8, 8))) - np.eye(16)
    model = mixtura.BlockModel(2, degree_corrected=True, random_state=0).fit(A)
    assert np.isfinite(model.score_samples([0], [15], [1.0])).all()
    assert model.score_samples([0], [15], [0.0])[0] == 0.0


def test_belief_propagation_says_that_edges_are_not_rare():
    model = mixtura.BlockModel(2, inference="belief", random_state=0).fit(karate())
    assert "counts edges as Poisson" in model.fit_result_.remark


def test_weights_that_are_text_are_refused():
    graph = nx.Graph()
    graph.add_edge(0, 1, weight="heavy")
    graph.add_edge(1, 2, weight=2.0)
    with pytest.raises(NetworkError, match="weight='weight' is no number on every edge"):
        mixtura.BlockModel(2).fit(graph, weight="weight")


def test_columns_of_whole_and_other_numbers_name_the_same_nodes():
    pd = pytest.importorskip("pandas")
    edges = pd.DataFrame({"source": [1, 2, 3], "target": [2.0, 1.5, 1.0]})
    assert as_network(edges).n == 4

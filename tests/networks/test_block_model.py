"""`BlockModel`: known optima, what is asked of a fitted one, files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from known_networks import KARATE, LAWS, drawn, karate
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

import mixtura
from mixtura.data.networks.network import NetworkError
from mixtura.models.block_model import BlockParams, Edges

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "networks"


def fitted(K=2, network=None, **settings):
    network = karate() if network is None else network
    return mixtura.BlockModel(K, random_state=0, **settings).fit(network)


@pytest.mark.parametrize(("K", "icl"), [(1, -229.367), (2, -205.094), (3, -208.989), (4, -212.357)])
def test_karate_icl(K, icl):
    """The highest bounds that thousands of starts of a plain climb met elsewhere."""
    model = fitted(K)
    assert model.icl_ == pytest.approx(icl, abs=2e-3)
    if K == 3:
        assert model.fit_result_.loglik == pytest.approx(-186.026, abs=1e-3)


@pytest.mark.parametrize(("K", "least"), [(2, -739.38841), (3, -720.15179), (4, -698.2712)])
def test_karate_profile(K, least):
    """Karrer & Newman (2011): factions but for nodes between them."""
    model = fitted(K, degree_corrected=True)
    assert model.profile_likelihood_ >= least
    if K == 2:
        assert model.profile_likelihood_ == pytest.approx(-739.38840, abs=1e-5)
        np.testing.assert_array_equal(model.block_matrix_, [[68, 10], [10, 68]])
    # What starts met is told in log-likelihoods, as the fit.
    top = model.fit_result_.landscape[0].mean_loglik * 34
    assert top <= model.fit_result_.loglik + 1e-6
    assert model.score(*_all_pairs(karate())) * 561 == pytest.approx(
        model.fit_result_.loglik + _loops(model), abs=1e-6
    )


def _all_pairs(A):
    rows, columns = np.triu_indices(len(A), 1)
    return rows, columns, A[rows, columns]


def _loops(model):
    """The pairs (i, i), where nothing was seen."""
    return model.expected(np.arange(34), np.arange(34)).sum()


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference networks beside the checkout")
def test_fungus_is_above_the_published_fit():
    """The network of sbm::fungusTreeNetwork: -520.66 in its vignette, for five blocks."""
    with open(REFERENCE / "fungus_tree_tree.csv") as file:
        shared = np.array(list(csv.reader(file))[1:], dtype=float)
    assert fitted(5, (shared > 0).astype(float)).icl_ >= -503.246


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="no reference networks beside the checkout")
def test_football_conferences():
    model = fitted(12, REFERENCE / "Football_edges.csv", degree_corrected=True)
    with open(REFERENCE / "Football_labels.csv") as file:
        known = {int(row["node"]): row["label"] for row in csv.DictReader(file)}
    assert adjusted_rand_score([known[node] for node in model.nodes_], model.labels_) > 0.85


@pytest.mark.parametrize("law", LAWS)
def test_auto_finds_planted_blocks(law):
    rng = np.random.default_rng(2)
    z = np.repeat([0, 1, 2], 14)
    mean = (0.1 + 0.7 * np.eye(3))[np.ix_(z, z)]
    A = {"bernoulli": rng.random((42, 42)) < mean, "poisson": rng.poisson(2 * mean)}.get(
        law, rng.normal(mean, 0.3)
    )
    A = np.triu(A, 1) + np.triu(A, 1).T.astype(float)
    model = fitted("auto", A, edges=law, max_blocks=4, n_init=12, tol=1e-5)
    assert adjusted_rand_score(z, model.labels_) == 1
    assert {each.criterion for each in model.path_} == {"icl"}
    if law != "gaussian":
        both = fitted("auto", A, edges="poisson", degree_corrected="auto", n_init=12)
        assert adjusted_rand_score(z, both.labels_) == 1
        assert {each.criterion for each in both.path_} == {"description length"}
        assert both.profile_likelihood_ is None
        assert both.description_length_ == pytest.approx(min(each.value for each in both.path_))


def test_degrees_are_corrected_where_they_vary():
    rng = np.random.default_rng(0)
    z, theta = np.repeat([0, 1], 60), np.tile(np.geomspace(0.2, 5, 60), 2)
    mean = np.outer(theta, theta) * np.array([[0.2, 0.07], [0.07, 0.2]])[np.ix_(z, z)]
    A = np.triu(rng.poisson(mean), 1)
    A = (A + A.T).astype(float)
    model = fitted("auto", A, edges="poisson", degree_corrected="auto", n_init=12)
    assert model.profile_likelihood_ is not None
    assert adjusted_rand_score(z, model.labels_) > 0.8
    # Without the correction, hubs are told from the others.
    assert adjusted_rand_score(z, fitted(2, A, edges="poisson").labels_) < 0.5


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("law", LAWS)
def test_a_new_node_goes_where_an_equal_one_is(law, directed):
    A = drawn(law, directed, False, False)
    model = fitted(2, A, edges=law, directed=directed)
    new = np.where(np.eye(len(A)), np.nan, A)
    into = np.where(np.eye(len(A)), np.nan, A.T) if directed else None
    np.testing.assert_allclose(model.predict_proba(new, into), model.memberships_, atol=2e-3)
    if directed:
        with pytest.raises(ValueError, match="back is of 1 new nodes, and pairs of 2"):
            model.predict_proba(new[:2], into[:1])


def test_a_new_node_of_a_degree_corrected_model():
    model = fitted(2, degree_corrected=True)
    # Each node's own edges are in the model, and two nodes lie between the factions.
    assert (model.predict(karate()) == model.labels_).mean() > 0.9
    np.testing.assert_array_equal(model.predict(csr_array(3 * karate())), model.predict(karate()))


@pytest.mark.parametrize("law", LAWS)
def test_scores_are_mixtures_over_blocks(law):
    params = BlockParams(Edges(law), np.array([0.4, 0.6]), np.array([[0.3, 0.7], [0.7, 0.2]]), 0.5)
    tau = np.array([[0.9, 0.1], [0.2, 0.8]])
    x = np.array([1.0, 0.0, 1.0])
    rows, columns = np.array([0, 0, 1]), np.array([1, 1, 1])
    found = np.exp(params.pair_log_density(rows, columns, x, tau))
    density = np.exp(params.log_density(x))
    np.testing.assert_allclose(found[:2], np.einsum("k,mkl,l->m", tau[0], density[:2], tau[1]))
    assert found[2] == pytest.approx(tau[1] @ np.diag(density[2]))
    np.testing.assert_allclose(
        params.means(rows, columns, tau)[[0, 2]],
        [tau[0] @ params.matrix @ tau[1], tau[1] @ np.diag(params.matrix)],
    )


def test_a_frame_of_new_nodes_goes_by_the_names_of_its_columns():
    model = mixtura.BlockModel(2, random_state=0).fit(KARATE)
    new = np.where(np.isin(model.nodes_, [33, 34]), 1.0, 0.0)[None]
    frame = pd.DataFrame(new, columns=model.nodes_)
    shuffled = frame[np.random.default_rng(0).permutation(model.nodes_)]
    text = pl.DataFrame({str(name): shuffled[name].to_numpy() for name in shuffled})
    for given in (frame, shuffled, text):
        np.testing.assert_array_equal(model.predict_proba(given), model.predict_proba(new))
    fewer = np.where(np.isin(model.nodes_, [1, 2]), np.nan, new)
    few = shuffled.drop(columns=[1, 2])
    np.testing.assert_array_equal(model.predict_proba(few), model.predict_proba(fewer))
    with pytest.raises(ValueError, match="pairs: column 0 is no node that is asked for"):
        model.predict(pd.DataFrame(new))
    with pytest.raises(ValueError, match="pairs: column 34 holds"):
        model.predict(pd.DataFrame({34: ["x"]}))


def test_a_search_by_description_tells_its_starts():
    model = fitted("auto", degree_corrected="auto", n_init=6)
    assert len(model.fit_result_.starts) > 6
    assert "starts" in model.summary()
    assert "1: shortest description" not in model.summary()


def test_held_out_pairs_are_foretold():
    rng = np.random.default_rng(5)
    z = np.repeat([0, 1], 25)
    A = np.triu(rng.random((50, 50)) < np.array([[0.7, 0.1], [0.1, 0.5]])[np.ix_(z, z)], 1)
    A = (A + A.T).astype(float)
    out = np.triu(rng.random(A.shape) < 0.2, 1)
    rows, columns = np.nonzero(out)
    pairs = rows, columns, A[rows, columns]
    seen = ~(out | out.T)
    scores = [
        mixtura.BlockModel(K, random_state=0).fit(A, observed=seen).score(*pairs) for K in (1, 2)
    ]
    assert scores[1] > scores[0] + 0.1


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("law", [*LAWS, "corrected"])
def test_samples_have_the_models_means(law, directed):
    corrected = law == "corrected"
    edges = "poisson" if corrected else law
    A = drawn(edges, directed, corrected, False)
    model = fitted(2, A, edges=edges, directed=directed, degree_corrected=corrected)
    draws = [model.sample(seed)[0].toarray() for seed in range(400)]
    nodes = np.repeat(np.arange(9), 9), np.tile(np.arange(9), 9)
    hard = np.eye(2)[model.labels_]
    expected = model.params_.means(*nodes, hard).reshape(9, 9)
    if not corrected:
        np.fill_diagonal(expected, 0.0)
    spread = np.std(draws, axis=0) / 20
    assert (np.abs(np.mean(draws, axis=0) - expected) <= 4.5 * spread + 1e-9).all()
    if not directed:
        np.testing.assert_array_equal(draws[0], draws[0].T)


@pytest.mark.parametrize(
    "settings",
    [{}, {"edges": "gaussian"}, {"degree_corrected": True}, {"n_blocks": "auto"}],
    ids=str,
)
def test_files(tmp_path, settings):
    model = fitted(settings.pop("n_blocks", 2), **settings)
    kept = mixtura.load(model.save(tmp_path / "karate.model.json"))
    for name in ("labels_", "memberships_", "block_matrix_", "block_weights_", "nodes_"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(model, name))
    assert kept.summary() == model.summary()
    assert kept.get_params() == model.get_params()
    assert kept.score([0], [1], [1.0]) == model.score([0], [1], [1.0])


def test_a_damaged_file_is_told(tmp_path):
    path = fitted(2).save(tmp_path / "karate.model.json")
    path.write_text(path.read_text().replace('"weights": {', '"weight": {', 1))
    with pytest.raises(mixtura.StoreError, match=r"karate\.model\.json: the model file is damaged"):
        mixtura.load(path)


def test_the_same_seed_the_same_answer():
    one, other = (fitted(3) for _ in range(2))
    np.testing.assert_array_equal(one.memberships_, other.memberships_)
    assert (
        one.fit_result_ == other.fit_result_ or one.fit_result_.starts == other.fit_result_.starts
    )
    assert clone(one).get_params() == one.get_params()


def test_the_report():
    text = mixtura.BlockModel(2, random_state=0).fit(KARATE).summary()
    assert text.startswith("2 blocks in 34 nodes with 78 edges (bernoulli, undirected)")
    for words in ("1, 2, 3, 33, 34", "ICL", "-205.094", "starts", "Chance of an edge"):
        assert words in text
    parts = np.kron(np.eye(2), np.ones((3, 3))) - np.eye(6)
    parts = np.pad(parts, (0, 1))
    assert "falls into 2 parts" in fitted(2, parts).summary()
    assert "1 node has no edge" in fitted(2, parts).fit_result_.remark


@pytest.mark.parametrize(
    ("network", "settings", "words"),
    [
        (-karate(), {}, "a negative edge"),
        (-karate(), {"degree_corrected": True}, 'edges="gaussian", degree_corrected=False'),
        (2 * karate(), {}, "Bernoulli edges are there or not"),
        (karate() + np.eye(34), {}, "joined with itself"),
        (0.5 * karate(), {"edges": "poisson"}, "whole numbers"),
        (np.zeros((4, 4)), {}, "there is no edge in it"),
        (np.full((4, 4), np.nan), {}, "every pair is missing"),
        (
            np.where(np.eye(34)[::-1] > 0, np.nan, karate()),
            {"degree_corrected": True, "n_blocks": "auto"},
            "a description tells whole networks",
        ),
        (karate(), {"n_blocks": 35}, "the network has 34 nodes"),
        (karate(), {"edges": "gaussian", "degree_corrected": True}, "the degree-corrected model"),
        (karate(), {"degree_corrected": "auto"}, 'give n_blocks="auto"'),
        (np.triu(karate()), {"directed": False}, "the matrix is not symmetric"),
    ],
)
def test_what_is_refused(network, settings, words):
    with pytest.raises(ValueError, match=words) as told:
        mixtura.BlockModel(**settings).fit(network)
    assert "\n" not in str(told.value)


def test_what_is_refused_of_new_nodes_and_pairs():
    model = fitted(2)
    for ask, words in (
        (lambda: model.predict(np.ones((2, 3))), "fitted to 34 nodes"),
        (lambda: model.predict(np.full((1, 34), 2.0)), "0 or 1"),
        (lambda: model.predict(karate(), karate()), "the model is undirected"),
        (lambda: model.score([0], [40], [1.0]), "40 is no node"),
        (lambda: model.score([0], [1], [2.0]), "0 or 1"),
    ):
        with pytest.raises(ValueError, match=words):
            ask()
    assert issubclass(NetworkError, ValueError)

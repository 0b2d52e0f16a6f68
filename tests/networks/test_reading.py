"""One network in every dress, and what is said of those that do not fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from known_networks import KARATE, karate
from scipy.sparse import coo_array

from mixtura.data.networks.network import NetworkError
from mixtura.data.networks.reading import as_network


def edge_list() -> pd.DataFrame:
    return pd.read_csv(KARATE)


def networkx_graph():
    nx = pytest.importorskip("networkx")
    graph = nx.Graph()
    graph.add_nodes_from(range(1, 35))
    graph.add_edges_from(edge_list().to_numpy().tolist(), strength=2.0)
    return graph


def igraph_graph():
    igraph = pytest.importorskip("igraph")
    return igraph.Graph(
        34, (edge_list().to_numpy() - 1).tolist(), edge_attrs={"strength": [2.0] * 78}
    )


DRESSES = {
    "array": karate,
    "sparse": lambda: coo_array(karate()),
    "integers": lambda: karate().astype(int),
    "pandas": edge_list,
    "pandas both ways": lambda: edge_list().sample(frac=1.0, random_state=0),
    "polars": lambda: pl.from_pandas(edge_list()),
    "polars, lazy": lambda: pl.from_pandas(edge_list()).lazy(),
    "arrow": lambda: pl.from_pandas(edge_list()).to_arrow(),
    "file": lambda: KARATE,
    "networkx": networkx_graph,
    "igraph": igraph_graph,
}


@pytest.mark.parametrize("dress", DRESSES)
def test_every_dress(dress):
    network = as_network(DRESSES[dress]())
    np.testing.assert_array_equal(network.edges.toarray(), karate())
    assert (network.n, network.n_edges, network.n_pairs) == (34, 78, 561)
    assert not network.directed
    assert network.fully_observed


@pytest.mark.parametrize("name", ["club.edges", "club.edgelist"])
def test_edge_lists_by_the_names_of_others(tmp_path, name):
    nx = pytest.importorskip("networkx")
    nx.write_edgelist(networkx_graph(), tmp_path / name, data=["strength"])
    network = as_network(tmp_path / name)
    np.testing.assert_array_equal(network.edges.toarray(), karate())


def test_a_parquet_file_with_weights(tmp_path):
    path = tmp_path / "edges.parquet"
    edge_list().assign(source="n" + edge_list()["source"].astype(str), w=2.5).rename(
        columns={"target": "target"}
    ).assign(target="n" + edge_list()["target"].astype(str)).to_parquet(path)
    network = as_network(path, weight="w")
    assert network.edges.sum() == 2.5 * 156
    assert network.names[0] == "n1"


EDGES = "ann bob 2\nbob cid 1\ncid dot 4\ndot ann 1\n"


@pytest.mark.parametrize("sep", [" ", ",", "\t"])
@pytest.mark.parametrize("head", ["", "source target w\n", "who whom w\n"])
def test_names_in_the_first_line_of_a_file_are_an_edge_where_they_are_nodes(tmp_path, head, sep):
    """As `networkx.write_edgelist` and `write_weighted_edgelist` write them: without a header."""
    path = tmp_path / "edges.txt"
    path.write_text((head + EDGES).replace(" ", sep))
    network = as_network(path, weight="w" if head else "x3")
    assert network.names.tolist() == ["ann", "bob", "cid", "dot"]
    expected = np.zeros((4, 4))
    expected[[0, 1, 2, 0], [1, 2, 3, 3]] = [2, 1, 4, 1]
    np.testing.assert_array_equal(network.edges.toarray(), expected + expected.T)
    path.write_text("".join(line[:7] + "\n" for line in EDGES.splitlines()).replace(" ", sep))
    assert as_network(path).n_edges == 4


def test_a_first_line_that_cannot_be_an_edge_is_a_header(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text("a,b,weight\na,c,2.5\nb,c,1\n")
    assert as_network(path).n_edges == 2
    # A number is none.
    path.write_text("a b 2.5\nb c 1\nc a 1\n")
    assert as_network(path, weight="x3").edges.sum() == 2 * 4.5
    path.write_text("a,b\na,c\nb,c\n")
    assert as_network(path).n_edges == 3
    assert as_network(path, ends=("a", "b")).n_edges == 2


@pytest.mark.parametrize("sep", [" ", ",", "\t"])
def test_a_loop_in_the_first_line_is_an_edge(tmp_path, sep):
    """No header calls both columns alike."""
    path = tmp_path / "edges.txt"
    path.write_text("ann ann 2\nbob cid 1\ncid dot 2.5\n".replace(" ", sep))
    network = as_network(path, weight="x3")
    assert network.names.tolist() == ["ann", "bob", "cid", "dot"]
    assert network.loops.tolist() == [2, 0, 0, 0]
    assert np.triu(network.edges.toarray()).sum() == 3.5
    both = as_network(path, bipartite=True)
    assert both.sides == (3, 3)


@pytest.mark.parametrize("delimiter", [" ", ",", "\t"])
def test_lines_that_say_more_of_an_edge(tmp_path, delimiter):
    """As `networkx.write_edgelist` writes them, unless it is told not to: {'weight': 2}."""
    nx = pytest.importorskip("networkx")
    graph = networkx_graph()
    for number, (_, _, data) in enumerate(graph.edges(data=True)):
        data.update({"w": number / 2, "kind": "a, b {c}"} if number else {"w": 7})
    path = tmp_path / "club.edgelist"
    nx.write_edgelist(graph, path, delimiter=delimiter)
    np.testing.assert_array_equal(as_network(path).edges.toarray(), karate())
    read, kept = as_network(path, weight="w"), as_network(graph, weight="w")
    np.testing.assert_array_equal(read.names, kept.names)
    np.testing.assert_array_equal(read.edges.toarray(), kept.edges.toarray())
    for weight, words in (
        ("size", "'size': 78 of 78 edges have no such attribute; there is kind, strength, w"),
        ("kind", "'kind': 1 of 78 edges have no such attribute"),
    ):
        with pytest.raises(NetworkError, match=words):
            as_network(path, weight=weight)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("3 4", "line 3 is '3 4', and lines above it are two nodes and a dictionary"),
        ("3 4 5 {'w': 2}", 'line 3 is "3 4 5'),
        ("3 4 {'w': float64(2)}", "more than plain numbers and text: write the edges with"),
        ("3 4 {'w': 'much'}", "weight='w' is no number on every edge"),
        ("3 4 {[1]: 2}", "more than plain numbers and text"),
        (f"3 4 {{'w': 1{'0' * 400}}}", "weight='w' is no number on every edge"),
    ],
)
def test_what_is_refused_of_such_lines(tmp_path, line, words):
    path = tmp_path / "edges.txt"
    path.write_text("# of NetworkX\n1 2 {'w': 1}\n" + line + "\n")
    with pytest.raises(NetworkError, match=words.replace("(", "\\(")) as told:
        as_network(path, weight="w")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("graph", [networkx_graph, igraph_graph])
def test_graphs_with_weights(graph):
    assert as_network(graph(), weight="strength").edges.sum() == 2 * 156
    with pytest.raises(NetworkError, match="78 of 78 edges have no such attribute"):
        as_network(graph(), weight="strong")


def test_directions_loops_and_gaps():
    A = np.array([[2.0, 1, 0], [0, 0, np.nan], [3, 0, 0]])
    network = as_network(A)
    assert network.directed
    assert network.n_pairs == 8
    assert network.loops.tolist() == [2, 0, 0]
    assert network.listed.toarray().tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert as_network(np.triu(A) + np.triu(A, 1).T).n_pairs == 5
    frame = pd.DataFrame({"from": [1, 2, 2], "to": [2, 1, 2], "x": [1.0, 1.0, 5.0]})
    twice = as_network(frame, weight="x")
    assert twice.edges.toarray().tolist() == [[0, 2], [2, 0]]
    assert twice.loops.tolist() == [0, 5]
    assert as_network(frame, directed=True).edges.toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("given", "beside", "words"),
    [
        (np.ones((2, 3)), {}, "no adjacency matrix"),
        (np.ones(3), {}, "no adjacency matrix"),
        (np.array([["a", "b"], ["c", "d"]]), {}, "its entries are numbers"),
        (np.ones((1, 1)), {}, "a network of 1 node"),
        (np.array([[0, np.inf], [np.inf, 0]]), {}, "an infinite value between nodes 0 and 1"),
        (
            pd.DataFrame({"source": ["b", "a"], "target": ["c", "b"], "x": [np.inf, 1]}),
            {"weight": "x"},
            "an infinite value between nodes 'b' and 'c': leave",
        ),
        (karate(), {"weight": "w"}, "says how a network is read"),
        (karate(), {"observed": np.ones((3, 3))}, "a mask of shape"),
        (karate(), {"observed": np.triu(np.ones((34, 34)))}, "is symmetric"),
        (edge_list(), {"weight": "w"}, "no column 'w'; the edge list has source, target"),
        (edge_list(), {"ends": ("a", "b")}, "two columns of source, target"),
        (edge_list()[["source"]], {}, "has two columns of nodes"),
        (
            pd.DataFrame(np.ones((3, 4)), columns=list("abcd")),
            {},
            "which of the columns a, b, c, d",
        ),
        (pd.DataFrame({"source": [1, None], "target": [2, 3]}), {}, "names no node in 1 row"),
        (pd.DataFrame({"a": [1], "b": [2], "w": ["x"]}), {"weight": "w"}, "holds no numbers"),
        ({"a": 1}, {}, "a dict is no network"),
    ],
)
def test_what_is_refused(given, beside, words):
    with pytest.raises(NetworkError, match=words) as told:
        as_network(given, **beside)
    assert "\n" not in str(told.value)


def test_a_graph_that_is_directed_is_not_asked_otherwise():
    nx = pytest.importorskip("networkx")
    with pytest.raises(NetworkError, match="the graph says that it is directed"):
        as_network(nx.DiGraph([(0, 1)]), directed=False)


def test_an_attribute_may_be_called_as_nodes_are(tmp_path):
    path = tmp_path / "edges.txt"
    path.write_text("ann bob {'x1': 5}  # hi\nbob cid {'x1': 2}\n")
    network = as_network(path, weight="x1")
    assert network.names.tolist() == ["ann", "bob", "cid"]
    assert np.triu(network.edges.toarray()).sum() == 7


@pytest.mark.parametrize(
    ("text", "weight"), [("name,name,2\n1,2,3\n2,3,4\n", None), ("a,a,w\n1,2,3\n", "w")]
)
def test_two_columns_of_one_name_above_numbers_are_refused(tmp_path, text, weight):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    with pytest.raises(NetworkError, match="two columns are called"):
        as_network(path, weight=weight)

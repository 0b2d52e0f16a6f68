"""Networks at the door: names of nodes, masks, units of Gaussian edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixtura
from mixtura.data.networks.network import NetworkError

PLAIN = np.kron(np.eye(2), np.ones((4, 4))) - np.eye(8)


def _measured() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = np.repeat([0, 1], 15)
    G = np.triu(rng.normal(np.array([[2.0, 0.0], [0.0, 1.0]])[np.ix_(z, z)], 0.5), 1)
    return G + G.T, z


def _gaussian(G: np.ndarray, **beside: object) -> mixtura.BlockModel:
    return mixtura.BlockModel(2, edges="gaussian", random_state=0).fit(G, **beside)


def _nodes(folder: Path, rows: str) -> list[object]:
    path = folder / "edges.csv"
    path.write_text("source,target\n" + rows)
    return mixtura.BlockModel(1).fit(path).nodes_.tolist()


def test_names_are_those_that_are_written(tmp_path: Path) -> None:
    assert _nodes(tmp_path, "01,1\n001,1e3\n007,1000\n") == ["001", "007", "01", "1", "1000", "1e3"]
    assert _nodes(tmp_path, "1,2\n2,10\n") == [1, 2, 10]
    assert _nodes(tmp_path, "True,False\nFalse,maybe\n") == ["False", "True", "maybe"]
    assert _nodes(tmp_path, "NA,US\nUS,DE\n") == ["DE", "NA", "US"]


@pytest.mark.parametrize("rows", ["A,B\nB,C\nC,\n", "1,2\n2,\n", "1,2\n2,NA\n"])
def test_ends_without_a_name_are_refused(tmp_path: Path, rows: str) -> None:
    with pytest.raises(NetworkError, match="column 'target' names no node in 1 rows"):
        _nodes(tmp_path, rows)


@pytest.mark.parametrize(("shift", "unit"), [(1e8, 1.0), (0.0, 1e140), (0.0, 1e-140), (-1e6, 3.0)])
def test_gaussian_edges_in_any_units(shift: float, unit: float) -> None:
    G, z = _measured()
    apart = 1.0 - np.eye(len(z))
    plain, other = _gaussian(G), _gaussian(shift * apart + unit * G)
    np.testing.assert_array_equal(other.labels_, z)
    back = (other.block_matrix_ - shift) / unit
    np.testing.assert_allclose(back, plain.block_matrix_, atol=1e-6)
    pairs = len(z) * (len(z) - 1) // 2
    moved = plain.fit_result_.loglik - pairs * np.log(unit)
    assert other.fit_result_.loglik == pytest.approx(moved, abs=1e-4, rel=1e-9)


def test_far_gaussian_edges_with_missing_pairs() -> None:
    G, _ = _measured()
    seen = np.random.default_rng(1).random(G.shape) < 0.4
    seen |= seen.T
    plain, far = (_gaussian(X, observed=seen) for X in (G, G + 1e8 * (1.0 - np.eye(30))))
    assert far.fit_result_.loglik == pytest.approx(plain.fit_result_.loglik, abs=1e-4)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (3.0 * (np.ones((6, 6)) - np.eye(6)), "every pair has the same x, 3"),
        (1e200 * PLAIN, "in other units"),
        (pd.DataFrame(PLAIN), "to_numpy"),
        (PLAIN[:4], r"give bipartite=True if its rows and columns are two kinds of nodes, or edge"),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), "two columns are called 'a': give"),
    ],
)
def test_what_cannot_be_fitted_is_told(network: object, words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        _gaussian(network)


def test_loops_are_drawn_and_asked_of_where_they_were_fitted(tmp_path: Path) -> None:
    model = mixtura.BlockModel(1, edges="poisson", random_state=0).fit(PLAIN + 3 * np.eye(8))
    model.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.sample(0)[0].diagonal().sum() > 0
    assert again.expected([0], [0]) > 0
    plain = mixtura.BlockModel(2).fit(PLAIN)
    with pytest.raises(ValueError, match="pair node 0 with itself"):
        plain.expected([0], [0])
    with pytest.raises(ValueError, match="source=1 is no list"):
        plain.expected(1, 2)
    with pytest.raises(ValueError, match="source is empty"):
        plain.score([], [], [])
    with pytest.raises(ValueError, match="pairs holds"):
        plain.predict_proba(["a"] * 8)
    for number in (0, -1, 2.5, "3", None):
        with pytest.raises(ValueError, match=f"n_blocks={number!r}: give a number from 1 on"):
            mixtura.BlockModel(number).fit(PLAIN)
    with pytest.raises(ValueError, match="n_blocks=True"):
        mixtura.BlockModel(True).fit(PLAIN)


def test_missing_pairs_are_said_in_zeros_and_ones_and_both_ways() -> None:
    with pytest.raises(NetworkError, match="observed: a mask holds"):
        mixtura.BlockModel(2).fit(PLAIN, observed=np.full((8, 8), 0.5))
    half = PLAIN.copy()
    half[0, 1] = np.nan
    with pytest.raises(NetworkError, match="one way only"):
        mixtura.BlockModel(2).fit(half)
    diagonal = PLAIN.copy()
    np.fill_diagonal(diagonal, np.nan)
    assert mixtura.BlockModel(2, degree_corrected=True).fit(diagonal).description_length_ > 0


def test_what_rounding_leaves_on_a_diagonal_is_no_loop() -> None:
    near = np.corrcoef(np.random.default_rng(0).normal(size=(12, 30)))
    np.fill_diagonal(near, 0.0)
    plain = mixtura.BlockModel(2, edges="gaussian", random_state=0).fit(near)
    near[np.diag_indices(12)] = np.where(np.arange(12) % 2, 2.2e-16, -1.1e-16)
    residues = mixtura.BlockModel(2, edges="gaussian", random_state=0).fit(near)
    assert residues.icl_ == plain.icl_


def test_a_diagonal_of_ones_in_correlations_is_remarked_on() -> None:
    near = np.corrcoef(np.random.default_rng(0).normal(size=(8, 30)))
    with pytest.warns(UserWarning, match="the diagonal is 1 everywhere .* set it to 0"):
        mixtura.BlockModel(1, edges="gaussian", random_state=0).fit(near)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            pd.DataFrame([[1, 0]], columns=["0", "0"]),
            "pairs: two columns are called '0': give each",
        ),
        (pd.DataFrame([["a", 0]], columns=["0", "1"]), "column '0' holds text values that are no"),
        (pd.DataFrame(index=[0]), "pairs: the frame has no columns: give some that are called"),
    ],
)
def test_frames_of_new_nodes_that_are_none(frame: pd.DataFrame, words: str) -> None:
    model = mixtura.BlockModel(2, n_init=4, random_state=0).fit(PLAIN)
    with pytest.raises(ValueError, match=words):
        model.predict(frame)


def test_numbers_of_blocks_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"n_blocks=\(2, 3\): .*two are for bipartite=True"):
        mixtura.BlockModel((2, 3)).fit(PLAIN)
    with pytest.raises(ValueError, match=r"n_blocks=3 is more than max_blocks=2, .* leave max_bl"):
        mixtura.BlockModel(3, max_blocks=2).fit(PLAIN)
    asked = {"bipartite": True, "n_init": 4, "random_state": 0}
    pair, array = (
        mixtura.BlockModel(blocks, **asked).fit(PLAIN[:4]) for blocks in ((2, 3), np.array([2, 3]))
    )
    assert array.block_matrix_.shape == (2, 3)
    np.testing.assert_array_equal(array.memberships_, pair.memberships_)


def test_numbers_that_look_measured_are_told_in_their_order() -> None:
    frame = pd.DataFrame({"x": ["1", "4.5", "2.5", "3.5", "1.5"], "y": ["1", "2", "inf", "3", "4"]})
    with pytest.raises(NetworkError, match=r"column 'x' holds numbers such as 4\.5, which look"):
        mixtura.BlockModel(2).fit(frame)
    named = mixtura.BlockModel(2, random_state=0).fit(
        frame[["y"]].assign(z=["3", "4", "1", "2", "3"])
    )
    assert "inf" in named.nodes_

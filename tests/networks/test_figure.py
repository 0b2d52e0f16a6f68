"""The figure of a block model: sorted by block, and only of the network that was fitted."""

from __future__ import annotations

import numpy as np
import pytest
from known_networks import karate

import mixtura
from mixtura.report.layout import spread


def test_its_panels():
    model = mixtura.BlockModel(2, random_state=0).fit(karate())
    figure = model.figure(karate())
    sorted_, matrix, drawing = figure.axes
    order = np.argsort(model.labels_, kind="stable")
    image = sorted_.images[0].get_array().filled(0.0)
    np.testing.assert_array_equal(image, karate()[np.ix_(order, order)])
    assert [text.get_text() for text in matrix.texts] == ["0.047", "0.37", "0.37", "0.5"]
    assert len(drawing.collections[0].get_segments()) == 78
    assert figure.get_suptitle().startswith("2 blocks in 34 nodes")


def test_large_networks_are_drawn_in_bins():
    rng = np.random.default_rng(0)
    A = np.kron(np.eye(2), np.ones((400, 400))) * (rng.random((800, 800)) < 0.05)
    A = np.triu(A, 1) + np.triu(A, 1).T
    model = mixtura.BlockModel(2, random_state=0, n_init=3).fit(A)
    sorted_, matrix = model.figure(A).axes
    image = sorted_.images[0].get_array()
    assert image.shape == (250, 250)
    assert image[:120, 130:].max() == 0 < image[:120, :120].mean()
    assert len(matrix.patches) == 4


def test_another_network_is_refused():
    model = mixtura.BlockModel(2, random_state=0).fit(karate())
    with pytest.raises(ValueError, match="not those that the model was fitted to"):
        model.figure(np.ones((3, 3)) - np.eye(3))


def test_places_of_joined_nodes_are_close():
    A = np.kron(np.eye(2), np.ones((6, 6))) - np.eye(12)
    A[5, 6] = A[6, 5] = 1
    from scipy.sparse import csr_array

    places = spread(csr_array(A), np.zeros(12))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert apart[:6, :6].mean() < 0.5 * apart[:6, 6:].mean()
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-12)

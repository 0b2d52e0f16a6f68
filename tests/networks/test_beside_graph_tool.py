"""Descriptions beside graph-tool's, where the system has it."""

from __future__ import annotations

import numpy as np
import pytest

import mixtura
from benchmarks.described import MOST, asked, network, system_python
from mixtura.data.networks.reading import as_network
from mixtura.models.partition import description_length

PYTHON = system_python()
pytestmark = pytest.mark.skipif(PYTHON is None, reason="python3-graph-tool is not installed")


@pytest.mark.parametrize(
    ("name", "directed"), [("karate", False), ("celegansneural", False), ("polblogs", True)]
)
def test_a_partition_is_scored_alike(name, directed):
    """Of simple edges, of parallel ones, of loops and directions."""
    told = asked(PYTHON, name)
    some = np.random.default_rng(0).integers(3, size=told["n"])
    score = asked(PYTHON, name, directed=directed, labels=some.tolist())["score"]
    net = as_network(network(told, directed), directed=directed)
    assert description_length(net, some, 3, False) == pytest.approx(score, rel=1e-9)


def test_ours_is_as_short_as_its_own():
    told = asked(PYTHON, "dolphins", corrected=True, searches=1)
    A = network(told)
    model = mixtura.BlockModel("auto", degree_corrected=True, n_init=6, random_state=0).fit(A)
    labels = model.labels_.tolist()
    score = asked(PYTHON, "dolphins", corrected=True, labels=labels)["score"]
    assert score < told["own"] * (1 + MOST)
    # Numbers of partitions are rounded there.
    assert model.description_length_ == pytest.approx(score, abs=5)

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


@pytest.mark.parametrize("corrected", [False, True])
def test_partitions_are_as_short_by_its_own_score(corrected):
    for name in ("karate", "dolphins"):
        told = asked(PYTHON, name=name, corrected=corrected, search=True)
        A = network(told)
        settings = {"edges": "poisson", "degree_corrected": True} if corrected else {}
        model = mixtura.BlockModel("auto", random_state=0, n_init=12, **settings).fit(A)
        score = asked(PYTHON, name=name, corrected=corrected, labels=model.labels_.tolist())
        ours = description_length(as_network(A), model.labels_, model.labels_.max() + 1, corrected)
        assert ours == pytest.approx(score["score"], abs=5 if corrected else 1e-6)
        if corrected:
            assert score["score"] < told["own"] * (1 + MOST)
    some = np.random.default_rng(0).integers(3, size=A.shape[0])
    score = asked(PYTHON, name=name, corrected=corrected, labels=some.tolist())["score"]
    ours = description_length(as_network(A), some, 3, corrected)
    assert ours == pytest.approx(score, abs=5 if corrected else 1e-6)

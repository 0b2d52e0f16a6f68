"""Against R's mclust on a line: densities, distribution functions and quantiles to 1e-6."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture

DATA = Path(__file__).parent / "data"
REFERENCE = json.loads((DATA / "mclust_density_1d.json").read_text())
every_table = pytest.mark.parametrize("name", sorted(REFERENCE))


def given(name: str) -> GaussianMixture:
    """mclust's own mixture."""
    reference = REFERENCE[name]
    return GaussianMixture.from_parameters(
        reference["pro"],
        np.reshape(reference["mean"], (-1, 1)),
        np.reshape(reference["sigmasq"], (-1, 1, 1)),
    )


@every_table
def test_density(name: str) -> None:
    grid = np.array(REFERENCE[name]["grid"])
    density = np.exp(given(name).score_samples(grid[:, None]))
    np.testing.assert_allclose(density, REFERENCE[name]["density"], atol=1e-12)


@every_table
def test_cdf(name: str) -> None:
    reference = REFERENCE[name]
    np.testing.assert_allclose(given(name).cdf(reference["grid"]), reference["cdf"], atol=1e-12)


@every_table
def test_quantiles(name: str) -> None:
    levels = REFERENCE[name]["quantiles"]
    # mclust's own are that far from the levels they are for.
    np.testing.assert_allclose(given(name).quantile(levels["p"]), levels["q"], atol=1e-8)

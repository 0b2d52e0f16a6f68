"""The categorical family: many levels, levels never seen, and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura.families.categorical import Categorical, CategoricalParams

SHARES = np.array([[0.2, 0.8, 0.5, 0.1, 0.4], [0.7, 0.3, 0.1, 0.6, 0.3]])


def test_densities_and_hits_are_those_of_a_loop_over_cells() -> None:
    rng = np.random.default_rng(0)
    levels = (1, 7, 2, 30)
    family = Categorical(levels)
    shares = np.hstack([rng.dirichlet(np.ones(size), 3) for size in levels])
    X = np.stack([rng.integers(size, size=50) for size in levels], axis=1).astype(float)
    X[rng.uniform(size=X.shape) < 0.2] = np.nan
    X[0] = np.nan
    resp = rng.uniform(size=(50, 3))
    starts = np.cumsum((0, *levels))
    density, hits = np.zeros((50, 3)), np.zeros((3, sum(levels)))
    for i, j in np.argwhere(~np.isnan(X)):
        level = starts[j] + int(X[i, j])
        density[i] += np.log(shares[:, level])
        hits[:, level] += resp[i]
    params = CategoricalParams(shares)
    np.testing.assert_allclose(family.log_density(X, params), density, rtol=1e-12)
    found = family.statistics(X, resp, params)
    np.testing.assert_allclose(found.hits, hits, rtol=1e-12)
    np.testing.assert_allclose(found.counts, resp.sum(axis=0))


def test_a_level_that_the_table_never_had_tells_nothing_of_the_component() -> None:
    family, params = Categorical((2, 3)), CategoricalParams(SHARES)
    found = family.log_density(np.array([[1.0, 3.0], [1.0, np.nan]]), params)
    assert np.all(found[0] < -700)
    assert found[0, 0] - found[0, 1] == pytest.approx(found[1, 0] - found[1, 1], abs=1e-9)
    new = family.statistics(np.array([[1.0, 3.0]]), np.ones((1, 2)), params)
    np.testing.assert_array_equal(new.hits[:, 2:], 0.0)


def test_what_is_no_code_is_refused() -> None:
    for value in (-1.0, 0.5, 3.0):
        with pytest.raises(ValueError, match="column 'b' holds"):
            Categorical((2, 3)).refuse(np.array([[1.0, value]]), ["a", "b"])


def test_a_column_of_one_level_has_no_free_number() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(3, size=(100, 3)), np.zeros(100)])
    assert fitted("categorical", X, 2).fit.n_parameters == 1 + 2 * 6

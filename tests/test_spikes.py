"""Ends on spikes of the likelihood: rounded columns, planes of rows, as many columns as rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from mixtura import DegenerateWarning, GaussianMixture, GaussianMixtureSearch


def by_parity() -> np.ndarray:
    """Two groups of 12 rows along a line; every second row lies one higher."""
    a = np.r_[10:22, 110:122]
    return np.c_[a, a + np.arange(24) % 2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_init", [1, 3])
def test_a_collapsed_end_does_not_beat_a_regular_one(seed: int, n_init: int) -> None:
    """-97.590 is what mclust's VVV and scikit-learn find; the parity of the rows gives -90.33."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gm = GaussianMixture(2, random_state=seed, n_init=n_init).fit(by_parity())
    assert gm.fit_result_.loglik == pytest.approx(-97.590, abs=1e-3)
    assert adjusted_rand_score(np.arange(24) // 12, gm.predict(by_parity())) == 1.0


def test_shares_in_whole_numbers_keep_their_groups() -> None:
    """Three columns add up to 100 but for rounding: the planes of 99, 100 and 101 are no groups."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        groups = rng.integers(2, size=60)
        shares = np.array([[20, 30, 50], [50, 20, 30]])[groups] + 6 * rng.normal(size=(60, 3))
        X = np.round(100 * shares / shares.sum(axis=1, keepdims=True))
        gm = GaussianMixture(2, random_state=seed).fit(X)
        assert not gm.fit_result_.floored
        assert adjusted_rand_score(groups, gm.predict(X)) > 0.8


def test_the_search_takes_no_spike_on_the_rounding_grid(iris: np.ndarray) -> None:
    """VEV 7 has two groups of 12 rows whose petals are all 0.2 wide, and a BIC of 333.7."""
    X = iris[:, 2:]
    found = GaussianMixtureSearch(n_components=range(1, 9)).fit(X)
    assert found.best_params_["covariance_type"] == "VVE"
    assert found.best_params_["n_components"] == 3
    assert found.best_score_ == pytest.approx(-347.05, abs=0.2)


@pytest.mark.parametrize("effort", ["quick", "thorough"])
def test_a_cell_of_rows_on_a_line_is_not_chosen(iris: np.ndarray, effort: str) -> None:
    found = GaussianMixtureSearch(
        n_components=[3, 7], covariance_type="VEV", effort=effort, prune=False, random_state=0
    ).fit(iris[:, 2:])
    assert found.best_params_["n_components"] == 3


def test_a_group_on_a_line_under_a_shared_shape_is_complained_of() -> None:
    rng = np.random.default_rng(0)
    line = np.c_[rng.normal(size=40), np.zeros(40)]
    cloud = rng.normal(size=(60, 2)) + np.array([0.0, 40.0])
    gm = GaussianMixture(2, covariance_type="VEV", random_state=0)
    with pytest.warns(DegenerateWarning, match="has about 40 rows"):
        gm.fit(np.vstack([line, cloud]))


@pytest.mark.parametrize("d", [99, 98, 97, 90])
def test_tied_with_about_as_many_columns_as_rows_finds_groups_far_apart(d: int) -> None:
    rng = np.random.default_rng(d)
    groups = np.arange(100) % 3
    X = rng.normal(size=(100, d)) + 10 * rng.normal(size=(3, d))[groups]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gm = GaussianMixture(3, covariance_type="tied", random_state=0).fit(X)
    assert adjusted_rand_score(groups, gm.predict(X)) == 1.0
    # Rows about three means span 97 directions: only beyond that is there a singularity.
    assert bool(gm.fit_result_.floored) == (d > 97)

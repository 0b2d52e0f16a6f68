"""Highest-density regions: exact on a line, by drawing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from gaussians_made import made, moved
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from mixtura.inference.gaussians import Gaussians
from mixtura.inference.line import cdf
from mixtura.inference.regions import intervals, level

NO_DRAWS = 2, np.random.RandomState(0)


@pytest.mark.parametrize("coverage", [1e-6, 0.5, 0.95, 1 - 1e-9])
def test_one_normal_has_its_central_interval(coverage: float) -> None:
    one = Gaussians(np.ones(1), np.array([[2.0]]), np.array([[[3.0]]]))
    found = level(one, coverage, *NO_DRAWS)
    assert found.standard_error == 0
    expected = norm(2, 3).interval(coverage)
    np.testing.assert_allclose(intervals(one, found.value), [expected], rtol=1e-6)


def test_one_component_by_chi_squared() -> None:
    one = made(2, 1, 3)
    found = level(one, 0.8, *NO_DRAWS)
    X = one.sample(40_000, np.random.RandomState(0))
    assert found.value == pytest.approx(
        one.log_density(one.means)[0] - 0.5 * chi2(3).ppf(0.8), rel=1e-14
    )
    share = (one.log_density(X) >= found.value).mean()
    assert share == pytest.approx(0.8, abs=5 * np.sqrt(0.16 / 40_000))


@given(
    seed=st.integers(0, 10_000),
    K=st.integers(2, 5),
    coverage=st.floats(0.001, 0.999),
)
@settings(max_examples=12, deadline=None)
def test_intervals_hold_the_share_and_end_at_the_level(seed: int, K: int, coverage: float) -> None:
    mixture = made(seed, K, 1, spread=4.0)
    found = level(mixture, coverage, *NO_DRAWS)
    pieces = intervals(mixture, float(found.value))
    assert found.standard_error == 0
    assert (np.diff(pieces.ravel()) > 0).all()
    mass = (cdf(mixture, pieces[:, 1], False) - cdf(mixture, pieces[:, 0], False)).sum()
    assert mass == pytest.approx(coverage, abs=1e-10)
    ends = mixture.log_density(pieces.reshape(-1, 1))
    np.testing.assert_allclose(ends, found.value, atol=1e-8)
    assert (mixture.log_density(pieces.mean(axis=1)[:, None]) > found.value).all()


def test_two_groups_make_two_intervals_and_a_lower_level_joins_them() -> None:
    two = Gaussians(np.array([0.5, 0.5]), np.array([[0.0], [4.0]]), np.ones((2, 1, 1)))
    pieces = [len(intervals(two, float(level(two, c, *NO_DRAWS).value))) for c in (0.5, 0.9, 0.999)]
    assert pieces == [2, 2, 1]


def test_a_narrow_component_among_wide_ones_is_seen() -> None:
    three = Gaussians(
        np.array([0.5, 0.1, 0.4]),
        np.array([[0.0], [1.00001], [3.0]]),
        np.array([1.0, 1e-5, 1.0])[:, None, None],
    )
    found = intervals(three, float(level(three, 0.1, *NO_DRAWS).value))
    assert len(found) == 1
    assert found[0, 0] < 1.00001 < found[0, 1] < 1.0002


def test_drawn_levels_are_within_their_standard_error_of_the_exact_one() -> None:
    # Three columns that say nothing beside one on a line: its level is exact, theirs is drawn.
    line = made(4, 3, 1, spread=3.0)
    roots = np.zeros((3, 2, 2))
    roots[:, 0, 0], roots[:, 1, 1] = line.roots[:, 0, 0], 1e-3
    plane = Gaussians(line.weights, np.column_stack([line.means, np.zeros(3)]), roots)
    found = level(plane, 0.7, 100_000, np.random.RandomState(1))
    fresh = plane.log_density(plane.sample(400_000, np.random.RandomState(2)))
    share = (fresh >= found.value).mean()
    # In share of mass: draws of the level and of the check.
    error = np.sqrt(0.7 * 0.3 * (1 / 100_000 + 1 / 400_000))
    assert share == pytest.approx(0.7, abs=5 * error)
    assert 0 < found.standard_error < 0.02


def test_the_stated_error_is_the_scatter_over_seeds() -> None:
    mixture = made(9, 3, 2)
    found = [level(mixture, 0.9, 2_000, np.random.RandomState(seed)) for seed in range(60)]
    scatter = np.std([f.value for f in found], ddof=1)
    stated = np.mean([f.standard_error for f in found])
    # Stratified draws may do better than stated, by little here.
    assert 0.6 < scatter / stated < 1.5


@given(seed=st.integers(0, 10_000), power=st.integers(-8, 8))
@settings(max_examples=6, deadline=None)
def test_intervals_move_with_units_and_offset(seed: int, power: int) -> None:
    mixture, scale = made(seed, 3, 1), np.array([10.0**power])
    other = moved(mixture, scale, 20 * scale)
    here = intervals(mixture, float(level(mixture, 0.8, *NO_DRAWS).value))
    there = intervals(other, float(level(other, 0.8, *NO_DRAWS).value))
    np.testing.assert_allclose(there / scale - 20, here, atol=1e-7)


def test_a_narrow_group_at_a_large_offset() -> None:
    far = Gaussians(np.array([0.5, 0.5]), np.array([[1e8], [1e8 + 1]]), np.full((2, 1, 1), 1e-3))
    found = intervals(far, float(level(far, 0.95, *NO_DRAWS).value)) - 1e8
    expected = np.array([[-1.96, 1.96], [998.04, 1001.96]]) * 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5)

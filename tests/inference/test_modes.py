"""Peaks: found, told from saddles, merged, and more of them than components."""

from __future__ import annotations

import numpy as np
import pytest
from gaussians_made import made, moved
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mixtura.inference.gaussians import Gaussians
from mixtura.inference.modes import modes

seeds = st.integers(0, 10_000)


def round_ones(means: list[list[float]], sd: float = 1.0) -> Gaussians:
    """Equal weights, covariances sd^2 I."""
    K, d = np.shape(means)
    return Gaussians(np.full(K, 1 / K), np.array(means, float), np.stack([sd * np.eye(d)] * K))


def test_one_component_has_its_mean() -> None:
    found = modes(made(0, 1, 3))
    np.testing.assert_allclose(found.points, made(0, 1, 3).means, rtol=1e-14)
    np.testing.assert_array_equal(found.of_component, [0])


@pytest.mark.parametrize(("apart", "peaks"), [(1.9, 1), (2.1, 2)])
@pytest.mark.parametrize("d", [1, 2])
def test_two_equal_components_have_two_peaks_beyond_two_sds(
    apart: float, peaks: int, d: int
) -> None:
    means = np.zeros((2, d))
    means[1, 0] = apart
    found = modes(round_ones(means.tolist()))
    assert len(found.points) == peaks
    np.testing.assert_allclose(found.points.mean(axis=0), means.mean(axis=0), atol=1e-9)


def test_at_two_sds_the_flat_summit_is_found_once() -> None:
    found = modes(round_ones([[-1.0, 0.0], [1.0, 0.0]]))
    assert len(found.points) == 1
    np.testing.assert_allclose(found.points, 0.0, atol=0.2)


def test_two_long_components_crossed_have_a_peak_where_they_cross() -> None:
    # Ray & Lindsay (2005): two components, three peaks.
    roots = np.stack([np.diag([1.0, 0.05**0.5]), np.diag([0.05**0.5, 1.0])])
    found = modes(Gaussians(np.array([0.5, 0.5]), np.array([[0.0, 0.0], [1.0, 1.0]]), roots))
    assert len(found.points) == 3
    assert sorted(np.abs(found.points).sum(axis=1) > 0.9) == [False, True, True]


@pytest.mark.parametrize(("sd", "peaks"), [(0.700, 3), (0.710, 4), (0.76, 1)])
def test_three_components_have_a_fourth_peak_in_the_middle(sd: float, peaks: int) -> None:
    # Equal round components on a triangle of radius 1: the middle is a peak from sd = 1/sqrt(2),
    # a little before those at the corners are gone (Carreira-Perpinan & Williams 2003).
    angles = np.array([90, 210, 330]) * np.pi / 180
    corners = np.column_stack([np.cos(angles), np.sin(angles)])
    found = modes(round_ones(corners.tolist(), sd=sd))
    assert len(found.points) == peaks
    assert (np.abs(found.points).max(axis=1) < 1e-9).any() == (sd > 0.5**0.5)


@given(seed=seeds, K=st.integers(2, 6), d=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_every_peak_is_one_and_no_climb_ends_higher(seed: int, K: int, d: int) -> None:
    mixture = made(seed, K, d, spread=1.5)
    found = modes(mixture)
    assert (np.diff(found.log_density) <= 0).all()
    np.testing.assert_allclose(mixture.log_density(found.points), found.log_density, atol=1e-12)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 0.1):
        step = size * rng.normal(size=(200, d)) * 0.05
        for point, height in zip(found.points, found.log_density, strict=True):
            near = mixture.log_density(point + step * size)
            assert (near <= height + 1e-12).all()
    for start in mixture.sample(5, np.random.RandomState(seed)):
        end = minimize(lambda x: -mixture.log_density(x[None])[0], start, method="BFGS", tol=1e-9)
        distance = np.linalg.norm(found.points - end.x, axis=1).min()
        assert distance < 1e-3 or -end.fun < found.log_density[0]


@given(seed=seeds, powers=st.lists(st.sampled_from([-8, 0, 8]), min_size=2, max_size=2))
@settings(max_examples=10, deadline=None)
def test_units_and_offsets_do_not_matter(seed: int, powers: list[int]) -> None:
    mixture, scale = made(seed, 3, 2), 10.0 ** np.array(powers)
    here, there = modes(mixture), modes(moved(mixture, scale, 5 * scale))
    np.testing.assert_allclose((there.points - 5 * scale) / scale, here.points, atol=1e-6)
    np.testing.assert_array_equal(there.of_component, here.of_component)
    jacobian = np.log(scale).sum()
    np.testing.assert_allclose(there.log_density + jacobian, here.log_density, atol=1e-9)


def test_each_component_is_told_its_peak() -> None:
    near = round_ones([[0.0, 0.0], [10.0, 0.0], [0.5, 0.0]])
    found = modes(near)
    assert len(found.points) == 2
    assert found.of_component[0] == found.of_component[2] != found.of_component[1]


def test_a_mean_in_a_hollow_is_left() -> None:
    # The middle component is so wide that its mean is the lowest point between the others.
    mixture = Gaussians(
        np.array([0.4, 0.2, 0.4]),
        np.array([[-3.0], [0.0], [3.0]]),
        np.array([1.0, 3.0, 1.0])[:, None, None],
    )
    found = modes(mixture)
    assert len(found.points) == 2
    assert set(found.of_component) == {0, 1}

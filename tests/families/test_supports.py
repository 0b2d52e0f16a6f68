"""Supports pack and unpack, and their slopes are finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.coordinates import around
from mixtura.supports import Angle, Covariance, Positive, Real, Simplex, Sphere, UnitInterval

RNG = np.random.default_rng(0)
UNITS = RNG.normal(size=(3, 4))
VALUES = {
    "real": (Real(), RNG.normal(size=(3, 2)), 6),
    "positive": (Positive(), RNG.uniform(0.1, 9, size=(3, 2)), 6),
    "unit interval": (UnitInterval(), RNG.uniform(size=(3, 2)), 6),
    "simplex": (Simplex(), RNG.dirichlet(np.ones(4), size=3), 9),
    "simplices": (Simplex((2, 3)), np.hstack([[[0.3, 0.7]], RNG.dirichlet(np.ones(3), 1)]), 3),
    "angle": (Angle(), RNG.uniform(-3, 3, size=(3, 2)), 6),
    "sphere": (Sphere(), UNITS / np.linalg.norm(UNITS, axis=1, keepdims=True), 9),
    "covariance": (Covariance(), np.cov(RNG.normal(size=(3, 20)))[None], 6),
}
each = pytest.mark.parametrize(("support", "value", "size"), VALUES.values(), ids=VALUES)


@each
def test_pack_and_unpack(support, value, size) -> None:
    support.check(value, "it")
    free = support.pack(value)
    assert free.shape == (size,) == (support.size(value.shape),)
    np.testing.assert_allclose(support.unpack(free, value.shape), value, rtol=1e-10, atol=1e-12)


@each
def test_slopes_are_finite_differences_packed_and_around_another_value(
    support, value, size
) -> None:
    gradient = np.random.default_rng(1).normal(size=value.shape)
    if isinstance(support, Covariance):
        gradient = gradient + np.swapaxes(gradient, -1, -2)
    moved = around(support, support.unpack(support.pack(value) + 0.2, value.shape))
    ways = [
        (support.pack(value), lambda z: support.unpack(z, value.shape), support.slope),
        (moved.free(value), moved.value, moved.slope),
    ]
    for free, unpack, slope in ways:
        np.testing.assert_allclose(unpack(free), value, rtol=1e-8, atol=1e-10)
        found, step = slope(value, gradient), 1e-6
        for i, way in enumerate(np.eye(len(free))):
            change = (unpack(free + step * way) - unpack(free - step * way)) / (2 * step)
            assert found[i] == pytest.approx(np.sum(gradient * change), rel=1e-5, abs=1e-7)


def test_what_is_outside_is_refused_by_name() -> None:
    for support, value in (
        (Sphere(), np.array([[1.0, 1.0]])),
        (Angle(), np.array([np.nan])),
        (Positive(), np.array([0.0])),
        (UnitInterval(), np.array([1.5])),
    ):
        with pytest.raises(ValueError, match="'mine'"):
            support.check(value, "mine")


def test_an_angle_beyond_the_cut_is_near() -> None:
    near = around(Angle(), np.array([3.1]))
    assert near.free(np.array([-3.1]))[0] == pytest.approx(2 * np.pi - 6.2)


def test_a_share_on_its_way_to_0_is_on_the_edge_and_has_no_free_number() -> None:
    shares = np.array([0.5, 0.5 - 1e-14, 1e-14])
    assert Simplex().at_edge(shares).tolist() == [False, False, True]
    assert len(around(Simplex(), shares).numbers(np.ones(()))) == 1
    odds = np.array([1.0, 0.3, 1e-14])
    assert UnitInterval().at_edge(odds).tolist() == [True, False, True]
    assert len(around(UnitInterval(), odds).numbers(np.ones(()))) == 1

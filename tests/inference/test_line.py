"""Distribution functions and quantiles on a line, tails included."""

from __future__ import annotations

import numpy as np
import pytest
from gaussians_made import made, moved
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mixtura.inference.gaussians import Gaussians
from mixtura.inference.line import cdf, line, quantile

seeds = st.integers(0, 10_000)


def on_a_line(weights: list[float], means: list[float], sds: list[float]) -> Gaussians:
    return Gaussians(np.array(weights), np.array(means)[:, None], np.array(sds)[:, None, None])


def test_one_component_is_scipys() -> None:
    one = on_a_line([1.0], [3.0], [0.5])
    p = np.array([0.0, 5e-324, 1e-300, 1e-12, 0.2, 0.5, 0.7, 1 - 1e-12, 1.0])
    np.testing.assert_allclose(quantile(one, p, False), norm(3, 0.5).ppf(p), rtol=1e-13)
    np.testing.assert_allclose(quantile(one, p, True), norm(3, 0.5).isf(p), rtol=1e-13)
    x = np.array([-np.inf, -8.0, 2.9, 3.0, 8.0, np.inf])
    np.testing.assert_allclose(cdf(one, x, False), norm(3, 0.5).cdf(x), rtol=1e-13)
    np.testing.assert_allclose(cdf(one, x, True), norm(3, 0.5).sf(x), rtol=1e-13)


@given(seed=seeds, K=st.integers(1, 5), p=st.floats(1e-300, 1.0, exclude_max=True))
@settings(max_examples=80, deadline=None)
def test_the_quantile_is_where_the_cdf_has_the_level(seed: int, K: int, p: float) -> None:
    mixture = made(seed, K, 1, spread=4.0)
    for upper in (False, True):
        x = quantile(mixture, np.array(p), upper)
        # The nearest floats to x may have levels that differ by more than rounding.
        slope = np.exp(line(mixture).log_density(x)) * 4 * np.spacing(np.abs(x) + 10)
        assert cdf(mixture, x, upper) == pytest.approx(p, rel=1e-11, abs=float(slope))


@given(seed=seeds, K=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_the_quantile_undoes_the_cdf(seed: int, K: int) -> None:
    mixture = made(seed, K, 1)
    x = mixture.means[:, 0] + np.linspace(-1, 1, K)
    np.testing.assert_allclose(quantile(mixture, cdf(mixture, x, False), False), x, atol=1e-10)
    np.testing.assert_allclose(quantile(mixture, cdf(mixture, x, True), True), x, atol=1e-10)


@given(seed=seeds, power=st.integers(-9, 9), shift=st.floats(-100, 100))
@settings(max_examples=30, deadline=None)
def test_quantiles_move_with_units_and_offset(seed: int, power: int, shift: float) -> None:
    mixture, p, scale = made(seed, 3, 1), np.linspace(0.01, 0.99, 9), 10.0**power
    other = moved(mixture, np.array([scale]), np.array([shift * scale]))
    there = quantile(other, p, False) / scale - shift
    np.testing.assert_allclose(there, quantile(mixture, p, False), rtol=1e-9, atol=1e-9)


def test_the_tail_is_that_of_its_widest_component() -> None:
    mixture = on_a_line([0.999, 0.001], [0.0, 0.0], [1.0, 10.0])
    x = quantile(mixture, np.array([1e-250]), True)
    assert x[0] == pytest.approx(10 * norm.isf(1e-247), rel=1e-12)
    assert cdf(mixture, x, True)[0] == pytest.approx(1e-250, rel=1e-9)


def test_between_far_groups_any_point_has_the_level() -> None:
    far = on_a_line([0.25, 0.75], [0.0, 1e6], [1.0, 1.0])
    x = quantile(far, np.array([0.25]), False)
    assert cdf(far, x, False)[0] == pytest.approx(0.25, rel=1e-13)
    assert 5 < x[0] < 1e6 - 5


def test_a_component_without_weight_counts_for_nothing() -> None:
    some = on_a_line([0.5, 0.0, 0.5], [0.0, 1e9, 4.0], [1.0, 1.0, 2.0])
    without = on_a_line([0.5, 0.5], [0.0, 4.0], [1.0, 2.0])
    p = np.linspace(0, 1, 7)
    np.testing.assert_array_equal(quantile(some, p, False), quantile(without, p, False))


def test_widths_of_many_sizes_at_a_large_offset() -> None:
    hard = on_a_line([0.4, 0.3, 0.3], [1e8, 1e8 + 1, 1e8 - 300], [1e-3, 1.0, 100.0])
    p = np.array([1e-9, 0.1, 0.3, 0.5, 0.7, 0.999])
    x = quantile(hard, p, False)
    step = np.exp(line(hard).log_density(x)) * np.spacing(1e8)
    assert (np.abs(cdf(hard, x, False) - p) <= 2 * step + 1e-15).all()
    assert (np.diff(x) > 0).all()


def test_turning_points_are_roots_of_the_slope_and_alternate() -> None:
    mixture = on_a_line([0.3, 0.3, 0.2, 0.2], [0.0, 4.0, 4.1, 30.0], [1.0, 0.01, 2.0, 0.5])
    turns = line(mixture).turning_points()
    before, after = (line(mixture).slope(turns + sign * 1e-7) for sign in (-1, 1))
    assert (before * after < 0).all()
    assert (np.sign(before) == np.resize([1, -1], len(turns))).all()
    rising = np.diff(line(mixture).log_density(np.linspace(-1, 31, 500_001))) > 0
    assert len(turns) == np.count_nonzero(rising[1:] != rising[:-1]) == 7

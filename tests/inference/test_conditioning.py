"""Marginals and conditionals: the chain rule, quadrature, and hard cases."""

from __future__ import annotations

import numpy as np
import pytest
from gaussians_made import made, moved
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from mixtura.inference.conditioning import conditional, marginal
from mixtura.inference.gaussians import Gaussians

seeds = st.integers(0, 10_000)
sizes = st.integers(1, 4)


def dense(mixture: Gaussians) -> np.ndarray:
    return mixture.roots @ np.swapaxes(mixture.roots, 1, 2)


@given(seed=seeds, K=sizes, d=sizes)
@settings(max_examples=30, deadline=None)
def test_a_marginal_is_the_sub_block(seed: int, K: int, d: int) -> None:
    mixture = made(seed, K, d)
    columns = np.random.default_rng(seed).permutation(d)[: 1 + seed % d]
    part = marginal(mixture, list(columns))
    np.testing.assert_array_equal(part.means, mixture.means[:, columns])
    expected = dense(mixture)[np.ix_(range(K), columns, columns)]
    np.testing.assert_allclose(dense(part), expected, rtol=1e-12, atol=1e-12)
    assert not np.triu(part.roots, 1).any()
    assert (np.diagonal(part.roots, axis1=1, axis2=2) > 0).all()


@given(seed=seeds, K=sizes)
@settings(max_examples=20, deadline=None)
def test_a_marginal_of_a_marginal_is_a_marginal(seed: int, K: int) -> None:
    mixture = made(seed, K, 4)
    once, twice = (
        marginal(mixture, [3, 1]),
        marginal(marginal(mixture, [0, 3, 1]), [1, 2]),
    )
    np.testing.assert_allclose(dense(twice), dense(once), rtol=1e-12, atol=1e-13)


@given(seed=seeds, K=sizes, d=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_the_chain_rule(seed: int, K: int, d: int) -> None:
    mixture = made(seed, K, d)
    rng = np.random.default_rng(seed)
    order = list(rng.permutation(d))
    p = 1 + seed % (d - 1)
    on, asked = order[:p], order[p:]
    X = 5 * rng.normal(size=(20, d))
    both = conditional(mixture, on, asked)
    product = both.given.log_density(X[:, on]) + both.log_density(X[:, on], X[:, asked])
    np.testing.assert_allclose(product, mixture.log_density(X), rtol=1e-10, atol=1e-10)
    at = both.at(X[0, on]).log_density(X[:1, asked])
    assert at[0] == pytest.approx(both.log_density(X[:1, on], X[:1, asked])[0], abs=1e-9, rel=1e-10)


def test_log_densities_are_scipys() -> None:
    mixture = made(3, 3, 2)
    X = np.random.default_rng(0).normal(size=(9, 2))
    each = [
        np.log(w) + multivariate_normal(m, c).logpdf(X)
        for w, m, c in zip(mixture.weights, mixture.means, dense(mixture), strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(X), logsumexp(each, axis=0), rtol=1e-12)


def test_moments_are_those_of_quadrature() -> None:
    mixture = made(1, 3, 2)
    both = conditional(mixture, [1], [0])
    grid = np.linspace(-25, 25, 20_001)
    for x in (-2.0, 0.3, 4.0):
        density = np.exp(mixture.log_density(np.column_stack([grid, np.full_like(grid, x)])))
        density /= np.trapezoid(density, grid)
        mean = np.trapezoid(grid * density, grid)
        variance = np.trapezoid((grid - mean) ** 2 * density, grid)
        found, spread = both.variance(np.array([[x]]))
        assert found[0, 0] == pytest.approx(mean, abs=1e-9)
        assert spread[0, 0] == pytest.approx(variance, rel=1e-9)
        assert both.mean(np.array([[x]]))[0, 0] == pytest.approx(mean, abs=1e-9)


def test_covariances_agree_with_variances_and_with_the_mixture_at_each_row() -> None:
    both = conditional(made(7, 3, 5), [4, 0], [1, 2, 3])
    X = 3 * np.random.default_rng(1).normal(size=(6, 2))
    mean, covariance = both.covariance(X)
    again, variance = both.variance(X)
    np.testing.assert_array_equal(mean, again)
    np.testing.assert_allclose(np.diagonal(covariance, axis1=1, axis2=2), variance, rtol=1e-12)
    for x, m, c in zip(X, mean, covariance, strict=True):
        one = both.at(x)
        np.testing.assert_allclose(one.weights @ one.means, m, rtol=1e-10)
        off = one.means - m
        expected = np.einsum("k,kde->de", one.weights, dense(one)) + (one.weights * off.T) @ off
        np.testing.assert_allclose(c, expected, rtol=1e-10, atol=1e-12)


def test_draws_have_the_conditional_moments() -> None:
    both = conditional(made(5, 3, 3), [0], [1, 2])
    X = np.full((40_000, 1), 0.7)
    Y = both.sample(X, np.random.RandomState(0))
    mean, covariance = both.covariance(X[:1])
    error = np.sqrt(np.diagonal(covariance[0]) / len(Y))
    # Five standard errors in two columns: a false alarm in a million.
    assert (np.abs(Y.mean(axis=0) - mean[0]) < 5 * error).all()
    np.testing.assert_allclose(np.cov(Y.T), covariance[0], atol=0.1 * covariance[0].max())


def test_far_out_the_nearest_component_decides_without_underflow() -> None:
    mixture = Gaussians(
        np.array([0.5, 0.5]), np.array([[0.0, 0], [1, 9]]), np.stack([np.eye(2)] * 2)
    )
    both = conditional(mixture, [0], [1])
    np.testing.assert_array_equal(both.mean(np.array([[1e6], [-1e6]])), [[9.0], [0.0]])
    np.testing.assert_array_equal(both.responsibilities(np.array([[1e7]])), [[0.0, 1.0]])
    # Beyond 1e8 the distances are equal in float64; they still make probabilities.
    assert both.responsibilities(np.array([[1e150]])).sum() == 1
    with pytest.raises(ValueError, match=r"row 1 .* of the given values lies so far"):
        both.mean(np.array([[0.0], [1e200]]))


@given(seed=seeds, powers=st.lists(st.sampled_from([-8, 0, 8]), min_size=3, max_size=3))
@settings(max_examples=20, deadline=None)
def test_units_and_offsets_do_not_matter(seed: int, powers: list[int]) -> None:
    mixture, scale = made(seed, 3, 3), 10.0 ** np.array(powers)
    shift = 50 * scale
    other = moved(mixture, scale, shift)
    X = np.random.default_rng(seed).normal(size=(5, 2))
    mean, covariance = conditional(mixture, [0, 2], [1]).covariance(X)
    there = conditional(other, [0, 2], [1]).covariance(X * scale[[0, 2]] + shift[[0, 2]])
    np.testing.assert_allclose((there[0] - shift[1]) / scale[1], mean, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(there[1] / scale[1] ** 2, covariance, rtol=1e-8)


def test_columns_that_nearly_depend_on_each_other_stay_positive_definite() -> None:
    root = np.array([[[1.0, 0, 0], [1.0, 1e-9, 0], [1.0, 1e-9, 1e-12]]])
    mixture = Gaussians(np.ones(1), np.zeros((1, 3)), root)
    part = marginal(mixture, [2, 0])
    assert part.roots[0, 1, 1] == pytest.approx(1e-9, rel=1e-6)
    last = conditional(mixture, [0, 1], [2])
    _, variance = last.variance(np.zeros((1, 2)))
    assert variance[0, 0] == pytest.approx(1e-24, rel=1e-9)

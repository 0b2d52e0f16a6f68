"""Distances and entropies: closed forms against quadrature, draws against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gaussians_made import made, moved
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mixtura.inference import divergence
from mixtura.inference.distances import BETWEEN_COMPONENTS
from mixtura.inference.divergence import (
    gaussian_error,
    gaussian_hellinger,
    gaussian_kl,
    mixture_hellinger,
    mixture_kl,
    mixture_overlap,
    pair,
)
from mixtura.inference.gaussians import Gaussians

seeds = st.integers(0, 10_000)
GRID = np.linspace(-40, 40, 40_001)


def rng() -> np.random.RandomState:
    return np.random.RandomState(0)


def on_grid(mixture: Gaussians) -> np.ndarray:
    return np.exp(mixture.log_density(GRID[:, None]))


def by_quadrature(p: Gaussians, q: Gaussians) -> dict[str, float]:
    f, g = on_grid(p), on_grid(q)
    log_f, log_g = p.log_density(GRID[:, None]), q.log_density(GRID[:, None])
    return {
        "kl": np.trapezoid(f * (log_f - log_g), GRID),
        "hellinger": math.sqrt(np.trapezoid((np.sqrt(f) - np.sqrt(g)) ** 2, GRID) / 2),
        "overlap": np.trapezoid(np.minimum(f, g), GRID),
    }


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_closed_forms_on_a_line_are_those_of_quadrature(seed: int) -> None:
    p, q = made(seed, 1, 1), made(seed + 1, 1, 1)
    expected = by_quadrature(p, q)
    assert gaussian_kl(pair(p, q)) == pytest.approx(expected["kl"], rel=1e-6, abs=1e-9)
    assert gaussian_hellinger(pair(p, q)) == pytest.approx(expected["hellinger"], abs=1e-6)
    overlap = mixture_overlap(p, q, 2, rng())
    assert overlap.standard_error == 0
    assert overlap.value == pytest.approx(expected["overlap"], abs=1e-5)


@given(seed=seeds, d=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_hellinger_is_symmetric_between_0_and_1_and_below_the_root_of_kl(seed: int, d: int) -> None:
    p, q = made(seed, 1, d), made(seed + 1, 1, d)
    there, back = gaussian_hellinger(pair(p, q)), gaussian_hellinger(pair(q, p))
    assert there == pytest.approx(back, rel=1e-12)
    assert 0 <= there <= 1
    assert there**2 <= gaussian_kl(pair(p, q)) / 2 + 1e-12
    assert gaussian_hellinger(pair(p, p)) == pytest.approx(0, abs=1e-7)
    assert gaussian_kl(pair(p, p)) == pytest.approx(0, abs=1e-12)


@given(seed=seeds, powers=st.lists(st.sampled_from([-8, 0, 8]), min_size=3, max_size=3))
@settings(max_examples=10, deadline=None)
def test_units_and_offsets_do_not_matter(seed: int, powers: list[int]) -> None:
    p, q, scale = made(seed, 1, 3), made(seed + 1, 1, 3), 10.0 ** np.array(powers)
    here = pair(p, q)
    there = pair(moved(p, scale, 30 * scale), moved(q, scale, 30 * scale))
    assert gaussian_kl(there) == pytest.approx(gaussian_kl(here), rel=1e-8)
    assert gaussian_hellinger(there) == pytest.approx(gaussian_hellinger(here), rel=1e-8)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_the_error_between_equal_covariances_is_fishers(share: float) -> None:
    p = made(0, 1, 3)
    q = Gaussians(p.weights, p.means + 0.7, p.roots)
    closed = gaussian_error(pair(p, q), share, 2, rng())
    assert closed.standard_error == 0
    # The same pair, its covariances told apart by too little to matter, by draws.
    almost = pair(p, q)._replace(ratio=np.full(3, 1 + 1e-6))
    drawn = gaussian_error(almost, share, 100_000, rng())
    # Five standard errors: a false alarm in a million.
    assert 0 < drawn.standard_error < 0.001
    assert drawn.value == pytest.approx(closed.value, abs=5 * drawn.standard_error)
    distance = np.linalg.norm(np.linalg.solve(p.roots[0], np.full(3, 0.7)))
    if share == 0.5:
        assert closed.value == pytest.approx(norm.cdf(-distance / 2), rel=1e-12)
    assert gaussian_error(pair(p, p), share, 2, rng()).value == pytest.approx(min(share, 1 - share))


@pytest.mark.parametrize("share", [0.5, 0.02, 0.98])
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 3.0), (1.0, 0.2), (30.0, 2.0), (2.0, 1 + 1e-7)])
def test_the_error_on_a_line_is_that_of_quadrature(share: float, mean: float, sd: float) -> None:
    p = Gaussians(np.ones(1), np.array([[mean]]), np.array([[[sd]]]))
    q = Gaussians(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    x = np.linspace(-20, 50, 400_001)
    f, g = share * norm(mean, sd).pdf(x), (1 - share) * norm.pdf(x)
    expected = np.trapezoid(np.minimum(f, g), x)
    found = gaussian_error(pair(p, q), share, 2, rng())
    assert found.value == pytest.approx(expected, rel=1e-5)
    assert found.standard_error == 0


def test_a_small_overlap_is_known_to_a_small_share_of_itself() -> None:
    # Two columns, one of which says nothing: the overlap is that on a line, in closed form.
    line = divergence.Pair(np.array([4.0]), np.array([20.0]))
    plane = divergence.Pair(np.array([4.0, 1.0]), np.array([20.0, 0.0]))
    exact = gaussian_error(line, 0.3, 2, rng())
    found = gaussian_error(plane, 0.3, 100_000, rng())
    assert exact.value < 1e-9
    assert found.standard_error < 0.02 * exact.value
    assert found.value == pytest.approx(exact.value, abs=5 * found.standard_error)


def test_mixtures_on_a_line_against_quadrature() -> None:
    p, q = made(1, 3, 1), made(2, 2, 1)
    expected = by_quadrature(p, q)
    measures = {"kl": mixture_kl, "hellinger": mixture_hellinger, "overlap": mixture_overlap}
    for name, measure in measures.items():
        found = measure(p, q, 200_000, rng())
        assert 0 < found.standard_error < 0.02
        assert found.value == pytest.approx(expected[name], abs=5 * found.standard_error), name
    assert mixture_hellinger(q, p, 200_000, rng()).value == pytest.approx(
        expected["hellinger"], abs=0.01
    )


def test_a_mixture_is_at_no_distance_from_itself() -> None:
    p = made(3, 3, 2)
    again = Gaussians(p.weights[::-1], p.means[::-1], p.roots[::-1])
    for measure, value in ((mixture_kl, 0), (mixture_hellinger, 0), (mixture_overlap, 1)):
        found = measure(p, again, 1000, rng())
        assert found.value == pytest.approx(value, abs=1e-7)
        assert found.standard_error < 1e-7


def test_far_apart_nothing_overflows() -> None:
    p = made(3, 2, 2)
    q = moved(p, np.ones(2), np.full(2, 1e6))
    assert mixture_overlap(p, q, 100, rng()).value == 0
    assert mixture_hellinger(p, q, 100, rng()).value == 1
    assert 1e10 < mixture_kl(p, q, 100, rng()).value < np.inf


@pytest.mark.parametrize("measure", [mixture_kl, mixture_hellinger, mixture_overlap])
def test_the_stated_error_is_the_scatter_over_seeds(measure) -> None:
    p, q = made(4, 2, 2), made(5, 3, 2)
    found = [measure(p, q, 1000, np.random.RandomState(seed)) for seed in range(60)]
    scatter = np.std([f.value for f in found], ddof=1)
    stated = np.mean([f.standard_error for f in found])
    # Stratified draws scatter less than is stated, never much more.
    assert 0.3 * stated < scatter < 1.4 * stated


def test_entropy_closed_and_drawn() -> None:
    one = made(0, 1, 3)
    found = divergence.entropy(one, 2, rng())
    dense = one.roots[0] @ one.roots[0].T
    expected = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * dense)[1]
    assert found == (pytest.approx(expected, rel=1e-13), 0.0)
    three = made(0, 3, 1)
    f = on_grid(three)
    expected = -np.trapezoid(f * three.log_density(GRID[:, None]), GRID)
    found = divergence.entropy(three, 100_000, rng())
    assert found.value == pytest.approx(expected, abs=5 * found.standard_error)
    assert 0 < found.standard_error < 0.002


def test_entropy_of_separate_groups_needs_no_draws() -> None:
    far = Gaussians(np.array([0.2, 0.8]), np.array([[0.0], [1e3]]), np.ones((2, 1, 1)))
    found = divergence.entropy(far, 100, rng())
    mixing = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert found.value == pytest.approx(0.5 * math.log(2 * math.pi * math.e) + mixing, rel=1e-14)
    assert found.standard_error == 0


def test_components_pair_by_pair() -> None:
    mixture = made(6, 3, 2)
    for name, measure in BETWEEN_COMPONENTS.items():
        value, error = measure(mixture, 20_000, rng())
        assert value.shape == error.shape == (3, 3)
        np.testing.assert_array_equal(np.diagonal(value), float(name == "overlap"))
        if name == "kl":
            assert value[0, 1] != value[1, 0]
            two = pair(mixture.component(0), mixture.component(1))
            assert value[0, 1] == gaussian_kl(two)
        else:
            np.testing.assert_array_equal(value, value.T)
            assert ((value >= 0) & (value <= 1)).all()


def test_misclassification_is_how_often_the_better_guess_is_wrong() -> None:
    mixture = made(6, 2, 2, spread=1.0)
    value, error = BETWEEN_COMPONENTS["misclassification"](mixture, 100_000, rng())
    labels = np.random.default_rng(0).choice(2, p=mixture.weights, size=100_000)
    X = mixture.draw(labels, np.random.RandomState(1))
    wrong = (mixture.log_joint(X).argmax(axis=1) != labels).mean()
    spread = math.hypot(float(error[0, 1]), math.sqrt(wrong * (1 - wrong) / len(X)))
    assert value[0, 1] == pytest.approx(wrong, abs=5 * spread)

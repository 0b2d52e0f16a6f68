"""Does it fit: the statistics against closed forms and SciPy, and what the test says of tables."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, norm

from mixtura import (
    BayesianGaussianMixture,
    GaussianMixture,
    LatentClass,
    Mixture,
    PoissonMixture,
    goodness_of_fit,
    load,
)
from mixtura.inference import goodness
from mixtura.inference.gaussians import Gaussians

ONE = Gaussians(np.array([0.3, 0.7]), np.array([[0.0], [4.0]]), np.array([[[1.0]], [[0.5]]]))
TWO = Gaussians(
    np.array([0.4, 0.6]),
    np.array([[0.0, 1.0], [3.0, -2.0]]),
    np.array([[[1.0, 0.0], [0.5, 0.7]], [[2.0, 0.0], [-0.4, 0.3]]]),
)


def test_anderson_darling_is_its_integral():
    x = np.array([-1.2, 0.3, 0.9, 3.8, 4.4])
    u = np.sort(0.3 * norm.cdf(x) + 0.7 * norm.cdf(x, 4.0, 0.5))

    def part(v: float) -> float:
        return (np.mean(u <= v) - v) ** 2 / (v * (1 - v))

    edges = [0.0, *u, 1.0]
    whole = sum(quad(part, a, b)[0] for a, b in pairwise(edges))
    assert goodness.anderson_darling(ONE, x) == pytest.approx(len(x) * whole, rel=1e-8)


def test_characteristic_function_is_the_mean_over_draws():
    t = np.random.default_rng(0).normal(size=(40, 2))
    X = TWO.sample(200_000, np.random.RandomState(1))
    drawn = goodness.characteristic(X, t)
    assert np.abs(drawn - goodness.characteristic_of(TWO, t)).max() < 4 / np.sqrt(len(X))
    assert drawn[0] == pytest.approx(np.exp(1j * X @ t[0]).mean(), rel=1e-10)


def test_distance_does_not_depend_on_units():
    X = TWO.sample(100, np.random.RandomState(2))
    A, b = np.array([[1000.0, 0.0], [3.0, 0.01]]), np.array([5.0, -7.0])
    moved = Gaussians(TWO.weights, TWO.means @ A.T + b, np.array([A @ L for L in TWO.roots]))

    def far(g: Gaussians, rows: np.ndarray) -> float:
        rng = np.random.RandomState(0)
        return goodness.characteristic_distance(
            rows, rng, g.weights, g.roots, lambda t: goodness.characteristic_of(g, t)
        )

    assert far(moved, X @ A.T + b) == pytest.approx(far(TWO, X), rel=1e-9)


@pytest.mark.parametrize("mixture", [ONE, TWO], ids=["one", "two"])
def test_rows_weighed_by_responsibilities_follow_their_component(mixture):
    X = mixture.sample(20_000, np.random.RandomState(3))
    d = X.shape[1]
    for each, weight in zip(goodness.component_quantiles(mixture, X), mixture.weights, strict=True):
        assert each.rows == pytest.approx(20_000 * weight, rel=0.02)
        assert each.gap < 1.6 / np.sqrt(each.rows)
        law = norm() if d == 1 else chi2(d)
        assert np.allclose(law.cdf(each.expected), (np.arange(200) + 0.5) / 200)
        inside = (each.low <= each.observed) & (each.observed <= each.high)
        assert inside.mean() > 0.8


def test_quantiles_without_overlap_are_those_of_the_rows():
    far = Gaussians(np.array([0.5, 0.5]), np.array([[0.0], [1e3]]), np.ones((2, 1, 1)))
    x = np.array([0.4, -1.0, 2.0])
    (each,) = goodness.component_quantiles(far, x[:, None])
    assert each.observed == pytest.approx(np.sort(x))
    assert each.gap == pytest.approx(
        max(norm.cdf(0.4) - 1 / 3, norm.cdf(2.0) - 2 / 3, norm.cdf(-1.0), 1 / 3 - norm.cdf(-1.0))
    )


def two_groups(d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150, d))
    X[:60] += 5.0
    return X


@pytest.mark.parametrize("d", [1, 2])
def test_a_right_mixture_and_a_wrong_one(d):
    X = two_groups(d)
    right = GaussianMixture(2, random_state=0).fit(X)
    found = goodness_of_fit(right, X, draws=19, random_state=0)
    assert found.p_value > 0.05
    assert "nothing speaks against" in found.summary()
    assert (found.draws, found.rows, found.refitted, found.failed) == (19, 150, True, 0)
    assert (found.uniform is None) == (d > 1)
    wrong = GaussianMixture(1, random_state=0).fit(X)
    found = goodness_of_fit(wrong, X, draws=19, random_state=0)
    assert found.p_value == 0.05
    assert "does not look like" in found.headline
    assert json.loads(json.dumps(found.to_dict()))["exceeded"] == 0


def test_weights_are_copies_and_jobs_change_nothing():
    X = two_groups(2)[::3]
    w = np.arange(len(X)) % 3
    mixture = GaussianMixture(2, random_state=0).fit(X, sample_weight=w)
    one = goodness_of_fit(mixture, X, sample_weight=w, draws=4, random_state=1)
    two = goodness_of_fit(mixture, np.repeat(X, w, axis=0), draws=4, random_state=1, n_jobs=2)
    assert one == two
    assert one.statistics == two.statistics


def test_without_refits_the_mixture_is_taken_as_it_is():
    by_hand = GaussianMixture.from_parameters(
        TWO.weights, TWO.means, TWO.roots @ TWO.roots.swapaxes(1, 2)
    )
    X = TWO.sample(200, np.random.RandomState(4))
    found = goodness_of_fit(by_hand, X, draws=19, random_state=0)
    assert not found.refitted
    assert found.p_value > 0.05
    assert goodness_of_fit(by_hand, X + 0.5, draws=19, random_state=0).p_value == 0.05


def test_rows_that_were_not_fitted_are_compared_with_fits_to_other_draws():
    """Then p-values of the same law are spread evenly, as they are of the rows of the fit."""
    rng = np.random.default_rng(5)
    found: dict[str, list[float]] = {"own": [], "other": []}
    for _ in range(12):
        X, other = rng.normal(size=(2, 60, 1))
        mixture = GaussianMixture(1, random_state=0).fit(X)
        for name, rows in (("own", X), ("other", other)):
            tested = goodness_of_fit(mixture, rows, draws=9, random_state=0)
            assert (tested.own_rows, tested.refitted) == (name == "own", True)
            found[name].append(tested.p_value)
    # The mean of 12 even ones is 0.55 give or take 0.085.
    assert all(0.3 < np.mean(ps) < 0.8 for ps in found.values())
    assert "beside the fit of another draw" in tested.summary()
    assert goodness_of_fit(mixture, other + 1.5, draws=19, random_state=0).p_value == 0.05


def test_rows_of_a_fit_in_float32_or_from_a_file_are_known_again(tmp_path):
    X = two_groups(2).astype(np.float32)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    assert goodness_of_fit(mixture, X, draws=1).own_rows
    mixture.save(tmp_path / "two.json")
    assert goodness_of_fit(load(tmp_path / "two.json"), X, draws=1).own_rows
    assert not goodness_of_fit(mixture, X[:-1], draws=1).own_rows


def test_a_frame_is_asked_by_its_names(recwarn):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    found = goodness_of_fit(GaussianMixture(1).fit(frame), frame, draws=3, random_state=0)
    assert found.own_rows
    assert not recwarn.list


def test_other_families_by_their_draws():
    rng = np.random.default_rng(0)
    counts = rng.poisson([[2, 9], [9, 2]], size=(50, 2, 2)).reshape(-1, 2)
    mixture = PoissonMixture(2, random_state=0).fit(counts)
    found = goodness_of_fit(mixture, counts, draws=9, random_state=0)
    assert found.measure == "characteristic"
    assert found.p_value > 0.1
    assert found.components == ()
    spread = rng.negative_binomial(1, 0.15, size=(100, 2))
    one = PoissonMixture(1, random_state=0).fit(spread)
    assert goodness_of_fit(one, spread, draws=9, random_state=0).p_value == 0.1
    with pytest.raises(ValueError, match="only Gaussian components"):
        found.figure()


def test_a_figure_has_a_panel_for_each_component():
    X = two_groups(1)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    figure = goodness_of_fit(mixture, X, draws=1, refit=False).figure()
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles[0] == "the whole mixture"
    counted = [title.split(", ") for title in titles[1:]]
    assert [name for name, _ in counted] == ["component 0", "component 1"]
    assert sum(int(rows.split()[0]) for _, rows in counted) == pytest.approx(150, abs=1)


def test_what_is_refused():
    X = two_groups(2)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="draws must be a whole number from 1 on"):
        goodness_of_fit(mixture, X, draws=0)
    with pytest.raises(ValueError, match="whole numbers"):
        goodness_of_fit(mixture, X, sample_weight=np.full(len(X), 0.5))
    with pytest.raises(ValueError, match="mixture: a fitted mixture"):
        goodness_of_fit("gaussian", X)
    with pytest.raises(ValueError, match="refit must be True or False, got 'no'"):
        goodness_of_fit(mixture, X, refit="no")
    trimmed = GaussianMixture(2, random_state=0, trim=0.1).fit(X)
    with pytest.raises(ValueError, match=r"trimmed .* ask it of a fit with noise=True"):
        goodness_of_fit(trimmed, X)
    posterior = BayesianGaussianMixture(n_components=2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="is a posterior, no one density"):
        goodness_of_fit(posterior, X)
    given = Mixture("regression", 1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="given others"):
        goodness_of_fit(given, X)
    letters = np.array([["a"], ["b"], ["c"]] * 10, dtype=object)
    with pytest.raises(ValueError, match="categories"):
        goodness_of_fit(LatentClass(1, random_state=0).fit(letters), letters)


def test_too_few_draws_tell_nothing() -> None:
    X = np.random.default_rng(0).normal(size=(80, 1))
    found = goodness_of_fit(GaussianMixture(1).fit(X), 50 * X, draws=9, random_state=0)
    assert "none of the draws came as far, and 19 are needed to tell" in found.headline
    for bad in (1.5, True, "a", 0):
        with pytest.raises(ValueError, match="draws must be a whole number from 1 on"):
            goodness_of_fit(GaussianMixture(1).fit(X), X, draws=bad)

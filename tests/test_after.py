"""What fitted mixtures answer beyond their rows: the face of it, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixtura
from mixtura import GaussianMixture
from mixtura.families.gaussian.covariance import STRUCTURES

NAMES = ["eruptions", "waiting"]


@pytest.fixture(scope="module")
def geyser(faithful: np.ndarray) -> GaussianMixture:
    return GaussianMixture(2, random_state=0).fit(pd.DataFrame(faithful, columns=NAMES))


@pytest.fixture(scope="module")
def flowers(iris: np.ndarray) -> GaussianMixture:
    return GaussianMixture(3, random_state=0).fit(iris)


def test_a_marginal_is_a_fitted_mixture_with_its_columns_name(geyser, tmp_path) -> None:
    waiting = geyser.marginal("waiting")
    assert list(waiting.feature_names_in_) == ["waiting"]
    assert waiting.means_ == pytest.approx(geyser.means_[:, 1:])
    assert waiting.covariances_ == pytest.approx(geyser.covariances_[:, 1:, 1:])
    table = pd.DataFrame({"waiting": [50.0, 80.0]})
    assert waiting.predict(table).shape == (2,)
    waiting.save(tmp_path / "waiting.json")
    again = mixtura.load(tmp_path / "waiting.json")
    np.testing.assert_array_equal(again.score_samples(table), waiting.score_samples(table))
    assert "waiting" in waiting.summary()
    assert waiting.fit_result_ is None


def test_columns_without_names_are_called_as_in_reports(flowers) -> None:
    by_name, by_position = flowers.marginal(["x4", "x2"]), flowers.marginal([-1, 1])
    np.testing.assert_array_equal(by_name.means_, by_position.means_)
    np.testing.assert_array_equal(by_name.means_, flowers.means_[:, [3, 1]])
    assert not hasattr(by_name, "feature_names_in_")


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_parts_of_every_structure_agree_with_the_whole(name: str, iris: np.ndarray) -> None:
    X = iris if STRUCTURES[name].columns != 1 else iris[:, :1]
    fitted = GaussianMixture(2, covariance_type=name, random_state=0).fit(X)
    if X.shape[1] == 1:
        assert fitted.cdf(fitted.quantile(0.3)) == pytest.approx(0.3)
        return
    given = fitted.marginal([1, 3])
    at = fitted.condition(on={1: 3.1, 3: 1.2})
    row = np.array([[5.5, 3.1, 4.0, 1.2]])
    product = given.score_samples(row[:, [1, 3]]) + at.score_samples(row[:, [0, 2]])
    np.testing.assert_allclose(product, fitted.score_samples(row), atol=1e-10)
    assert at.covariance_type in ("full", "tied", "diag", "spherical")
    assert at.n_features_in_ == given.n_features_in_ == 2


def test_at_a_point_and_at_rows_still_to_come_agree(flowers, iris) -> None:
    regression = flowers.condition(on=["x1", "x3"])
    assert (regression.given, regression.asked) == (("x1", "x3"), ("x2", "x4"))
    mean, cov = regression.predict(iris[:3, [0, 2]], return_cov=True)
    again, std = regression.predict(iris[:3, [0, 2]], return_std=True)
    np.testing.assert_array_equal(mean, again)
    np.testing.assert_allclose(std**2, np.diagonal(cov, axis1=1, axis2=2), rtol=1e-12)
    for row, m in zip(iris[:3], mean, strict=True):
        point = flowers.condition(on={"x1": row[0], "x3": row[2]})
        np.testing.assert_allclose(point.weights_ @ point.means_, m, rtol=1e-10)
    proba = regression.predict_proba(iris[:3, [0, 2]])
    np.testing.assert_allclose(proba, flowers.marginal([0, 2]).predict_proba(iris[:3, [0, 2]]))
    log_p = regression.score_samples(iris[:5, [0, 2]], iris[:5, [1, 3]])
    both = flowers.marginal([0, 2]).score_samples(iris[:5, [0, 2]]) + log_p
    np.testing.assert_allclose(both, flowers.score_samples(iris[:5]), atol=1e-10)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_the_regression_takes_frames_by_name(geyser, frame) -> None:
    regression = geyser.condition(on=["waiting"])
    table = frame({"eruptions": [0.0, 0.0], "waiting": [55.0, 80.0]})
    expected = regression.predict([[55.0], [80.0]])
    np.testing.assert_array_equal(regression.predict(table), expected)
    np.testing.assert_array_equal(regression.predict([55.0, 80.0]), expected)
    with pytest.raises(ValueError, match="X has no column 'waiting'"):
        regression.predict(frame({"eruptions": [0.0]}))


def test_draws_follow_the_seed(geyser) -> None:
    regression = geyser.condition(on=["waiting"])
    X = np.full((2000, 1), 70.0)
    draws = regression.sample(X, random_state=1)
    np.testing.assert_array_equal(draws, regression.sample(X, random_state=1))
    mean, std = regression.predict(X[:1], return_std=True)
    # Five standard errors: a false alarm in a million.
    assert draws.mean() == pytest.approx(mean[0, 0], abs=5 * std[0, 0] / np.sqrt(2000))


def test_one_component_regresses_as_least_squares(iris) -> None:
    one = GaussianMixture(1).fit(iris)
    design = np.column_stack([np.ones(len(iris)), iris[:, :3]])
    fitted = design @ np.linalg.lstsq(design, iris[:, 3], rcond=None)[0]
    found, std = one.condition(on=[0, 1, 2]).predict(iris[:, :3], return_std=True)
    np.testing.assert_allclose(found[:, 0], fitted, atol=1e-9)
    np.testing.assert_allclose(std, np.sqrt(np.mean((iris[:, 3] - fitted) ** 2)), rtol=1e-9)


def test_a_constant_column_and_one_that_depends_are_no_trouble(faithful) -> None:
    x = faithful[:, 0]
    X = np.column_stack([x, np.full(len(x), 7.0), 2 * x + 1])
    held = GaussianMixture(2, random_state=0).fit(X)
    assert held.fit_result_.held
    assert held.marginal([1, 2]).n_features_in_ == 2
    line = held.condition(on=[0]).predict([[3.0]])
    np.testing.assert_allclose(line, [[7.0, 7.0]], atol=1e-3)
    modes = held.modes()
    np.testing.assert_allclose(modes.points[:, 1], 7.0, atol=1e-3)


def test_far_out_one_component_takes_all_the_weight(geyser) -> None:
    far = geyser.condition(on={"eruptions": 1e5})
    assert sorted(far.weights_) == [0.0, 1.0]
    assert np.isfinite(far.score_samples(pd.DataFrame({"waiting": [1e5]}))).all()
    assert far.modes().points.shape == (1, 1)
    assert far.quantile([0.0, 1.0]).tolist() == [-np.inf, np.inf]
    assert np.isfinite(far.entropy().value)
    assert np.isfinite(far.divergence(far, "kl").value)


def test_regions(geyser, faithful) -> None:
    table = pd.DataFrame(faithful, columns=NAMES)
    region = geyser.highest_density_region(0.9)
    assert region.contains(table).mean() == pytest.approx(0.9, abs=0.05)
    assert region.intervals is None
    assert region.standard_error > 0
    line = geyser.marginal("eruptions").highest_density_region(0.9)
    assert line.standard_error == 0
    assert line.intervals.shape == (2, 2)
    assert line.contains(table[["eruptions"]]).mean() == pytest.approx(0.9, abs=0.05)
    expected = [(low <= x) & (x <= high) for low, high in line.intervals for x in [faithful[:, 0]]]
    np.testing.assert_array_equal(line.contains(table[["eruptions"]]), np.any(expected, axis=0))


def test_distances(geyser, faithful) -> None:
    table = pd.DataFrame(faithful, columns=NAMES)
    other = GaussianMixture(3, random_state=0).fit(table)
    kl = geyser.divergence(other)
    gain = geyser.sample(50_000, random_state=3)[0]
    rows = pd.DataFrame(gain, columns=NAMES)
    direct = geyser.score_samples(rows) - other.score_samples(rows)
    error = np.hypot(kl.standard_error, direct.std() / np.sqrt(len(rows)))
    assert kl.value == pytest.approx(direct.mean(), abs=5 * error)
    assert geyser.divergence(other) == kl  # the estimator's own seed
    assert geyser.divergence(other, random_state=1) != kl
    overlap = geyser.component_divergence("overlap").value
    assert overlap.shape == (2, 2)
    assert geyser.modes().of_component.tolist() == [0, 1]


REFUSED = {
    "columns has 'depth', which is no column: known are 'eruptions', 'waiting'": lambda g: (
        g.marginal(["depth"])
    ),
    "columns names column 'waiting' more than once": lambda g: g.marginal(["waiting", 1]),
    "columns names no column": lambda g: g.marginal([]),
    "columns has position 2, but there are 2 columns": lambda g: g.marginal(2),
    "columns has True: give column names or integer positions": lambda g: g.marginal([True]),
    "columns must be column names or positions, got 1.5": lambda g: g.marginal(1.5),
    "on gives all 2 columns": lambda g: g.condition(on={"waiting": 1.0, "eruptions": 2.0}),
    "on names no column": lambda g: g.condition(on={}),
    "on has 'x1', which is no column": lambda g: g.condition(on={"x1": 1.0}),
    "on: the value of 'waiting' is nan": lambda g: g.condition(on={"waiting": np.nan}),
    "on: the value of 'waiting' is 'long', not a number": lambda g: g.condition(
        on={"waiting": "long"}
    ),
    "on: the value of 'waiting' is .1, 2., not a number": lambda g: g.condition(
        on={"waiting": [1, 2]}
    ),
    "lies so far from every component": lambda g: g.condition(on={"waiting": 1e300}),
    "return_std or return_cov, not both": lambda g: g.condition(on=["waiting"]).predict(
        [[1.0]], return_std=True, return_cov=True
    ),
    "X has 2 columns, not 1: waiting": lambda g: g.condition(on=["waiting"]).predict([[1.0, 2.0]]),
    "X has 1 rows and y has 2": lambda g: g.condition(on=["waiting"]).score_samples(
        [[1.0]], [1.0, 2.0]
    ),
    "Input X contains NaN": lambda g: g.condition(on=["waiting"]).predict([[np.nan]]),
    "cdf is for a mixture with one column, and this one has 2": lambda g: g.cdf(1.0),
    "quantile is for a mixture with one column": lambda g: g.quantile(0.5),
    "cdf: x has NaN": lambda g: g.marginal(0).cdf([1.0, np.nan]),
    "p has values outside 0 to 1": lambda g: g.marginal(0).quantile(1.5),
    "coverage must lie between 0 and 1, got 1": lambda g: g.highest_density_region(1),
    "n_samples must be a whole number from 2 on, got 1": lambda g: g.entropy(n_samples=1),
    "kind must be one of .'hellinger', 'kl', 'overlap'., got 'js'": lambda g: g.divergence(g, "js"),
    "other must be a fitted mixture, got int": lambda g: g.divergence(3),
    "the mixtures have different columns: eruptions, waiting and waiting": lambda g: g.divergence(
        g.marginal("waiting")
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str, geyser) -> None:
    with pytest.raises(ValueError, match=message):
        REFUSED[message](geyser)


@pytest.mark.parametrize("call", ["modes", "entropy", "highest_density_region"])
def test_an_unfitted_mixture_says_so(call: str) -> None:
    with pytest.raises(ValueError, match="not fitted yet"):
        getattr(GaussianMixture(2), call)()

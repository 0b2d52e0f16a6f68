"""Every bad input meets one clear error, or its right answer."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixtura
from mixtura import Block, GaussianMixture, HiddenMarkov, Mixture, Product

RNG = np.random.default_rng(0)
GOOD = np.vstack([RNG.normal(size=(30, 2)), RNG.normal(size=(30, 2)) + 8])


def with_value(value: float) -> np.ndarray:
    X = GOOD.copy()
    X[3, 1] = value
    return X


ERRORS = {
    "a row of NaN": (np.vstack([GOOD, [[np.nan] * 2]]), {}, {}, "row 60 .*has no value"),
    "a column of one row": (
        np.column_stack([GOOD, np.r_[3.0, np.full(59, np.nan)]]),
        {"covariance_type": "UUU:1"},
        {},
        "column 2 .* only one row has a value",
    ),
    "infinity": (with_value(np.inf), {}, {}, "infinity"),
    "strings": (np.array([["a", "b"], ["c", "d"]]), {}, {}, "text"),
    "object strings": (np.array([[1, "b"], [2, "d"]], dtype=object), {}, {}, "text"),
    "text column": (pd.DataFrame({"a": [1.0, 2, 3], "b": list("xyz")}), {}, {}, "string|'x'"),
    "complex": (GOOD + 1j, {}, {}, "omplex"),
    "empty": (np.empty((0, 2)), {}, {}, "0 sample"),
    "no columns": (np.empty((5, 0)), {}, {}, "0 feature"),
    "one row": (GOOD[:1], {}, {}, "minimum of 2"),
    "1-D array": (GOOD[:, 0], {}, {}, "2D array"),
    "3-D array": (GOOD.reshape(10, 6, 2), {}, {}, "dim"),
    "n < k": (GOOD[:3], {"n_components": 5}, {}, "n_samples >= n_components"),
    "k > distinct rows": (
        np.repeat(GOOD[:3], 10, axis=0),
        {"n_components": 4},
        {},
        "only 3 distinct rows",
    ),
    "all rows equal": (np.ones((20, 2)), {"n_components": 2}, {}, "only 1 distinct row:"),
    "negative weights": (GOOD, {}, {"sample_weight": -np.ones(60)}, "[Nn]egative"),
    "all-zero weights": (GOOD, {}, {"sample_weight": np.zeros(60)}, "zero"),
    "NaN weights": (GOOD, {}, {"sample_weight": np.full(60, np.nan)}, "NaN"),
    "infinite weight sum": (GOOD, {}, {"sample_weight": np.full(60, 1e307)}, "infinity"),
    "wrong number of weights": (GOOD, {}, {"sample_weight": np.ones(3)}, "shape|inconsistent"),
    "too few weighted rows": (
        GOOD,
        {"n_components": 3},
        {"sample_weight": np.r_[1.0, 1.0, np.zeros(58)]},
        "only 2 rows",
    ),
    "integers beyond 2**53": (
        (2**53 + 1 + RNG.integers(100, size=(30, 2))),
        {},
        {},
        r"beyond 2\*\*53",
    ),
    "integers beyond 2**53 in a frame": (
        pd.DataFrame({"id": 2**60 + np.arange(30), "x": np.arange(30.0)}),
        {},
        {},
        "'id'",
    ),
    "values near 1e300": (GOOD * 1e300, {}, {}, "1e30"),
    "values near 1e-300": (GOOD * 1e-300, {}, {}, "1e-2|1e-300"),
    "huge float32": ((GOOD * 1e30).astype(np.float32), {}, {}, "1e3"),
    "n_components 0": (GOOD, {"n_components": 0}, {}, "n_components"),
    "n_components 2.5": (GOOD, {"n_components": 2.5}, {}, "n_components"),
    "covariance_type": (GOOD, {"covariance_type": "round"}, {}, "covariance_type"),
    "tol": (GOOD, {"tol": -1.0}, {}, "tol"),
    "reg_covar": (GOOD, {"reg_covar": -1.0}, {}, "reg_covar"),
    "init_params": (GOOD, {"init_params": "magic"}, {}, "init_params"),
    "solver": (GOOD, {"solver": "magic"}, {}, "solver"),
    "engine": (GOOD, {"engine": "magic"}, {}, "engine"),
    "means_init": (GOOD, {"n_components": 2, "means_init": [[0, 0]]}, {}, "means"),
    "weights_init": (GOOD, {"n_components": 2, "weights_init": [0.2, 0.2]}, {}, "normalized"),
    "precisions_init": (
        GOOD,
        {"n_components": 2, "precisions_init": [-np.eye(2), np.eye(2)]},
        {},
        "positive-definite",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_one_clear_error(name: str) -> None:
    X, settings, arguments, message = ERRORS[name]
    gm = GaussianMixture(**{"n_components": 1, "random_state": 0} | settings)
    before = dict(vars(gm))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of complex data before it refuses
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            gm.fit(X, **arguments)
    assert len(str(caught.value)) > 20
    assert vars(gm) == before, "nothing half-fitted is left behind"


def test_wrong_number_of_columns_at_predict() -> None:
    gm = GaussianMixture(2, random_state=0).fit(GOOD)
    for method in (gm.predict, gm.predict_proba, gm.score_samples, gm.component_log_density):
        with pytest.raises(ValueError, match="3 features, but GaussianMixture is expecting 2"):
            method(np.ones((5, 3)))
    with pytest.raises(ValueError, match="infinity"):
        gm.predict(with_value(np.inf))


def test_duplicated_rows_are_fine() -> None:
    X = np.repeat(GOOD, 5, axis=0)
    assert GaussianMixture(2, random_state=0).fit(X).converged_


def test_integers_up_to_2_53_are_exact() -> None:
    X = (2**53 - 1000 + np.random.default_rng(0).integers(0, 900, size=(200, 1))).astype(np.int64)
    gm = GaussianMixture(1).fit(X)
    exact = int(X.astype(object).sum()) / len(X)
    assert gm.means_[0, 0] == pytest.approx(exact, abs=1.0)
    spread = X - X.min()
    assert gm.covariances_[0, 0, 0] == pytest.approx(spread.var(), rel=1e-6)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_a_constant_column_is_held_and_named(covariance: str) -> None:
    X = np.column_stack([GOOD, np.full(60, 3.0)])
    gm = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(X)
    assert (gm.predict(X[:30]) == gm.predict(X[:1])).all()
    assert (gm.predict(X[30:]) != gm.predict(X[:1])).all()
    # One variance for all columns needs no holding while any of them varies.
    assert gm.fit_result_.held == (() if covariance == "spherical" else (2,))
    assert covariance == "spherical" or "x3" in gm.summary()
    tiny = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(X * 1e-6)
    assert sorted(np.bincount(tiny.predict(X * 1e-6))) == [30, 30]
    np.testing.assert_allclose(gm.means_[:, 2], 3.0)


@pytest.mark.parametrize("covariance", ["full", "tied"])
def test_a_column_that_is_the_sum_of_others_is_held_and_named(covariance: str) -> None:
    X = np.column_stack([GOOD, GOOD.sum(axis=1)])
    gm = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(X)
    assert set(gm.fit_result_.held) == {0, 1, 2}
    assert sorted(np.bincount(gm.predict(X))) == [30, 30]


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_more_columns_than_rows(covariance: str) -> None:
    X = np.random.default_rng(1).normal(size=(12, 20))
    X[6:] += 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gm = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(X)
    assert np.isfinite(gm.lower_bound_)
    if covariance != "full":  # six rows say nothing of 210 covariances
        assert sorted(np.bincount(gm.predict(X))) == [6, 6]


def test_all_rows_equal_and_one_component() -> None:
    gm = GaussianMixture(1).fit(np.full((10, 2), 7.0))
    np.testing.assert_allclose(gm.means_, 7.0)
    assert np.isfinite(gm.lower_bound_)


@pytest.mark.parametrize("power", [-100, -20, 20, 100])
def test_unusual_but_representable_scales(power: int) -> None:
    X = GOOD * 10.0**power
    gm = GaussianMixture(2, random_state=0).fit(X)
    assert sorted(np.bincount(gm.predict(X))) == [30, 30]


@pytest.mark.filterwarnings("ignore::mixtura.estimators.complaints.DegenerateWarning")
def test_scikit_learns_reg_covar_lets_components_stay_empty() -> None:
    X = np.repeat(GOOD[:2], 5, axis=0)
    with pytest.warns(mixtura.DegenerateWarning, match="is empty"):
        gm = GaussianMixture(4, reg_covar=1e-6, random_state=0).fit(X)
    assert "No rows are left in group 2, 3" in gm.summary()
    assert gm.weights_.sum() == pytest.approx(1.0)
    assert np.isfinite(gm.score(X))


def test_advice_is_what_can_still_be_done() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.poisson(3, 60), "b": rng.poisson(5, 60)})
    strange = frame.assign(b=-1)
    mixture = Mixture("poisson", 2, random_state=0).fit(frame)
    chain = HiddenMarkov("poisson", 2, random_state=0).fit(frame)
    for fitted in (mixture, chain):
        for asked in (fitted.predict, fitted.score):
            advice = "the model's family 'poisson' is .* 'b' holds -1 .*leave the row out, or make"
            with pytest.raises(ValueError, match=advice):
                asked(strange)
            with pytest.raises(ValueError, match="choose another family"):
                type(fitted)("poisson", 2).fit(strange)


@pytest.mark.parametrize("beside", [{"concomitants": ["b"]}, {}, {"family": "product"}])
def test_a_column_that_says_nothing_is_named(beside: dict[str, Any]) -> None:
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=60), "b": 3.0})
    family: Any = "normal"
    if beside.pop("family", None):
        family = Product([Block("normal", ["a"]), Block("normal", ["b"])])
    with pytest.raises(ValueError, match="column 'b' holds one value only"):
        Mixture(family, 2, **beside).fit(frame)

"""What is said of a collapse names its cause, and what helps; other words that misled."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from mixtura import DegenerateWarning, GaussianMixture
from mixtura.report.text import warnings as report

rng = np.random.default_rng(0)
LEFT, RIGHT = rng.normal(size=(60, 2)), rng.normal([4.0, 4.0], size=(60, 2))
ONE_CONSTANT = pd.DataFrame(np.concatenate([LEFT, RIGHT]), columns=["a", "b"])
ONE_CONSTANT["cyl"] = np.concatenate([np.full(60, 8.0), rng.normal(6.0, 1.0, size=60)])
ALL_CONSTANT = ONE_CONSTANT.assign(cyl=np.repeat([4.0, 8.0], 60))
WIDE = rng.normal(size=(20, 30))


def told(X: object, K: int, **settings: object) -> tuple[list[str], str]:
    """What a fit warns of, and what its report does."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gm = GaussianMixture(K, random_state=0, **settings).fit(X)
    said = [str(each.message) for each in caught if each.category is DegenerateWarning]
    return said, " ".join(report(gm.view()))


@pytest.mark.parametrize("name", ["full", "diag"])
def test_a_column_constant_inside_a_component_is_named_with_its_value(name: str) -> None:
    (said,), page = told(ONE_CONSTANT, 2, covariance_type=name)
    for text in (said, page):
        assert "about 60 rows, all with cyl = 8" in text
        assert "whatever the seed" in text
        assert "another seed" not in text


def test_rows_on_one_point_are_named_too() -> None:
    X = np.concatenate([LEFT, np.full((8, 2), 30.0)])
    (said,), _ = told(X, 2, covariance_type="spherical")
    assert "component 1 has about 8 rows, all with x1 = 30, x2 = 30" in said.replace(
        "0 has", "1 has"
    )


def test_a_column_of_zeros_is_named_as_such() -> None:
    """Not by what rounding leaves of its mean."""
    X = np.random.default_rng(0).normal(size=(10, 2)).round(0)
    (said,), _ = told(X, 3)
    assert "all with x2 = 0;" in said
    assert "e-" not in said


@pytest.mark.parametrize("name", ["tied", "EEI"])
def test_one_covariance_collapses_once(name: str) -> None:
    (said,), page = told(ALL_CONSTANT, 2, covariance_type=name)
    assert said.startswith("the covariance that all components share has collapsed")
    assert "the covariance that all groups share" in page
    for text in (said, page):
        assert "cyl is constant (4, 8)" in text or "cyl is constant (8, 4)" in text
        assert "another seed" not in text


@pytest.mark.parametrize(("name", "K"), [("full", 1), ("tied", 2)])
def test_fewer_rows_than_columns_are_said_to_be_so(name: str, K: int) -> None:
    (said,), page = told(WIDE, K, covariance_type=name)
    for text in (said, page):
        assert "20 rows for 30 columns" in text
        assert "'diag', 'spherical' or factors (such as 'UUU:1')" in text
        assert "seed" not in text


def test_many_components_are_counted_and_three_are_named() -> None:
    X = np.column_stack([np.repeat(np.arange(20.0), 30), rng.normal(size=(600, 1))])
    (said,), _ = told(X, 20, means_init=np.column_stack([np.arange(20.0), np.zeros(20)]))
    assert said.startswith("20 components: component 0 has")
    assert said.count("all with x1 = ") == 3
    assert "and 17 more: only the penalty keeps them" in said


def test_parameters_set_by_hand_are_no_fit() -> None:
    gm = GaussianMixture(1)
    gm.weights_, gm.means_ = np.ones(1), np.zeros((1, 2))
    gm.covariances_ = gm.precisions_ = gm.precisions_cholesky_ = np.eye(2)[None]
    assert gm.predict([[0.0, 1.0]]).tolist() == [0]
    for act in (lambda: gm.save("model.json"), gm.summary):
        with pytest.raises(AttributeError, match=r"set by hand: make it with .*from_parameters"):
            act()


@pytest.mark.parametrize("ask", ["predict", "predict_proba"])
@pytest.mark.parametrize("name", ["full", "diag", "UUU:1"])
def test_a_row_without_density_belongs_nowhere(ask: str, name: str) -> None:
    X = rng.normal(size=(60, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        gm = GaussianMixture(1, covariance_type=name, random_state=0, max_iter=1).fit(X)
    far = X.copy()
    far[7, 0] = 1e150
    assert np.isfinite(getattr(gm, ask)(far)).all()
    far[7, 0] = 1e160
    with pytest.raises(ValueError, match=r"row 7 .* lies so far from every component"):
        getattr(gm, ask)(far)
    assert np.isneginf(gm.score_samples(far)[7])


@pytest.mark.filterwarnings("ignore:component 0 looks spurious")
def test_a_density_too_small_for_float32_is_one() -> None:
    X = ONE_CONSTANT.to_numpy(np.float32)[60:]
    gm = GaussianMixture(2, covariance_type="diag", random_state=0).fit(X)
    far = X.copy()
    far[7, 0] = 1e30
    assert gm.predict_proba(far)[7].max() == 1.0
    far[7, 0] = 3e38
    assert gm.predict(far).dtype == np.int64

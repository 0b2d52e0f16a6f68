"""Units and offsets are the user's business: a fit in new units is the same fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mixtura import GaussianMixture

TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("covariance", TYPES)


def table(seed: int, d: int) -> np.ndarray:
    """Three well-separated clouds with correlated columns."""
    rng = np.random.default_rng(seed)
    mix = np.eye(d) + 0.2 * rng.normal(size=(d, d))
    centres = np.vstack([np.zeros(d), np.full(d, 7.0), np.r_[14.0, np.full(d - 1, -7.0)]])
    X = centres[rng.integers(3, size=180)] + rng.normal(size=(180, d))
    return X @ mix


def matched(a: GaussianMixture, b: GaussianMixture, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """The component of `b` on rows Y that plays each component of `a` on rows X."""
    overlap = a.predict_proba(X).T @ b.predict_proba(Y)
    order = overlap.argmax(axis=1)
    assert sorted(order) == list(range(len(order)))
    return order


def compare(X: np.ndarray, scale: np.ndarray, offset: np.ndarray, covariance: str) -> None:
    Y = X * scale + offset
    a = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(X)
    b = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(Y)
    order = matched(a, b, X, Y)
    jacobian = len(X) * np.log(scale).sum()
    assert b.fit_result_.loglik + jacobian == pytest.approx(a.fit_result_.loglik, rel=1e-6)
    assert b.fit_result_.floored == a.fit_result_.floored == ()
    np.testing.assert_allclose(b.weights_[order], a.weights_, atol=1e-5)
    np.testing.assert_allclose((b.means_[order] - offset) / scale, a.means_, atol=1e-4)
    dense_a, dense_b = a.view().covariances, b.view().covariances[order]
    np.testing.assert_allclose(dense_b / np.outer(scale, scale), dense_a, atol=1e-4)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
@given(seed=st.integers(0, 1000), d=st.integers(2, 4), powers=st.data())
@settings(max_examples=8, deadline=None)
def test_any_column_in_new_units(covariance: str, seed: int, d: int, powers: st.DataObject) -> None:
    exponents = powers.draw(st.lists(st.sampled_from([-6, 0, 6]), min_size=d, max_size=d))
    compare(table(seed, d), 10.0 ** np.array(exponents), np.zeros(d), covariance)


@given(seed=st.integers(0, 1000), exponent=st.sampled_from([-6, -3, 3, 6]))
@settings(max_examples=8, deadline=None)
def test_spherical_in_one_new_unit_for_all_columns(seed: int, exponent: int) -> None:
    # One variance for all columns says that they share their unit, so they change it together.
    compare(table(seed, 3), np.full(3, 10.0**exponent), np.zeros(3), "spherical")


@every_type
@given(seed=st.integers(0, 1000), d=st.integers(1, 4), column=st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_ten_million_added_to_a_column_moves_the_means_only(
    covariance: str, seed: int, d: int, column: int
) -> None:
    offset = np.zeros(d)
    offset[column % d] = 1e7
    compare(table(seed, d), np.ones(d), offset, covariance)


@given(seed=st.integers(0, 1000), condition=st.sampled_from([1e2, 1e4, 1e6]))
@example(seed=954, condition=1e6)
@settings(max_examples=8, deadline=None)
def test_any_affine_map_leaves_the_likelihood(seed: int, condition: float) -> None:
    """x -> Ax + b with cond A up to 1e6 and a shift of 1e4 sd: ll + n ln|A| is unchanged."""
    X = table(seed, 3)
    rng = np.random.default_rng(seed)
    left, _, right = np.linalg.svd(rng.normal(size=(3, 3)))
    A = left @ np.diag(np.geomspace(1, condition, 3)) @ right
    Y = X @ A.T + 1e4 * np.sqrt(np.diag(A @ np.cov(X.T) @ A.T))
    a = GaussianMixture(3, random_state=0, n_init=3).fit(X).fit_result_
    b = GaussianMixture(3, random_state=0, n_init=3).fit(Y).fit_result_
    logdet = len(X) * np.log(np.abs(np.linalg.det(A)))
    assert b.loglik + logdet == pytest.approx(a.loglik, rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-4])
def test_faithful_in_any_units(faithful: np.ndarray, scale: float) -> None:
    # scikit-learn 1.9.1 loses 191 and 854 nats here: its reg_covar is absolute.
    fit = GaussianMixture(2, random_state=0).fit(faithful * scale).fit_result_
    assert fit.loglik + 2 * len(faithful) * np.log(scale) == pytest.approx(-1130.264, abs=1e-3)


@pytest.mark.filterwarnings("ignore::mixtura.estimators.complaints.DegenerateWarning")
def test_float32_keeps_its_digits() -> None:
    # scikit-learn issue 30382: covariances should be [0.1, 0.1]; raw moments gave 112.
    X = np.array([[9999.0], [0.0]], dtype=np.float32)
    fitted = GaussianMixture(
        2, covariance_type="spherical", reg_covar=0.1, random_state=0, init_params="kmeans"
    ).fit(X)
    assert fitted.covariances_.dtype == np.float32
    np.testing.assert_allclose(fitted.covariances_, [0.1, 0.1], rtol=1e-5)


@every_type
def test_float32_fits_like_float64(covariance: str, iris: np.ndarray) -> None:
    single, double = (
        GaussianMixture(3, covariance_type=covariance, random_state=0).fit(iris.astype(dtype))
        for dtype in (np.float32, np.float64)
    )
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-4)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(single, name).dtype == np.float32
    assert single.score_samples(iris.astype(np.float32)).dtype == np.float32
    assert single.predict_proba(iris.astype(np.float32)).dtype == np.float32

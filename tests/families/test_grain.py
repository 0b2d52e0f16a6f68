"""Rounded columns lend no worth to components narrower than their rounding."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from mixtura import GaussianMixture
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.grain import grain_of
from mixtura.families.gaussian.matrices import Full
from mixtura.families.gaussian.records import gaussian_params


def table(total: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(whole numbers in three columns that sum to `total`, the two planted groups)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    centres = rng.uniform(0, total / 3, (2, 2))
    X = np.rint(centres[labels] + rng.normal(size=(n, 2)) * total / 36)
    return np.column_stack([X, total - X.sum(axis=1)]), labels


@pytest.mark.parametrize("step", [1.0, 0.1, 250.0])
def test_the_variance_of_rounding_is_a_twelfth_of_the_squared_step(step):
    rng = np.random.default_rng(0)
    X = np.column_stack([step * rng.integers(0, 9, 200) + 7.0, rng.normal(size=200)])
    grain = grain_of(X, len(X), np.cov(X.T))
    assert grain is not None
    assert grain.columns.tolist() == [0]
    np.testing.assert_allclose(grain.added, [[step**2 / 12]])
    np.testing.assert_allclose(grain.whiten @ grain.added @ grain.whiten.T, [[1.0]])


def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
    """Columns of light and heavy tails."""
    columns = rng.uniform(size=n), rng.normal(3.0, 1.0, n), rng.standard_t(2.0, n)
    return np.column_stack([*columns, rng.exponential(size=n), rng.lognormal(0.0, 2.0, n)])


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("n", [200, 2048, 5000, 200_000])
def test_columns_that_are_not_rounded_have_no_grain(n: int, kind: type) -> None:
    # Of many rows the smallest gap is so small that all are whole multiples of it but for rounding.
    X = drawn(np.random.default_rng(0), n).astype(kind)
    assert grain_of(X, n, np.cov(X.T)) is None


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("step", [0.01, 0.02])
def test_the_step_of_many_rows_is_found_in_either_precision(step: float, kind: type) -> None:
    rng = np.random.default_rng(1)
    X = (np.rint(drawn(rng, 5000)[:, [0, 1, 3]] / step) * step).astype(kind)
    grain = grain_of(X, 5000, np.cov(X.T))
    assert grain is not None
    assert grain.columns.tolist() == [0, 1, 2]
    np.testing.assert_allclose(grain.added, np.eye(3) * step**2 / 12, rtol=1e-5, atol=1e-12)


def test_the_last_digits_of_sums_are_no_step() -> None:
    rng = np.random.default_rng(2)
    X = (rng.integers(0, 90, (400, 1)) * 0.1 - rng.integers(0, 90, (400, 1)) * 0.1) + 3.0
    assert np.diff(np.unique(X)).min() < 1e-12
    grain = grain_of(X, 400, np.cov(X.T).reshape(1, 1))
    assert grain is not None
    np.testing.assert_allclose(grain.added, [[0.01 / 12]])


def test_only_what_is_narrower_than_the_rounding_is_made_wider_and_not_along_the_sum():
    X, _ = table(60, 300, 0)
    grain = grain_of(X, len(X), np.cov(X.T, bias=True))
    assert grain is not None
    np.testing.assert_allclose(grain.added.sum(axis=0), 0.0, atol=1e-9)
    wide, narrow = np.diag([4.0, 4.0, 4.0]), np.diag([4.0, 4.0, 4.0])
    narrow[:2, :2] = [[4.0, 3.999], [3.999, 4.0]]  # a line of whole numbers: x1 - x2 is constant
    params = gaussian_params(np.zeros((2, 3)), np.stack([wide, narrow]), structure("full").form)
    smoothed = grain.smoothed(params).covariances
    np.testing.assert_array_equal(smoothed[0], wide)
    np.testing.assert_allclose(smoothed[1], narrow + grain.added)
    alone = gaussian_params(np.zeros((1, 3)), wide[None], structure("full").form)
    assert grain.smoothed(alone) is alone


def test_whole_shares_show_their_planted_groups():
    X, labels = table(12, 150, 22)
    found = GaussianMixture(2, random_state=0).fit_predict(X)
    assert adjusted_rand_score(labels, found) > 0.9


@pytest.mark.parametrize("columns", [(0, 1, 2), (0, 2)])
def test_what_a_trace_spares_is_what_eigenvalues_would(columns: tuple[int, ...]) -> None:
    rng, some = np.random.default_rng(len(columns)), list(columns)
    X = np.round(rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3)), 1)
    X[:, [j for j in range(3) if j not in columns]] = rng.normal(size=(200, 3 - len(columns)))
    grain = grain_of(X, 200, np.cov(X.T))
    assert grain is not None
    assert grain.columns.tolist() == some
    met = set()
    for width in np.geomspace(1e-3, 10.0, 60):
        roots = width * rng.normal(size=(2, 3, 3))
        params = gaussian_params(np.zeros((2, 3)), roots @ roots.swapaxes(1, 2), Full())
        inner = params.covariances[:, some][:, :, some]
        narrow = np.linalg.eigvalsh(grain.whiten @ inner @ grain.whiten.T)[:, 0] < 1.0
        moved = grain.smoothed(params).covariances != params.covariances
        assert moved.any(axis=(1, 2)).tolist() == narrow.tolist()
        met |= {*narrow.tolist()}
    assert met == {True, False}

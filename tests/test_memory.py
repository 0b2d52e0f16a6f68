"""What many columns may cost: nothing that grows with their square where no covariance does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.families.gaussian import triangular
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.gaussian.tangents import contrasts

WIDE = 2000


def apart(n: int, d: int) -> np.ndarray:
    """Two groups of n / 2 rows, apart in every column."""
    X = np.random.default_rng(0).normal(size=(n, d))
    X[: n // 2] += 2.0
    return X


def peak(work: Callable[[], Any]) -> tuple[Any, int]:
    """(what `work` returns, the bytes that Python and NumPy held at most meanwhile)."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_report_of_many_columns_makes_no_covariances() -> None:
    mixture = GaussianMixture(2, covariance_type="UUU:1", max_iter=5, random_state=0)
    with pytest.warns(UserWarning, match="not converge"):
        mixture.fit(apart(60, WIDE))
    text, held = peak(mixture.summary)
    assert f"{WIDE:,} columns" in text or f"{WIDE} columns" in text
    assert held < 0.5 * 8 * WIDE**2


@pytest.mark.parametrize("name", ["diag", "spherical", "EEI", "VEI", "EVI"])
def test_what_does_not_correlate_makes_no_matrix_of_the_columns(name: str) -> None:
    X, some = apart(80, WIDE), 0.5 * 8 * WIDE**2
    mixture = GaussianMixture(2, covariance_type=name, random_state=0)
    _, held = peak(lambda: mixture.fit(X))
    assert held < some
    _, held = peak(lambda: GaussianMixture(2, covariance_type=name, reg_covar=1e-3).fit(X))
    assert held < some
    _, held = peak(lambda: (mixture.partial_fit(X), mixture.summary(), mixture.score(X)))
    assert held < some
    assert len(set(mixture.predict(X)[::2])) == 2
    assert sorted(mixture.weights_) == pytest.approx([0.5, 0.5])


def test_fewer_rows_than_columns_cost_no_curvature_and_few_matrices() -> None:
    X, d = apart(60, 200), 200
    mixture = GaussianMixture(2, random_state=0)
    with pytest.warns(UserWarning, match="penalty"):
        _, held = peak(lambda: mixture.fit(X))
    fit = mixture.fit_result_
    assert (fit.verdict, fit.certificate.passes) == ("boundary", 0)
    assert fit.passes <= 24
    # The starts are matrices of the rows; of the columns are only those that are handed out.
    assert held < 16 * 2 * 8 * d**2
    assert sorted(mixture.weights_) == pytest.approx([0.5, 0.5])


def one_hot(n: int) -> np.ndarray:
    """Two numbers and five columns of labels, as 42 columns."""
    rng = np.random.default_rng(0)
    labels = [
        np.eye(m)[rng.choice(m, size=n, p=rng.dirichlet(np.ones(m)))] for m in (10, 10, 8, 6, 6)
    ]
    return np.hstack([rng.normal(size=(n, 2)), *labels])


def test_no_component_is_moved_where_each_leans_on_the_penalty() -> None:
    with pytest.warns(UserWarning, match="penalty"):
        fit = GaussianMixture(20, random_state=0).fit(one_hot(400)).fit_result_
    assert len(fit.floored) == 20
    assert fit.moves == 0
    # The race alone, called off: 3 starts of 8 steps, and what their ends are worth.
    assert len(fit.starts) == 3
    assert fit.sample_passes <= 3 * 10


@pytest.mark.parametrize("size", [1, 2, 3, 8, 100])
def test_contrasts_are_an_orthonormal_basis_with_few_entries(size: int) -> None:
    found = contrasts(size)
    np.testing.assert_allclose((found.T @ found).toarray(), np.eye(size - 1), atol=1e-14)
    np.testing.assert_allclose(found.sum(axis=0), np.zeros(size - 1), atol=1e-13)
    assert found.nnz <= size * np.ceil(np.log2(size))


@pytest.mark.parametrize("d", [5, 150])
def test_products_with_triangles_are_those_of_any_matrices(d: int) -> None:
    rng = np.random.default_rng(0)
    roots, other = np.tril(rng.normal(size=(2, d, d))), rng.normal(size=(2, d, d))
    symmetric, scale = other + np.swapaxes(other, 1, 2), np.diag(rng.uniform(1, 2, d))
    upper = np.swapaxes(roots, 1, 2)
    same = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10)
    same(triangular.times(roots, other), roots @ other)
    same(triangular.times(roots[0], other), roots[0] @ other)
    same(triangular.times(roots, other[0], turned=True), upper @ other[0])
    same(triangular.square(roots), roots @ upper)
    for matrix in (symmetric, symmetric[0], scale):
        same(triangular.within(roots, matrix), roots @ matrix @ upper)
        same(triangular.within(roots, matrix, turned=True), upper @ matrix @ roots)
        traces = np.trace(roots @ matrix @ upper, axis1=1, axis2=2).sum()
        assert triangular.trace_within(roots, matrix) == pytest.approx(traces)
    same(triangular.within(scale, symmetric), scale @ symmetric @ scale)
    same(triangular.times(scale, other), scale @ other)


@pytest.mark.filterwarnings("ignore:component . looks spurious")
@pytest.mark.parametrize("name", [*STRUCTURES, "UUU:1", "CCC:1"])
def test_a_view_has_the_variances_and_covariances_of_any_columns(name: str) -> None:
    d = STRUCTURES[name].columns or 4 if name in STRUCTURES else 4
    X = apart(60, d)
    mixture = GaussianMixture(2, covariance_type=name, init_params="kmeans", random_state=0)
    view = mixture.fit(X).view()
    assert view.portrait.among is not None
    dense = view.covariances
    assert dense.shape == (2, d, d)
    inverse = np.linalg.inv(dense)
    log_p = np.linalg.slogdet(inverse)[1] / 2 - d / 2 * np.log(2 * np.pi)
    far = X[:, None, :] - view.means
    log_p = log_p - np.einsum("nki,kij,nkj->nk", far, inverse, far) / 2
    total = np.log(np.exp(log_p + np.log(view.weights)).sum(axis=1))
    np.testing.assert_allclose(mixture.score_samples(X), total, rtol=1e-9)
    np.testing.assert_array_equal(view.portrait.variances, np.diagonal(dense, axis1=1, axis2=2))
    some = np.array([d - 1, 0])[: min(d, 2)]
    np.testing.assert_allclose(view.portrait.among(some), dense[:, some[:, None], some], rtol=1e-12)

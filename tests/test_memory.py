"""What many columns may cost: nothing that grows with their square where no covariance does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.families.covariance import STRUCTURES

WIDE = 3000


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


@pytest.mark.parametrize("name", [*STRUCTURES, "UUU:1", "CCC:1"])
def test_a_view_has_the_variances_and_covariances_of_any_columns(name: str) -> None:
    d = STRUCTURES[name].columns or 4 if name in STRUCTURES else 4
    X = apart(60, d)
    mixture = GaussianMixture(2, covariance_type=name, init_params="kmeans", random_state=0)
    view = mixture.fit(X).view()
    dense = view.covariances
    assert dense.shape == (2, d, d)
    inverse = np.linalg.inv(dense)
    log_p = np.linalg.slogdet(inverse)[1] / 2 - d / 2 * np.log(2 * np.pi)
    far = X[:, None, :] - view.means
    log_p = log_p - np.einsum("nki,kij,nkj->nk", far, inverse, far) / 2
    total = np.log(np.exp(log_p + np.log(view.weights)).sum(axis=1))
    np.testing.assert_allclose(mixture.score_samples(X), total, rtol=1e-9)
    np.testing.assert_array_equal(view.variances, np.diagonal(dense, axis1=1, axis2=2))
    some = np.array([d - 1, 0])[: min(d, 2)]
    np.testing.assert_allclose(view.among(some), dense[:, some[:, None], some], rtol=1e-12)

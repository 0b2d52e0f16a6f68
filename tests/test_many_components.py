"""Many components, overlapping and apart: what skips, rounds or leaves out ends where dense does.

K = 50, 100 and 300. Skipping is exact to rounding, float32 chooses directions only, and truncated
EM is exact where groups are apart and says of itself that it is none where they overlap.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mixtura import GaussianMixture, Truncated
from mixtura.result import Fit

# K, columns, rows for each component.
SIZES = {50: (4, 300), 100: (3, 200), 300: (2, 120)}
APART, OVERLAPPING = 12.0, 1.5


def grid(K: int, d: int, width: float) -> np.ndarray:
    side = int(np.ceil(K ** (1 / d)))
    corners = np.stack(np.meshgrid(*[np.arange(side)] * d, indexing="ij"), -1).reshape(-1, d)
    return width * corners[:K].astype(float)


def fitted(K: int, width: float, **settings: Any) -> Fit:
    d, each = SIZES[K]
    means, rng = grid(K, d, width), np.random.default_rng(K)
    X = np.repeat(means, each, axis=0) + rng.normal(size=(K * each, d))
    start = {
        "means_init": means + 0.2 * rng.normal(size=(K, d)),
        "weights_init": np.full(K, 1 / K),
        "precisions_init": np.ones((K, d)),
    }
    given = {"covariance_type": "diag", "solver": "em", "max_iter": 25, **start, **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = GaussianMixture(K, **given).fit(X).fit_result_
    assert fit is not None
    return fit


@pytest.fixture(scope="module", params=[(K, w) for K in SIZES for w in (APART, OVERLAPPING)])
def case(request: pytest.FixtureRequest) -> tuple[int, float, Fit]:
    K, width = request.param
    return K, width, fitted(K, width, engine="dense", tol=0)


def test_skipping_changes_nothing_beyond_rounding(case: tuple[int, float, Fit]) -> None:
    K, width, dense = case
    pruned = fitted(K, width, engine="compiled", tol=0)
    np.testing.assert_allclose(pruned.trace, dense.trace, rtol=1e-10)


def test_float32_far_from_the_top_ends_at_the_same_top(case: tuple[int, float, Fit]) -> None:
    K, width, dense = case
    mixed = fitted(K, width, engine="mixed", tol=0)
    # Steps in float32 are other steps: of the same climb, to the five digits promised.
    assert mixed.loglik == pytest.approx(dense.loglik, rel=1e-5)
    assert mixed.remark == ""


def test_truncated_is_exact_where_groups_are_apart(case: tuple[int, float, Fit]) -> None:
    K, width, dense = case
    few = fitted(K, width, solver=Truncated(keep=3), tol=0)
    assert few.verdict != "interior maximum"
    gap = (dense.loglik - few.loglik) / dense.weight
    if width == APART:
        assert abs(gap) < 1e-9
    else:
        # With one and a half standard deviations between neighbours three of them are not enough.
        assert 1e-4 < gap < 0.2

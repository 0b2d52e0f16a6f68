"""Groups far apart in one column while another column has humps of its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mixtura import GaussianMixture
from mixtura.fitting.columns import by_column
from mixtura.records import Array


def humps(far: float, seed: int) -> tuple[Array, Array]:
    """(rows in four narrow groups, `far` apart in x1, and in three humps of x2; the groups)."""
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 4, 400)
    X = rng.normal(size=(400, 2))
    X[:, 0] = X[:, 0] * 1e-4 + z * far
    X[:, 1] += 5 * rng.integers(0, 3, 400)
    return X, z


@pytest.mark.parametrize("far", [1e4, 1.0, 1e-1])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_groups_are_found_and_not_the_humps(far: float, seed: int) -> None:
    X, z = humps(far, seed)
    found = GaussianMixture(4, random_state=0).fit(X)
    groups = [X[z == k] for k in range(4)]
    # By SciPy, with the columns as they are inside each group, which are independent there.
    least = sum(
        len(own) * np.log(len(own) / 400) + norm.logpdf(own, own.mean(0), own.std(0)).sum()
        for own in groups
    )
    assert found.fit_result_.loglik >= least - 1e-6
    assert found.converged_


def test_the_split_is_by_the_column_whose_groups_are_narrowest() -> None:
    X, z = humps(10.0, 3)
    split = by_column((X - X.mean(axis=0)) / X.std(axis=0), 4)
    assert split is not None
    order = np.argsort([X[split[:, k] == 1, 0].mean() for k in range(4)])
    assert np.array_equal(np.argsort(order)[split.argmax(axis=1)], z)


@pytest.mark.parametrize(
    ("X", "K"),
    [
        (np.random.default_rng(0).normal(size=(300, 3)), 3),
        # Codes are values, not groups; two rows far out are none.
        (np.repeat(np.arange(3.0), 100)[:, None], 3),
        (np.concatenate([np.random.default_rng(0).normal(size=300), [1e9, 2e9]])[:, None], 3),
        (humps(10.0, 0)[0], 3),
        (humps(10.0, 0)[0][:12], 4),
    ],
)
def test_no_split_where_no_column_parts_all_groups(X: Array, K: int) -> None:
    assert by_column(X, K) is None

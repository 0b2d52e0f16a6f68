"""Draws by the kernel: the distribution asked for, whatever the threads.

The seeds are fixed, so nothing here fails by chance; at other seeds a test would fail with the
probability that it states.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mixtura.engines.gaussian.drawing import gaussian_draw

FORMS = ("full", "tied", "diag", "spherical")
WEIGHTS = np.array([0.2, 0.0, 0.5, 0.3, 0.0])
# Of each statistical test, shared out among its comparisons.
FALSE_ALARM = 1e-3


def roots_of(form: str, K: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    full = np.tril(rng.normal(size=(K, d, d)), -1) + np.eye(d) * rng.uniform(0.5, 2, size=(K, 1, d))
    spread = rng.uniform(0.5, 2.0, size=(K, d))
    roots = {"full": full, "tied": full[0], "diag": spread, "spherical": spread[:, 0]}
    return np.ascontiguousarray(roots[form])


def drawn(form: str, n: int, d: int, key: int = 0, chunk: int = 0) -> tuple[np.ndarray, ...]:
    """(rows, labels, means, roots)."""
    means, roots = 5.0 * np.random.default_rng(2).normal(size=(5, d)), roots_of(form, 5, d)
    X, labels = np.empty((n, d)), np.empty(n, np.int64)
    gaussian_draw(WEIGHTS, means, roots, form, np.array([key, 7], np.uint64), chunk, X, labels)
    return X, labels, means, roots


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [1, 3, 8, 19])
def test_whitened_rows_are_standard_normal(form: str, d: int) -> None:
    X, labels, means, roots = drawn(form, 40_000, d)
    assert set(labels) == {0, 2, 3}
    Y = np.empty_like(X)
    for k in (0, 2, 3):
        own = labels == k
        root = roots if form == "tied" else roots[k]
        centred = X[own] - means[k]
        full = form in ("full", "tied")
        Y[own] = np.linalg.solve(root, centred.T).T if full else centred / root
    level = FALSE_ALARM / (d + 2)
    for column in Y.T:
        assert stats.kstest(column, "norm").pvalue > level
    assert stats.kstest((Y**2).sum(axis=1), "chi2", (d,)).pvalue > level
    # Columns are independent, and so are rows that follow each other.
    pairs = [(Y[:, i], Y[:, j]) for i in range(d) for j in range(i)]
    pairs += [(column[1:], column[:-1]) for column in Y.T]
    allowed = stats.norm.isf(level / (2 * len(pairs))) / np.sqrt(len(X))
    assert max(abs(np.corrcoef(a, b)[0, 1]) for a, b in pairs) < allowed


def test_labels_have_the_weights() -> None:
    labels = drawn("spherical", 200_000, 1)[1]
    counts = np.bincount(labels, minlength=5)
    assert counts[1] == counts[4] == 0
    some = WEIGHTS > 0
    assert stats.chisquare(counts[some], len(labels) * WEIGHTS[some]).pvalue > FALSE_ALARM
    follow = stats.contingency.crosstab(labels[1:], labels[:-1]).count
    assert stats.chi2_contingency(follow).pvalue > FALSE_ALARM


def test_the_tails_are_there() -> None:
    Z, labels, means, roots = drawn("spherical", 1 << 19, 4)
    z = ((Z - means[labels]) / roots[labels, None]).ravel()
    beyond = np.array([(np.abs(z) > limit).sum() for limit in (3.0, 4.0)])
    expected = 2 * stats.norm.sf([3.0, 4.0]) * z.size
    assert (stats.poisson.cdf(beyond, expected) > FALSE_ALARM / 4).all()
    assert (stats.poisson.sf(beyond - 1, expected) > FALSE_ALARM / 4).all()


def test_keys_and_chunks_give_other_rows_and_fewer_rows_are_the_first() -> None:
    X, labels, _, _ = drawn("full", 1000, 3)
    again, same, _, _ = drawn("full", 700, 3)
    np.testing.assert_array_equal(again, X[:700])
    np.testing.assert_array_equal(same, labels[:700])
    for other in ({"key": 1}, {"chunk": 1}):
        Z = drawn("full", 1000, 3, **other)[0]
        assert not np.isin(Z, X).any()


def test_bad_arguments_are_refused() -> None:
    X, labels = np.empty((10, 1)), np.empty(10, np.int64)
    one = (np.ones(1), np.zeros((1, 1)), np.ones(1), "spherical")
    with pytest.raises(ValueError, match="key must be two uint64"):
        gaussian_draw(*one, np.zeros(2, np.int64), 0, X, labels)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="labels must be"):
        gaussian_draw(*one, np.zeros(2, np.uint64), 0, X, labels.astype(np.int32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="X must have shape"):
        gaussian_draw(*one, np.zeros(2, np.uint64), 0, X[:5], labels)

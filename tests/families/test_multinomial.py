"""The multinomial family: any total, conditional on it."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura.families.multinomial import Multinomial, MultinomialParams

SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200)
    totals = rng.integers(0, 30, size=200)
    return np.stack(
        [rng.multinomial(n, SHARES[k]) for n, k in zip(totals, labels, strict=True)]
    ), labels


def test_rows_of_any_total_are_fitted_and_drawn() -> None:
    X, _ = table()
    found = fitted("multinomial", X, 2)
    shares = found.params.components.probabilities
    np.testing.assert_allclose(shares[np.argsort(-shares[:, 0])], SHARES, atol=0.05)
    assert found.fit.verdict == "interior maximum"
    assert found.fit.n_parameters == 1 + 4


def test_samples_have_the_tables_totals() -> None:
    family = Multinomial((3.0, 7.0))
    X = family.sample(np.repeat([0, 1], 500), MultinomialParams(SHARES), np.random.RandomState(0))
    assert set(X.sum(axis=1)) == {3.0, 7.0}
    mean = X[:500].sum(axis=0) / X[:500].sum()
    np.testing.assert_allclose(mean, SHARES[0], atol=0.03)


def test_a_total_of_nothing_tells_nothing() -> None:
    found = Multinomial().log_density(np.zeros((1, 3)), MultinomialParams(SHARES))
    np.testing.assert_array_equal(found, 0.0)


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ValueError, match=r"counts \(0, 1, 2, ...\), and column 'b' holds 1.5"):
        Multinomial().refuse(np.array([[1.0, 1.5]]), ["a", "b"])
    with pytest.raises(ValueError, match="'multinomial' shares a row's total among its columns"):
        fitted("multinomial", np.ones((5, 1)), 1)
    with pytest.raises(ValueError, match="give totals"):
        Multinomial().sample(np.zeros(1, int), MultinomialParams(SHARES), np.random.RandomState(0))

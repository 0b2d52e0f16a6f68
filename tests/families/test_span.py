"""Fewer rows than columns: the fit within the span of the rows is the fit in all columns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.families.gaussian.family import Gaussian

SETTINGS = {
    "plain": ({}, np.float64, False),
    "weights": ({}, np.float64, True),
    "float32": ({}, np.float32, False),
    "threads": ({"engine": "threads"}, np.float64, False),
    "starts": ({"n_init": 2, "init_params": "k-means++"}, np.float64, False),
    "EM alone": ({"solver": "em"}, np.float64, False),
}


@pytest.fixture
def table() -> np.ndarray:
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 90)) * rng.uniform(0.1, 10.0, 90) + 5.0 * rng.normal(size=90)
    X[:20] += 1.0
    X[0] = X[1]
    X[:, 7], X[:, 8] = 3.0, 0.0
    return X


def fitted(X: np.ndarray, weight: np.ndarray | None, settings: dict) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GaussianMixture(2, random_state=0, **settings).fit(X, sample_weight=weight)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_fit_within_the_span_is_the_fit_in_all_columns(name, table, monkeypatch):
    settings, dtype, weighted = SETTINGS[name]
    X = table.astype(dtype)
    weight = np.random.RandomState(1).randint(0, 3, len(X)).astype(float) if weighted else None
    within = fitted(X, weight, settings)
    monkeypatch.setattr(Gaussian, "condensed", lambda self, survey: None)
    plain = fitted(X, weight, settings)
    tight = 1e-9 if dtype is np.float64 else 1e-4
    for part in ("weights_", "means_", "covariances_"):
        np.testing.assert_allclose(getattr(within, part), getattr(plain, part), tight, tight)
    one, other = within.fit_result_, plain.fit_result_
    np.testing.assert_allclose(one.loglik, other.loglik, rtol=1e-9)
    assert one.n_parameters == other.n_parameters
    assert one.verdict == other.verdict
    assert one.held == other.held == (7, 8)
    assert one.equations == other.equations
    assert [spike.constant for spike in one.floored] == [spike.constant for spike in other.floored]
    for part in ("counts", "first", "second"):
        here, there = (getattr(fit.summary.statistics, part) for fit in (one, other))
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-6)
    # Of the parameters that are returned, by the pass over all columns.
    w = np.ones(len(X)) if weight is None else weight
    np.testing.assert_allclose(w @ within.score_samples(X), one.loglik, rtol=max(tight, 1e-9))


def test_a_column_constant_in_a_group_is_named(table, monkeypatch):
    table[:20, 3] = 7.0
    within = fitted(table, None, {})
    monkeypatch.setattr(Gaussian, "condensed", lambda self, survey: None)
    found = [spike.constant for spike in fitted(table, None, {}).fit_result_.floored]
    assert [spike.constant for spike in within.fit_result_.floored] == found

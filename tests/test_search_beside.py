"""Searches over rows of whose cells bounds or errors are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mixtura import CheckpointError, GaussianMixture, GaussianMixtureSearch, Mixture, MixtureSearch
from mixtura.records import Array

pytestmark = pytest.mark.filterwarnings("ignore::mixtura.StillRisingWarning")

RNG = np.random.default_rng(2)
LOGS = np.where(RNG.uniform(size=300)[:, None] < 0.3, [2.0, 3.0], [0.0, 1.0])
LOGS = LOGS + 0.6 * RNG.normal(size=(300, 2))
LIMIT = np.array([1.5, 2.0])
WATER = np.maximum(np.exp(LOGS), LIMIT)
UPPER = np.where(WATER == LIMIT, LIMIT, np.nan)


def test_each_family_places_the_bounds_itself() -> None:
    search = MixtureSearch(["normal", "lognormal", "gamma"], [1, 2], random_state=0)
    search.fit(WATER, upper=UPPER)
    assert search.best_params_ == {"family": "lognormal", "n_components": 2}
    for cell, loglik in zip(
        search.cv_results_["params"], search.cv_results_["loglik"], strict=True
    ):
        alone = Mixture(cell["family"], cell["n_components"], random_state=0)
        assert loglik >= alone.fit(WATER, upper=UPPER).fit_result_.loglik - 1e-3
    best = search.best_estimator_
    assert list(best.told_) == ["bounds"]
    total = len(WATER) * best.score(WATER, upper=UPPER)
    assert total == pytest.approx(best.fit_result_.loglik, rel=1e-12)
    assert best.predict_proba(WATER, upper=UPPER).shape == (300, 2)


def water_in_pieces() -> Iterator[Array]:
    yield WATER[:100]
    yield WATER[100:]


def test_tables_in_pieces_know_their_bounds(tmp_path: Path) -> None:
    path = tmp_path / "water.csv"
    np.savetxt(path, WATER, delimiter=",", header="a,b", comments="", fmt="%.17g")
    alone = Mixture("lognormal", 2, random_state=0).fit(WATER, upper=UPPER)
    for table in (water_in_pieces, path):
        fit = Mixture("lognormal", 2, random_state=0).fit(table, upper=UPPER)
        assert fit.fit_result_.loglik == alone.fit_result_.loglik
        search = MixtureSearch("lognormal", [2], random_state=0).fit(table, upper=UPPER)
        assert search.cv_results_["loglik"] == pytest.approx([alone.fit_result_.loglik], abs=1e-3)


def test_bounds_of_tables_beyond_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixtura.data.streamed.SMALL_BYTES", 0)
    for known in ({"upper": UPPER}, {"error": np.ones_like(WATER)}):
        with pytest.raises(ValueError, match="X is read in pieces, and these are of rows in mem"):
            GaussianMixture(2, covariance_type="diag").fit(water_in_pieces, **known)


def test_rows_left_out_have_their_bounds_and_weights() -> None:
    sure = np.arange(300) % 3 > 0
    X, upper = np.where(sure[:, None], WATER, -1.0), np.where(sure[:, None], UPPER, np.nan)
    asked = MixtureSearch("lognormal", [1, 2], criterion="heldout", cv=3, random_state=0)
    asked.fit(X, sample_weight=sure.astype(float), upper=upper)
    other = MixtureSearch("lognormal", [1, 2], criterion="heldout", cv=3, random_state=0)
    other.fit(WATER[sure], upper=UPPER[sure])
    assert asked.best_score_ == pytest.approx(other.best_score_, abs=1e-9)


def test_whole_brackets_need_no_numbers() -> None:
    low = np.floor(LOGS)
    nothing = np.full(LOGS.shape, np.nan)
    for search in (
        GaussianMixtureSearch([2], covariance_type=["VVV", "VVI"], random_state=0),
        MixtureSearch("normal", [2], random_state=0),
    ):
        search.fit(nothing, lower=low, upper=low + 1)
        alone = GaussianMixture(2, covariance_type="diag", random_state=0)
        alone.fit(nothing, lower=low, upper=low + 1)
        assert search.cv_results_["loglik"] == pytest.approx([alone.fit_result_.loglik], abs=1e-3)


def _answers_as_its_best(search: MixtureSearch, X: Array, **beside: Array) -> None:
    best = search.best_estimator_
    assert search.score(X, **beside) == best.score(X, **beside) != best.score(X)
    for name in ("predict", "predict_proba", "score_samples"):
        found = getattr(search, name)(X, **beside)
        np.testing.assert_array_equal(found, getattr(best, name)(X, **beside))


def test_errors_are_refused_in_a_sentence_where_none_are_known() -> None:
    found, error = Mixture("normal").fit(LOGS), np.ones(LOGS.shape)
    search = MixtureSearch(["normal"], [1]).fit(WATER, upper=UPPER)
    _answers_as_its_best(search, WATER, upper=UPPER)
    asked = (found.predict, found.predict_proba, found.score, found.score_samples, search.score)
    for each in (found.fit, *asked):
        with pytest.raises(ValueError, match="error: rows with errors are known to GaussianM"):
            each(LOGS, error=error)


def test_errors_of_every_cell_and_checkpoints(tmp_path: Path) -> None:
    sd = np.random.default_rng(0).uniform(0.1, 0.6, size=LOGS.shape)
    seen = LOGS + sd * np.random.default_rng(1).normal(size=LOGS.shape)
    path = tmp_path / "cells"
    search = GaussianMixtureSearch([1, 2], covariance_type=["EEE", "UUU:1"], random_state=0)
    search.fit(seen, error=sd, checkpoint=path)
    again = GaussianMixtureSearch([1, 2], covariance_type=["EEE", "UUU:1"], random_state=0)
    again.fit(seen, error=sd, checkpoint=path)
    assert len(search.cv_results_["loglik"]) == 2
    assert again.cv_results_["loglik"].tolist() == search.cv_results_["loglik"].tolist()
    alone = GaussianMixture(2, covariance_type="EEE", random_state=0).fit(seen, error=sd)
    assert search.best_estimator_.fit_result_.loglik >= alone.fit_result_.loglik - 1e-3
    _answers_as_its_best(search, seen, error=sd)
    with pytest.raises(CheckpointError, match="other rows, settings"):
        again.fit(seen, error=2 * sd, checkpoint=path)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (MixtureSearch(["normal"], [1]), "error: rows with errors are known to GaussianMixture"),
        (GaussianMixtureSearch([1], covariance_type="UUU:1"), "covariances without factors"),
        (GaussianMixtureSearch([1], noise=True), "such rows know no noise"),
        (GaussianMixtureSearch([1], effort="quick"), "knows no error"),
    ],
)
def test_searches_that_know_no_errors(search: MixtureSearch, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search.fit(LOGS, error=np.ones(LOGS.shape))


def test_searches_that_know_no_bounds() -> None:
    with pytest.raises(ValueError, match="intervals are known to"):
        MixtureSearch(["vonmises"], [1]).fit(LOGS, lower=LOGS - 1, upper=LOGS + 1)
    with pytest.raises(ValueError, match="upper must have the shape of X"):
        MixtureSearch(["normal"], [1]).fit(LOGS, upper=UPPER[:3])

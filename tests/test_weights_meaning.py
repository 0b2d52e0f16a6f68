"""Weights count rows, or say how much a row counts; the n of every criterion follows from that."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mixtura import GaussianMixture, GaussianMixtureSearch, LightWeightsWarning, load, stream
from mixtura.cli import app

rng = np.random.default_rng(0)
X = np.concatenate([rng.normal(size=(100, 2)), rng.normal([6.0, 0.0], size=(100, 2))])
W = rng.uniform(0.5, 1.5, size=200)
EFFECTIVE = W.sum() ** 2 / (W @ W)
GRID = {"n_components": [1, 2, 3], "covariance_type": ["EEE", "VVV"], "random_state": 0}


def test_weights_that_sum_to_one_are_one_row_and_that_is_said() -> None:
    with pytest.warns(
        LightWeightsWarning, match="200 rows sum to 1,.*1 row\\..*importance"
    ) as told:
        GaussianMixtureSearch(**GRID).fit(X, sample_weight=W / W.sum())
    # Not that the largest number of components is the best: of one row any is.
    assert len(told) == 1
    assert told[0].filename == __file__
    with pytest.warns(LightWeightsWarning, match="200 rows sum to 100"):
        gm = GaussianMixture(2, random_state=0).fit(X, sample_weight=np.full(200, 0.5))
    assert gm.fit_result_.weight == 100.0
    with pytest.warns(LightWeightsWarning):
        gm.bic(X, W / W.sum())


@pytest.mark.parametrize("scale", [1.0 / W.sum(), 1.0, 1e-150, 1e150])
def test_importance_has_no_scale(scale: float) -> None:
    search = GaussianMixtureSearch(**GRID, weights="importance").fit(X, sample_weight=W * scale)
    best = search.best_estimator_
    assert search.best_params_["n_components"] == 2
    assert best.fit_result_.weight == pytest.approx(EFFECTIVE)
    p, mean = best.fit_result_.n_parameters, best.score(X, sample_weight=W)
    expected = -2 * EFFECTIVE * mean + p * np.log(EFFECTIVE)
    assert best.bic(X, W * scale) == pytest.approx(expected) == pytest.approx(-search.best_score_)


def test_equal_importance_is_no_weights() -> None:
    plain = GaussianMixture(2, random_state=0).fit(X)
    weighted = GaussianMixture(2, weights="importance", random_state=0)
    weighted.fit(X, sample_weight=np.full(200, 1e-3))
    assert weighted.fit_result_.weight == pytest.approx(200)
    assert weighted.bic(X) == pytest.approx(plain.bic(X), abs=1e-6)


def test_counts_are_taken_as_they_are() -> None:
    w = rng.integers(0, 3, size=200).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gm = GaussianMixture(2, random_state=0).fit(X, sample_weight=w)
        GaussianMixture(2, random_state=0).fit(X, sample_weight=W * 200 / W.sum())
    assert gm.fit_result_.weight == w.sum()


def test_a_table_in_pieces_weighs_alike(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "w": W}).to_csv(path, index=False)
    gm = GaussianMixture(2, weights="importance", random_state=0)
    whole, expected = gm.fit(X, sample_weight=W).fit_result_, gm.bic(X, W)
    table = stream(path, weights="w")
    assert gm.fit(table).fit_result_.loglik == pytest.approx(whole.loglik, rel=1e-9)
    assert gm.bic(table) == pytest.approx(expected, rel=1e-9)
    assert table.scaled(2.0).loaded().weight == pytest.approx(2 * W.sum())


def test_a_stream_of_chunks_has_no_common_importance() -> None:
    gm = GaussianMixture(2, weights="importance", random_state=0)
    with pytest.raises(ValueError, match="partial_fit: weights='importance' takes its scale"):
        gm.partial_fit(X, sample_weight=W)


def test_an_unknown_meaning_is_refused() -> None:
    for model in (GaussianMixture(weights="frequency"), GaussianMixtureSearch(weights="frequency")):
        with pytest.raises(ValueError, match="weights"):
            model.fit(X)


def test_the_commands_offer_importance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "w": W / W.sum()}).to_csv("t.csv", index=False)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    fit = ("fit", "t.csv", "--weights", "w", "--no-figure")
    assert "warning: the weights of 200 rows sum to 1" in run(*fit)
    assert "warning" not in run(*fit, "--importance")
    assert load("t.model.json").weights == "importance"
    assert "warning" not in run("score", "t.model.json", "t.csv", "--weights", "w")
    select = run("select", "t.csv", "--weights", "w", "-k", "1:3", "--importance", "--no-figure")
    assert "warning" not in select
    assert len(load("t.model.json").weights_) == 2
    counted = run("select", "t.csv", "--weights", "w", "-k", "1:3", "--no-figure")
    assert "sum to 1," in counted
    assert "raise --components" not in counted


@pytest.mark.parametrize("way", ["fit", "fit_predict", "partial_fit"])
def test_a_warning_of_a_fit_is_at_the_line_that_asked_for_it(way: str) -> None:
    mixture = GaussianMixture(2, max_iter=1, random_state=0)
    with pytest.warns(UserWarning, match="did not converge|sum to") as told:
        getattr(mixture, way)(X, sample_weight=W / W.sum())
    assert {each.filename for each in told} == {__file__}

"""Errors and bounds beside tables, however they are handed over; and what is infinite, named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixtura
from mixtura import GaussianMixture, Mixture
from mixtura.records import Array

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2)) + 5 * RNG.integers(0, 2, size=(60, 1))
UPPER = np.where(X < 0, 0.5, np.nan)
BESIDE = {"error": np.full(X.shape, 0.3), "upper": UPPER}


def dresses(X: Array, folder: Path) -> dict[str, Callable[[], Any]]:
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame.to_csv(folder / "table.csv", index=False)
    np.save(folder / "table.npy", X)
    return {
        "array": lambda: X,
        "frame": lambda: frame,
        "path": lambda: folder / "table.csv",
        "npy": lambda: folder / "table.npy",
        "stream": lambda: mixtura.stream(folder / "table.csv", gaps=True),
        "callable": lambda: lambda: iter([X[:30], X[30:]]),
    }


def fitted(name: str) -> Any:
    made = GaussianMixture if name == "error" else lambda *a, **b: Mixture("normal", *a, **b)
    return made(2, random_state=0).fit(X, **{name: BESIDE[name]})


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_answers_beside_any_table_are_those_beside_the_array(name: str, tmp_path: Path) -> None:
    mixture, beside = fitted(name), {name: BESIDE[name]}
    for ask in ("predict", "predict_proba", "score_samples", "score"):
        answer = getattr(mixture, ask)
        wanted, plain = answer(X, **beside), answer(X)
        assert ask == "predict" or not np.allclose(wanted, plain)
        for dress, table in dresses(X, tmp_path).items():
            np.testing.assert_allclose(answer(table(), **beside), wanted, err_msg=f"{ask} {dress}")


def test_a_score_beside_a_table_has_the_weights_that_it_brings(tmp_path: Path) -> None:
    weights = RNG.integers(1, 4, size=len(X)).astype(float)
    table = np.column_stack([X, weights])
    pd.DataFrame(table, columns=["a", "b", "w"]).to_csv(tmp_path / "w.csv", index=False)
    stream = mixtura.stream(tmp_path / "w.csv", weights="w")
    for name, values in BESIDE.items():
        score = fitted(name).score
        wanted = score(X, sample_weight=weights, **{name: values})
        assert score(stream, **{name: values}) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("dress", ["array", "frame", "npy", "path", "stream", "callable"])
def test_an_infinite_cell_is_named_by_row_and_column_at_every_door(
    dress: str, tmp_path: Path
) -> None:
    bad = X.copy()
    bad[7, 1] = np.inf
    table = dresses(bad, tmp_path)[dress]
    row = "row 8" if dress in ("npy", "path", "stream") else r"row 7 \(counted from 0\)"
    column = "'x2'" if dress in ("array", "npy", "callable") else "'b'"
    frame = pd.DataFrame(X, columns=["a", "b"])
    mixture = GaussianMixture(2, random_state=0).fit(frame if column == "'b'" else X)
    calls: list[Callable[..., Any]] = [mixture.fit, mixture.predict, mixture.score_samples]
    for call in calls:
        with pytest.raises(ValueError, match=r"infini") as found:
            call(table())
        found.match(row)
        found.match(column)


def test_what_stands_beside_is_named_alike() -> None:
    at = r"row 7 \(counted from 0\)"
    wrong = np.ones(len(X))
    wrong[7] = np.inf
    labels = np.full(len(X), -1.0)
    labels[7] = np.inf
    shares = np.full((len(X), 2), 0.5)
    shares[7] = 0.5, 0.7
    far = BESIDE["error"].copy()
    far[7, 1] = np.inf
    with pytest.raises(ValueError, match=f"sample_weight contains infinity: {at} has inf"):
        GaussianMixture(2).fit(X, sample_weight=wrong)
    with pytest.raises(ValueError, match=f"labels: {at} has inf"):
        GaussianMixture(2).fit(X, labels=labels)
    with pytest.raises(ValueError, match=rf"labels: {at} has memberships \[0.5, 0.7\]"):
        GaussianMixture(2).fit(X, labels=shares)
    with pytest.raises(ValueError, match=f"error: {at}, column 'x2' has inf"):
        GaussianMixture(2).fit(X, error=far)
    with pytest.raises(ValueError, match=f"lower, upper: {at}, column 'x2' has lower=inf"):
        Mixture("normal", 2).fit(X, lower=np.where(np.isinf(far), np.inf, np.nan))

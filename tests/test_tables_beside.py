"""Bounds and errors as users hold them: frames, masks, nulls, weights of zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixtura import GaussianMixture

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(80, 2)), RNG.normal(5, 1, size=(80, 2))])
HIDDEN = np.zeros(X.shape, dtype=bool)
HIDDEN[::9, 1] = True
UPPER = np.where(HIDDEN, 2.0, np.nan)
NAMED = pd.DataFrame(X, columns=["a", "b"])


def fitted(X: Any = X, **beside: Any) -> GaussianMixture:
    return GaussianMixture(2, covariance_type="diag", random_state=0).fit(X, **beside)


@pytest.mark.parametrize(
    "upper",
    [
        np.ma.MaskedArray(np.where(HIDDEN, 2.0, -99.0), ~HIDDEN),
        pd.DataFrame(UPPER, columns=["a", "b"]).convert_dtypes(),
        pl.DataFrame(UPPER, schema=["a", "b"]).fill_nan(None).lazy(),
        UPPER.tolist(),
    ],
)
def test_bounds_as_users_hold_them(upper: Any) -> None:
    one, other = fitted(upper=UPPER), fitted(upper=upper)
    assert other.fit_result_.loglik == one.fit_result_.loglik
    np.testing.assert_array_equal(other.predict(X, upper=upper), one.predict(X, upper=UPPER))


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"upper": pd.DataFrame(UPPER, columns=["b", "a"])}, "upper has the columns b, a"),
        ({"error": pd.DataFrame(np.ones(X.shape), columns=["b", "a"])}, "error has the columns"),
        ({"upper": pd.DataFrame({"a": pd.to_datetime(["2026-01-01"] * 160), "b": 1.0})}, "date"),
        ({"upper": [["x", "y"]] * 160}, "upper"),
        ({"error": np.ma.MaskedArray(np.ones(X.shape), HIDDEN)}, "error: 18 masked values"),
    ],
)
def test_what_is_no_table_beside_x(beside: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fitted(NAMED, **beside)


@pytest.mark.parametrize("kind", [lambda w: w[:, None], lambda w: pd.DataFrame({"w": w})])
@pytest.mark.parametrize("beside", ["upper", "error", "labels"])
def test_rows_of_weight_zero_are_absent(kind: Any, beside: str) -> None:
    w = np.ones(len(X))
    w[:3] = 0.0
    rows = X.copy()
    rows[:3] = np.nan
    given = {
        "upper": np.where(np.arange(160)[:, None] < 3, -np.inf, UPPER),
        "error": np.where(np.arange(160)[:, None] < 3, np.nan, np.full(X.shape, 0.1)),
        "labels": np.where(np.arange(160) < 3, 1, np.where(np.arange(160) < 80, 0, -1)),
    }[beside]
    found = fitted(rows, sample_weight=kind(w), **{beside: given})
    alone = fitted(X[3:], **{beside: given[3:]})
    assert found.fit_result_.loglik == pytest.approx(alone.fit_result_.loglik, abs=1e-6)


def test_rows_beyond_reach_are_refused_with_errors_too() -> None:
    with pytest.raises(ValueError, match="so far from every component"):
        fitted().predict(np.full((1, 2), 1e200), error=np.ones((1, 2)))

"""Dates and numbers beyond 2**53 are refused by one sentence, whatever holds them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixtura
from mixtura import GaussianMixture, GaussianMixtureSearch

N = 12
DAYS = [datetime(2024, 1, day) for day in range(1, N + 1)]
HUGE = [2**53 + 1 + 3 * i for i in range(N)]
PLAIN = [0.5 + i for i in range(N)]
STAMPS = np.array(DAYS, dtype="datetime64[ns]")


def pairs(first: list[Any]) -> list[list[Any]]:
    return [list(row) for row in zip(first, PLAIN, strict=True)]


DATED: dict[str, Any] = {
    "array": STAMPS[:, None],
    "spans": (STAMPS - STAMPS[0])[:, None],
    "objects": np.array(pairs(DAYS), dtype=object),
    "NumPy's dates as objects": np.array([[x] for x in STAMPS.astype("M8[D]")], dtype=object),
    "list": pairs([date(2024, 1, 1) + timedelta(days=i) for i in range(N)]),
    "list of NumPy's": [[x] for x in STAMPS],
    "pandas": pd.DataFrame({"t": STAMPS}),
    "pandas, two columns": pd.DataFrame({"t": STAMPS, "x": PLAIN}),
    "pandas, a zone": pd.DataFrame({"t": pd.to_datetime(STAMPS).tz_localize("CET")}),
    "pandas, objects": pd.DataFrame({"t": pd.Series(DAYS, dtype=object), "x": PLAIN}),
    "pandas, periods": pd.DataFrame({"t": pd.period_range("2024", periods=N), "x": PLAIN}),
    "pandas, Arrow's": pd.DataFrame({"t": pd.Series(DAYS, dtype="timestamp[us][pyarrow]")}),
    "polars": pl.DataFrame({"t": DAYS}),
    "polars, spans": pl.DataFrame({"t": [day - DAYS[0] for day in DAYS], "x": PLAIN}),
    "arrow": pa.table({"t": DAYS}),
    "arrow, two columns": pa.table({"t": DAYS, "x": PLAIN}),
}
BEYOND: dict[str, Any] = {
    "array": np.array(HUGE)[:, None],
    "unsigned": np.array(HUGE, dtype=np.uint64)[:, None],
    "objects": np.array(pairs(HUGE), dtype=object),
    "decimals": np.array([[Decimal(x)] for x in HUGE], dtype=object),
    "list": [[x, 1] for x in HUGE],
    "list beside fractions": pairs(HUGE),
    "list beyond 64 bits": [[x + 2**70, 0.5] for x in HUGE],
    "pandas": pd.DataFrame({"t": HUGE}),
    "pandas, nullable": pd.DataFrame({"t": pd.Series(HUGE, dtype="Int64"), "x": PLAIN}),
    "pandas, objects": pd.DataFrame({"t": pd.Series(HUGE, dtype=object), "x": PLAIN}),
    "polars": pl.DataFrame({"t": HUGE, "x": PLAIN}),
    "polars, 128 bits": pl.DataFrame({"t": pl.Series(HUGE, dtype=pl.Int128)}),
    "arrow": pa.table({"t": HUGE}),
    "arrow, decimals": pa.table({"t": [Decimal(x) for x in HUGE], "x": PLAIN}),
}
CALLS: dict[str, Any] = {
    "fit": lambda X: GaussianMixture(1).fit(X),
    "partial_fit": lambda X: GaussianMixture(1).partial_fit(X),
    "search": lambda X: GaussianMixtureSearch([1], covariance_type="EII").fit(X),
    "compare": lambda X: mixtura.compare_solvers(X, 1, solvers=["em"]),
    "chunks": lambda X: GaussianMixture(1).fit(lambda: iter([X])),
    "predict": lambda X: fitted(np.shape(X)[1]).predict(X),
    "score": lambda X: fitted(np.shape(X)[1]).score(X),
}


def fitted(d: int) -> GaussianMixture:
    return GaussianMixture(1).fit(np.random.default_rng(0).normal(size=(20, d)))


def refused(call: str, X: Any, what: str) -> None:
    with pytest.raises(ValueError, match=rf"X: .*column ('t'|x1) {what}.*: ") as caught:
        CALLS[call](X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("container", DATED)
def test_dates_are_refused(container: str) -> None:
    for call in CALLS:
        refused(call, DATED[container], "holds dates or times")


@pytest.mark.parametrize("container", BEYOND)
def test_integers_that_floats_merge_are_refused(container: str) -> None:
    for call in CALLS:
        refused(call, BEYOND[container], r"holds integers beyond 2\*\*53 \(\d+\)")


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize(("values", "what"), [(DAYS, "dates"), (HUGE, "integers beyond")])
def test_files_say_the_same(tmp_path: Path, name: str, values: list[Any], what: str) -> None:
    path = tmp_path / name
    if name.endswith(".csv"):
        path.write_text("t\n" + "".join(f"{value}\n" for value in values))
    else:
        pq.write_table(pa.table({"t": values}), path)
    with pytest.raises(ValueError, match=f"column 't' holds {what}"):
        GaussianMixture(1).fit(str(path))


@pytest.mark.parametrize(
    "X",
    [
        [[2**53, 1], [0, 2], [5, 3]],
        [[1e300, 0.5], [2e300, 1.5], [3, 4]],
        np.array([[True, Decimal("0.1")], [False, 2], [True, 3.5]], dtype=object),
        pd.DataFrame({"a": pd.Series([1, 2, 2**53], dtype="Int64"), "b": [0.1, 0.2, 0.4]}),
        pa.table({"a": [Decimal("1.25"), Decimal("2.5"), Decimal("4.5")]}),
    ],
)
def test_what_floats_hold_is_let_in(X: Any) -> None:
    mixtura.data.exact.refuse_inexact(X)


@pytest.mark.parametrize("kind", ["datetime64[D]", "timedelta64[s]", object])
def test_dates_are_no_weights(kind: Any) -> None:
    days = np.arange(20).astype("datetime64[D]" if kind is object else kind).astype(kind)
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="sample_weight holds dates or times: weights are numbers"):
        mixtura.GaussianMixture(2).fit(X, sample_weight=days)

"""Sequences told by a column: where they end, and tables that are in no order."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixtura import HiddenMarkov, in_sequences

TABLE = {
    "who": ["b", "b", "b", "a", "a", "c"],
    "t": [0.0, 1.0, 2.5, -1.0, 0.0, 7.0],
    "x": [1.0, 2.0, 1.5, 9.0, 8.0, 9.5],
}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_column_is_lengths(frame):
    X, lengths = in_sequences(frame(TABLE), sequence="who", time="t")
    assert list(X.columns) == ["x"]
    assert lengths.tolist() == [3, 2, 1]
    fitted = HiddenMarkov(n_states=2, random_state=0).fit(X, lengths)
    by_hand = HiddenMarkov(n_states=2, random_state=0).fit(np.c_[TABLE["x"]], [3, 2, 1])
    np.testing.assert_array_equal(fitted.means_, by_hand.means_)
    assert fitted.predict(X, lengths).tolist() == [0, 0, 0, 1, 1, 1]


def test_without_columns_all_rows_are_one_sequence():
    frame = pd.DataFrame(TABLE)
    assert in_sequences(frame)[1].tolist() == [6]
    dates = frame.assign(t=pd.date_range("2020-01-01", periods=6))
    assert in_sequences(dates, time="t")[1].tolist() == [6]


def changed(**columns):
    return pd.DataFrame({**TABLE, **columns})


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (changed(t=[0, 2, 1, 0, 1, 0]), "row 2 .* lies before .* row 1 .*: sort the table by"),
        (changed(t=[0, 1, 1, 0, 1, 0]), "row 2 .* is that of row 1 .*: keep one row for each"),
        (changed(t=[0, np.nan, 1, 0, 1, 0]), "times has no value in row 1 .*: fill it in"),
        (changed(t=list("012010")), "times holds str .*: give numbers or dates"),
        (changed(t=pd.to_datetime(["2020", "2021", None] * 2)), "times has no value in row 2"),
        (
            changed(who=[1, 1, 2, 1, 2, 2]),
            "sequence 1 begins in row 0 and again in row 3 .*, .* sort",
        ),
        (changed(who=["a", None, "b", "b", "c", "c"]), "sequences has no value in row 1"),
        (changed(who=[1.0, np.nan, 2, 2, 3, 3]), "sequences has no value in row 1"),
        (pd.DataFrame({"x": [1, 2]}), "sequence='who': there is no such column; X has x"),
        (np.zeros((3, 2)), "X must be a data frame, got ndarray"),
    ],
)
def test_tables_without_order_are_refused(frame, said):
    with pytest.raises(ValueError, match=said):
        in_sequences(frame, sequence="who", time="t")


@pytest.mark.parametrize(
    "times",
    [
        [dt.date(2020, 1, day) for day in range(1, 7)],
        [dt.time(hour) for hour in range(6)],
        pd.period_range("2020-01", periods=6, freq="M"),
        pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
    ],
    ids=["date", "time of day", "period", "nullable"],
)
def test_whatever_has_an_order_is_a_time(times):
    rising = pd.DataFrame({"t": times, "x": np.arange(6.0)})
    assert in_sequences(rising, time="t")[1].tolist() == [6]
    with pytest.raises(ValueError, match=r"row 1 \(.*\) lies before that of row 0"):
        in_sequences(rising[::-1].reset_index(drop=True), time="t")


@pytest.mark.parametrize(
    "names",
    [
        pd.array(["a", None, "b"], dtype="string"),
        pd.array([1, None, 2], dtype="Int64"),
        pl.Series(["a", None, "b"]),
    ],
    ids=["text", "numbers", "polars"],
)
def test_a_row_of_no_sequence_is_named(names):
    frame = pl.DataFrame if isinstance(names, pl.Series) else pd.DataFrame
    with pytest.raises(ValueError, match="no value in row 1"):
        in_sequences(frame({"who": names, "x": [1.0, 2.0, 3.0]}), sequence="who")


def test_a_table_without_rows_is_refused():
    with pytest.raises(ValueError, match="X has no rows"):
        in_sequences(pd.DataFrame(TABLE)[:0], sequence="who")


def test_one_column_has_one_role():
    with pytest.raises(ValueError, match="time='t': sequence is that column too"):
        in_sequences(pd.DataFrame({"t": [1, 2], "x": [3, 4]}), sequence="t", time="t")

"""select, howmany and compare end to end, from every kind of table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import FAITHFUL, names, run, spawn

import mixtura

QUICK = {
    "select": ("-k", "2:4", "--covariance", "EEE,VVV", "--no-figure", "--out", "m.json"),
    "howmany": ("--max", "3", "--resamples", "19"),
    "compare": ("-k", "2", "--starts", "1", "--solver", "em", "--no-figure"),
}


@pytest.fixture
def tables(folder: Path) -> dict[str, Path]:
    """The eruptions as an array and as a folder of two files."""
    X = np.loadtxt(FAITHFUL, delimiter=",", skiprows=1)
    np.save("f.npy", X)
    (folder / "parts").mkdir()
    for i, rows in enumerate((X[:100], X[100:])):
        table = pa.table({"eruptions": rows[:, 0], "waiting": rows[:, 1]})
        pq.write_table(table, folder / "parts" / f"{i}.parquet")
    return {"npy": folder / "f.npy", "folder": folder / "parts"}


@pytest.mark.parametrize("command", QUICK)
def test_any_kind_of_table_gives_the_same(command: str, tables: dict[str, Path]) -> None:
    def found(table: Path) -> object:
        done = run(command, table, *QUICK[command], "--json")
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        told = json.loads(done.stdout)
        if command == "select":
            return told["best_params"], told["best_score"]
        return told["n_components"] if command == "howmany" else told["columns"]

    expected = found(FAITHFUL)
    assert found(tables["folder"]) == expected
    if command != "compare":
        assert found(tables["npy"]) == expected
    else:
        assert found(tables["npy"]) == ["x1", "x2"]


def test_select_as_a_process(folder: Path) -> None:
    done = spawn("select", FAITHFUL, "-k", "2:4", "--covariance", "EEE,VVV")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "wrote faithful.select.model.json (model) and faithful.select.png (figure)\n"
    )
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert mixtura.load("faithful.select.model.json").n_components == 3


def test_howmany_as_a_process(folder: Path) -> None:
    done = spawn("howmany", FAITHFUL, "--max", 3, "--resamples", 19, "--figure", "f.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("wrote f.png (figure)\n")
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert names(folder) == ["f.png"]


def test_a_search_reads_what_a_stream_reads(tables: dict[str, Path]) -> None:
    X = np.loadtxt(FAITHFUL, delimiter=",", skiprows=1)
    settings = {"n_components": [1, 2], "covariance_type": ["EEE"], "random_state": 0}
    whole = mixtura.GaussianMixtureSearch(**settings)
    with pytest.warns(mixtura.StillRisingWarning):
        whole.fit(X, sample_weight=np.arange(len(X)) % 3)
    for table, weights in (
        (tables["npy"], np.arange(len(X)) % 3),
        (lambda: iter([(X[:50], np.arange(50) % 3), (X[50:], np.arange(50, 272) % 3)]), None),
    ):
        again = mixtura.GaussianMixtureSearch(**settings)
        with pytest.warns(mixtura.StillRisingWarning):
            again.fit(table, sample_weight=weights)
        np.testing.assert_array_equal(again.cv_results_["bic"], whole.cv_results_["bic"])
    named = mixtura.GaussianMixtureSearch([1], covariance_type="EEE").fit(str(tables["folder"]))
    assert list(named.best_estimator_.feature_names_in_) == ["eruptions", "waiting"]
    with pytest.raises(ValueError, match="minimum of 2"):
        named.fit(lambda: iter([X[:1]]))

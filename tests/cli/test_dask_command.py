"""`mixtura fit --engine dask`: a folder read and swept by workers, and what is refused."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import FAITHFUL, run

import mixtura

distributed = pytest.importorskip(
    "distributed", reason="distributed is not installed: pip install 'mixtura[dask]'"
)


@pytest.fixture
def table(folder: Path) -> Path:
    """A folder of two Parquet files, 1,000 rows of a, b and weights w."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2)) + 5.0 * rng.integers(0, 2, size=(1000, 1))
    frame = pd.DataFrame(X, columns=list("ab")).assign(w=rng.integers(1, 3, size=1000))
    (folder / "table").mkdir()
    for i in range(2):
        frame[500 * i : 500 * (i + 1)].to_parquet(folder / "table" / f"{i}.parquet")
    return folder / "table"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_workers_of_a_scheduler_fit_a_folder(table: Path, folder: Path) -> None:
    asked = ("fit", table, "--weights", "w", "--quiet")
    assert run(*asked, "--out", folder / "here.json", "--no-figure").exit_code == 0
    with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        where = ("--engine", "dask", "--scheduler", cluster.scheduler_address)
        found = run(*asked, *where, "--out", folder / "there.json", "--figure", folder / "f.png")
    assert found.exit_code == 0, found.stderr
    here, there = (mixtura.load(folder / name) for name in ("here.json", "there.json"))
    np.testing.assert_allclose(there.means_, here.means_, rtol=0, atol=1e-10)
    assert there.fit_result_.engine == "dask"
    assert list(there.feature_names_in_) == ["a", "b"]
    assert (folder / "f.png").exists()


def test_a_posterior_of_a_folder(table: Path, folder: Path) -> None:
    for how in (("--engine", "dask"), ("--in-pieces",)):
        found = run("fit", table, "--columns", "a,b", "--bayes", *how, "--out", "m.json", "-q")
        assert found.exit_code == 0, found.stderr
        assert mixtura.load("m.json").weights_.max() < 0.7
    # Of it no cell may be missing.
    pd.DataFrame({"a": [1.0, np.nan], "b": 1.0}).to_parquet(table / "2.parquet")
    found = run("fit", table, "--columns", "a,b", "--bayes", "--engine", "dask", "--no-figure")
    assert (found.exit_code, "no value in column 'a'" in found.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "dask", "--labels", "w"), "table in memory: use --in-memory (not with"),
        (("--engine", "dask", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        (("--engine", "dask", "--scheduler", "nowhere"), "no Dask scheduler answers"),
        (("--scheduler", "tcp://127.0.0.1:9"), "is for --engine dask: give both, or neither"),
        (("--engine", "dask", "--in-memory"), "--in-memory: with --engine dask workers hold"),
        (("--engine", "dask", "--sep", ";"), "leave out the options of how text is written"),
    ],
)
def test_what_is_refused(
    table: Path, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtura.cli.apart.PATIENCE", 0.5)
    found = run("fit", table, *arguments, "--no-figure")
    assert (found.exit_code, message in found.stderr) == (2, True), found.stderr


def test_a_port_that_takes_calls_and_says_nothing(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtura.cli.apart.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        where = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        found = run("fit", table, "--engine", "dask", "--scheduler", where, "--no-figure")
    assert found.exit_code == 2
    assert "no Dask scheduler answers there within" in found.stderr


def test_other_files_are_refused(folder: Path) -> None:
    found = run("fit", FAITHFUL, "--engine", "dask", "--no-figure")
    assert found.exit_code == 2
    assert "reads Parquet files and folders of them" in found.stderr

"""mixtura fit on tables read in pieces, with a checkpoint, and the pace it shows."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import FAITHFUL, environment, names, run

from mixtura.cli import reading
from mixtura.cli.pace import Pace
from mixtura.data import streamed


@pytest.fixture
def long_table(folder: Path) -> Path:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30_000, 2)) + 3.0 * rng.integers(0, 2, size=(30_000, 1))
    (folder / "long").mkdir()
    for part in (0, 1):
        rows = X[part::2]
        frame = pa.table({"a": rows[:, 0], "b": rows[:, 1], "id": np.arange(len(rows))})
        pq.write_table(frame, folder / "long" / f"{part}.parquet")
    return folder / "long"


def test_in_pieces_prints_and_writes_the_same(folder: Path) -> None:
    whole = run("fit", FAITHFUL, "-k", 3, "--out", "a.json")
    pieces = run("fit", FAITHFUL, "-k", 3, "--out", "b.json", "--in-pieces")
    assert whole.stdout.replace("a.json", "b.json") == pieces.stdout
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()


def test_a_folder_is_read_in_pieces(
    long_table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed, "SMALL_BYTES", 0)
    monkeypatch.setattr(reading, "SHOWN", 500)
    done = run("fit", long_table, "--exclude", "id", "--checkpoint", "run.checkpoint")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("2 groups in 30,000 rows of 2 columns (a, b)\n")
    assert names(folder) == ["long", "long.model.json", "long.png"]


def test_a_folder_is_read_into_memory_where_that_is_asked(long_table: Path, folder: Path) -> None:
    asked = (long_table, "--exclude", "id", "--no-figure")
    pieces, memory = run("fit", *asked, "--in-pieces"), run("fit", *asked, "--in-memory")
    assert memory.exit_code == 0, memory.output
    assert memory.stdout == pieces.stdout
    # What stands beside the columns is there too.
    (folder / "beside").mkdir()
    x = np.arange(40) % 7 / 7.0
    pq.write_table(pa.table({"a": x, "top": x + 1.0}), folder / "beside" / "0.parquet")
    asked_beside = (folder / "beside", "--columns", "a", "--upper", "a=top", "-k", 1)
    bounded = run("fit", *asked_beside, "--in-memory", "--no-figure")
    assert bounded.exit_code == 0, bounded.output
    pq.write_table(pa.table({"a": ["x"], "b": [0.0], "id": [0]}), folder / "long" / "2.parquet")
    refused = run("fit", *asked, "--in-memory").stderr
    assert "its files are not parts of one table" in " ".join(refused.split())


def test_which_tables_are_long(long_table: Path, folder: Path, monkeypatch: pytest.MonkeyPatch):
    file = long_table / "0.parquet"
    assert reading.is_long(long_table)
    assert not reading.is_long(file)
    assert not reading.is_long(FAITHFUL)
    monkeypatch.setattr(reading, "LONG", 3 * 15_000 - 1)
    assert reading.is_long(file)
    monkeypatch.setattr(reading, "LONG", 300)
    assert reading.is_long(FAITHFUL)
    assert not reading.is_long(folder / "lost.csv")


def test_a_checkpoint_of_other_settings_is_refused(long_table: Path, folder: Path) -> None:
    (folder / "run.checkpoint").write_text("my diary\n")
    done = run("fit", FAITHFUL, "--checkpoint", "run.checkpoint")
    assert done.exit_code == 2
    assert "run.checkpoint: this is not a mixtura checkpoint" in done.stderr.replace("\n", " ")
    assert names(folder) == ["long", "run.checkpoint"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_fit_says_how_to_go_on(long_table: Path, folder: Path) -> None:
    rest = ("--exclude", "id", "-k", "3", "--tol", "1e-13", "--solver", "em", "--no-figure")
    options = ("fit", str(long_table), *rest, "--max-iter", "100000")
    command = [sys.executable, "-m", "mixtura", *options, "--checkpoint", "run.checkpoint"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        until = time.monotonic() + 60
        path = folder / "run.checkpoint"
        while not (path.exists() and path.read_bytes().count(b"\n") > 1):
            assert time.monotonic() < until
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "interrupted: the same command goes on from run.checkpoint\n"
    assert names(folder) == ["long", "run.checkpoint"]


def test_the_pace() -> None:
    now = [0.0]
    pace = Pace(1000, 1e-6, clock=lambda: now[0])
    assert pace.text() == ""
    for done in (100, 200, 400, 500):
        now[0] += 1.0
        pace.read(done)
    assert pace.text() == "125 rows/s, 50% of the pass, 0:04 left of it"
    # Gains that halve: 1e-3 is still to come, and ten steps halve it a thousandfold.
    pace.gained(2e-3)
    pace.gained(1e-3)
    assert pace.steps_left == pytest.approx(np.log(1e-3 / 1e-6) / np.log(2))
    assert pace.text() == "125 rows/s, 50% of the pass, about 1:24 left"
    pace.gained(4e-3)
    assert pace.text() == "125 rows/s, 50% of the pass, 0:04 left of it"

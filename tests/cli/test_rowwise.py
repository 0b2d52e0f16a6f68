"""predict, score and sample on tables of any size: what is kept, pieces, memory, refusals."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from commands import FAITHFUL, environment, names, run

import mixtura
from mixtura.cli import reading, rowwise
from mixtura.cli.pace import Pace
from mixtura.data import columnar, parts, writing
from mixtura.data.kept import about_rows
from mixtura.data.tables import Table

LINES = FAITHFUL.read_text().splitlines()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces, and every table too long to be read as a whole."""
    monkeypatch.setattr(columnar, "NUMBERS", 100)
    monkeypatch.setattr(parts, "BLOCK", 1 << 10)
    monkeypatch.setattr(reading, "LONG", 10)
    monkeypatch.setattr(writing, "GROUP_BYTES", 1 << 12)


def faithful() -> np.ndarray:
    return np.loadtxt(FAITHFUL, delimiter=",", skiprows=1)


def test_text_is_kept_as_it_is_written(folder: Path, model: Path) -> None:
    rows = ['007,3.60,79,"a, ""b"""', "010,1.8,54.0,NA", "011,2,60,"]
    (folder / "t.csv").write_text("\n".join(["code,eruptions,waiting,note", *rows]))
    done = run("predict", model, "t.csv")
    assert done.exit_code == 0, done.output
    kept = [line.rsplit(",", 3)[0] for line in done.stdout.splitlines()]
    assert kept == ["code,eruptions,waiting,note", *rows]
    run("score", model, "t.csv", "--per-row", "--out", "s.tsv")
    assert (folder / "s.tsv").read_text().splitlines()[1].startswith('007\t3.60\t79\t"a, ""b"""\t')


def tables(folder: Path) -> dict[str, Path]:
    """The eruptions in every kind of file, with a column that is not fitted."""
    X = faithful()
    frame = pa.table({"eruptions": X[:, 0], "id": np.arange(len(X)), "waiting": X[:, 1]})
    pacsv.write_csv(frame, folder / "t.csv")
    (folder / "t.csv.gz").write_bytes(gzip.compress((folder / "t.csv").read_bytes()))
    pq.write_table(frame, folder / "t.parquet")
    (folder / "parts").mkdir()
    for i, (first, last) in enumerate(((0, 100), (100, 272))):
        pq.write_table(frame.slice(first, last - first), folder / "parts" / f"{i}.parquet")
    return {name: folder / name for name in ("t.csv", "t.csv.gz", "t.parquet", "parts")}


@pytest.mark.usefixtures("small_pieces")
def test_pieces_answer_as_the_whole(folder: Path, model: Path) -> None:
    X = faithful()
    mixture = mixtura.load(model)
    del mixture.feature_names_in_
    for table in tables(folder).values():
        for out in ("o.csv", "o.parquet"):
            done = run("predict", model, table, "--out", out)
            assert (done.exit_code, done.output) == (0, "")
            found = pacsv.read_csv(out) if out == "o.csv" else pq.read_table(out)
            assert found.column_names == ["eruptions", "id", "waiting", "label", "p_0", "p_1"]
            assert found["id"].to_pylist() == list(range(272))
            np.testing.assert_array_equal(found["label"], mixture.predict(X))
            np.testing.assert_array_equal(found["p_1"], mixture.predict_proba(X)[:, 1])
        scored = json.loads(run("score", model, table, "--json").stdout)
        assert scored["rows"] == 272
        assert scored["log_likelihood"] == pytest.approx(mixture.score(X) * 272, rel=1e-13)
        assert scored["bic"] == pytest.approx(mixture.bic(X), rel=1e-13)
        assert scored["aic"] == pytest.approx(mixture.aic(X), rel=1e-13)
    assert pq.ParquetFile("o.parquet").num_row_groups > 1


def test_an_array_file(folder: Path) -> None:
    np.save("t.npy", faithful())
    run("fit", "t.npy", "--no-figure")
    done = run("predict", "t.model.json", "t.npy")
    assert done.stdout.splitlines()[0] == "x1,x2,label,p_0,p_1"
    assert len(done.stdout.splitlines()) == 273
    np.save("odd.npy", np.zeros(3))
    assert "give rows of numbers" in run("predict", "t.model.json", "odd.npy").stderr


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("asked", [["predict"], ["score", "--per-row"]])
@pytest.mark.parametrize("out", [[], ["--out", "o.csv"]])
def test_text_far_down_leaves_no_row(
    folder: Path, model: Path, asked: list[str], out: list[str]
) -> None:
    lines = [*LINES]
    lines[250] = "3.1,none"
    (folder / "t.csv").write_text("\n".join(lines))
    done = run(asked[0], model, "t.csv", *asked[1:], *out)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "t.csv: column 'waiting' holds text ('none') in row 250 among its numbers" in done.stderr
    assert done.stderr.endswith("mend such cells, or empty those of missing values\n")
    assert names(folder) == ["t.csv"]


@pytest.mark.usefixtures("small_pieces")
def test_what_cannot_be_written_in_pieces_says_so(folder: Path, model: Path) -> None:
    lines = [LINES[0] + ",n", *(line + ",1" for line in LINES[1:]), "3.1,70,one"]
    (folder / "t.csv").write_text("\n".join(lines))
    done = run("predict", model, "t.csv", "--out", "o.parquet")
    assert done.exit_code == 2
    assert "write .csv, whose columns may hold anything" in done.stderr
    assert run("predict", model, "t.csv", "--out", "o.csv").exit_code == 0
    (folder / "parts").mkdir()
    X = faithful()
    for i, extra in enumerate(("a", "b")):
        frame = pa.table({"eruptions": X[:, 0], "waiting": X[:, 1], extra: X[:, 0]})
        pq.write_table(frame, folder / "parts" / f"{i}.parquet")
    done = run("predict", model, "parts", "--out", "o.parquet")
    assert "later rows have columns 'eruptions', 'waiting', 'b'" in done.stderr
    assert names(folder) == ["o.csv", "parts", "t.csv"]


def folder_of(folder: Path, *extras: pa.Table) -> Path:
    """A folder whose parts have the eruptions and these columns."""
    X = faithful()[:2]
    (folder / "k").mkdir()
    for i, extra in enumerate(extras):
        frame = pa.table({"eruptions": X[:, 0], "waiting": X[:, 1]})
        for name in extra.column_names:
            frame = frame.append_column(name, extra[name])
        pq.write_table(frame, folder / "k" / f"{i}.parquet")
    return folder / "k"


@pytest.mark.parametrize("out", [[], ["--out", "o.csv"], ["--out", "o.parquet"]])
def test_parts_with_other_columns_are_refused(folder: Path, model: Path, out: list[str]) -> None:
    one = pa.table({"a": [1, 2], "b": [3, 4]})
    table = folder_of(folder, one, one.select(["b", "a"]))
    done = run("predict", model, table, *out)
    assert done.exit_code == 2
    name = out[1] if out else "standard output"
    assert f"error: {name}: cannot be written: later rows have columns" in done.stderr
    assert done.stdout == ""


def test_what_no_text_holds_is_told_on_stdout(folder: Path, model: Path) -> None:
    table = folder_of(folder, pa.table({"l": [[1], [2, 3]]}))
    done = run("predict", model, table)
    assert done.exit_code == 2
    assert "standard output: a column does not fit into a text file (its values" in done.stderr
    bad = pa.array([b"\xff", b"a"], pa.binary())
    pq.write_table(pq.read_table(table).set_column(2, "l", bad), table / "0.parquet")
    done = run("predict", model, table)
    assert done.exit_code == 2
    assert "standard output: a column does not fit into a text file (Invalid UTF8" in done.stderr


@pytest.mark.parametrize("whole", [False, True])
def test_a_broken_pipe_does_not_hide_the_first_error(
    monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    class Broken(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "broken")

    class Text:
        buffer = Broken()

        def flush(self) -> None:
            pass

    def frames() -> Iterator[pa.Table]:
        yield pa.table({"a": [1]})
        raise ValueError("the first error")

    monkeypatch.setattr(sys, "stdout", Text())
    with pytest.raises(ValueError, match="the first error"):
        rowwise.put_table(frames(), None, whole=whole)
    with pytest.raises(OSError, match=r"standard output: cannot be written \("):
        rowwise.put_table(iter([pa.table({"a": [1]})]), None, whole=whole)


def test_what_cannot_be_written_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that waits on for its rows to be taken keeps the command from ending."""
    X, ended = faithful(), list[bool]()
    frame = pa.table({"eruptions": X[:, 0]})

    def tables() -> Generator[Table, None, None]:
        try:
            for _ in range(3):
                yield Table(X, ("eruptions", "waiting"), None, frame)
        finally:
            ended.append(True)

    def full(_: Path | None, whole: bool) -> nullcontext[Any]:
        def put(_: pa.Table) -> None:
            raise OSError(errno.ENOSPC, "full")

        return nullcontext(put)

    monkeypatch.setattr(rowwise, "_put", full)
    with pytest.raises(OSError, match="full") as met:
        rowwise.append(tables(), lambda piece, _: {"b": piece.X[:, 0]}, 1, Path("t.csv"), None)
    assert ended, met


@pytest.mark.parametrize("out", [[], ["--out", "o.parquet"]])
@pytest.mark.parametrize("later", [[0.5, 1.5], ["one", "two"]])
def test_parts_of_other_types_are_told_apart(
    folder: Path, model: Path, out: list[str], later: list[object]
) -> None:
    table = folder_of(folder, pa.table({"n": [1, 2]}), pa.table({"n": later}))
    done = run("predict", model, table, *out)
    assert done.exit_code == 2
    kind = "double" if later[0] == 0.5 else "string"
    assert f"column 'n' is of type {kind} in later rows, and of type int64" in done.stderr
    assert "give the column one type in all files" in done.stderr
    assert "text file" not in done.stderr
    assert names(folder) == ["k"]


@pytest.mark.parametrize("command", ["score", "audit", "goodness"])
def test_weights_are_no_column_of_the_model(folder: Path, model: Path, command: str) -> None:
    (folder / "t.csv").write_text("\n".join(LINES))
    done = run(command, model, "t.csv", "--weights", "waiting")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "column 'waiting' is one of the model's 2, 'eruptions', 'waiting'" in done.stderr


def test_weights_of_nothing_are_refused(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_text("eruptions,waiting,w\n3.6,79,0\n1.8,54,0\n")
    done = run("score", model, "t.csv", "--weights", "w")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the weights column 'w' is zero in every row" in done.stderr


def test_the_rows_of_a_sample_do_not_hang_on_pieces(folder: Path, model: Path) -> None:
    n = 40_000
    run("sample", model, "-n", n, "--seed", 5, "--out", "s.parquet")
    found = pq.read_table("s.parquet")
    X, labels = mixtura.load(model).sample(n, random_state=5)
    np.testing.assert_array_equal(found["waiting"], X[:, 1])
    np.testing.assert_array_equal(found["label"], labels)


def test_how_many_rows_are_guessed(folder: Path) -> None:
    found = {name: about_rows(path) for name, path in tables(folder).items()}
    assert found["parts"] == found["t.parquet"] == 272
    assert found["t.csv"] == pytest.approx(272, abs=2)
    assert found["t.csv.gz"] == pytest.approx(272, abs=2)


def test_the_pace_of_one_reading() -> None:
    now = [0.0]
    pace = Pace(1000, None, clock=lambda: now[0])
    for done in (100, 200, 400, 500):
        now[0] += 1.0
        pace.read(done)
    assert pace.text() == "500 rows, 125 rows/s, about 0:04 left"
    pace.read(1500)
    assert pace.rows == 1500


LIMITED = """
import resource, sys
from mixtura import load
import pyarrow.parquet, pyarrow.compute, sklearn.cluster
from mixtura.cli import main

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

load(sys.argv[2]).predict_proba([[0.0] * 20])
resource.setrlimit(resource.RLIMIT_DATA, (int(status("VmData") + 80) * 2**20,) * 2)
main()
"""


@pytest.mark.parametrize("table", ["t.csv", "t"])
def test_rows_are_counted_in_the_whole_table(folder: Path, small_pieces: None, table: str) -> None:
    counts = np.random.default_rng(0).poisson(3.0, size=(600, 2)).astype(np.float64)

    def write(bad: float) -> None:
        counts[500, 1] = bad
        frame = pa.table({"apples": counts[:, 0], "pears": counts[:, 1]})
        if table == "t":
            (folder / "t").mkdir(exist_ok=True)
            for i in range(3):
                pq.write_table(frame.slice(200 * i, 200), f"t/{i}.parquet")
        else:
            pacsv.write_csv(frame, table)

    write(2.0)
    poisson = ["-k", "2", "--family", "poisson", "--no-figure"]
    assert run("fit", table, *poisson, "--out", "counts.json").exit_code == 0
    assert run("fit", table, "-k", "2", "--no-figure", "--out", "plain.json").exit_code == 0
    write(-3.0)
    for asked in (
        ["fit", table, *poisson],
        ["fit", table, *poisson, "--in-pieces"],
        ["predict", "counts.json", table],
        ["score", "counts.json", table],
        ["score", "counts.json", table, "--per-row"],
    ):
        assert "column 'pears' holds -3 in row 501:" in run(*asked).stderr
    write(1e200)
    assert "row 501 lies so far from every" in run("predict", "plain.json", table).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits are read as Linux has them")
@pytest.mark.parametrize("arguments", [["predict"], ["score", "--per-row"], ["score", "--json"]])
def test_memory_does_not_grow_with_the_rows(folder: Path, arguments: list[str]) -> None:
    # A file with holes: 400 MB of zeros, of which 80 MB may be held.
    table = np.lib.format.open_memmap("t.npy", "w+", shape=(2_500_000, 20))
    rows = len(table)
    del table
    mixtura.GaussianMixture.from_parameters(
        [0.5, 0.5], [[-1.0] * 20, [1.0] * 20], [1.0, 1.0], covariance_type="spherical"
    ).save("m.json")
    out = [] if "--json" in arguments else ["--out", "o.parquet"]
    command = [sys.executable, "-c", LIMITED, arguments[0], "m.json", "t.npy", *arguments[1:], *out]
    quiet = environment() | {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if out:
        assert pq.read_metadata("o.parquet").num_rows == rows
        os.unlink("o.parquet")
    else:
        assert json.loads(done.stdout)["rows"] == rows


@pytest.mark.parametrize("command", ["predict", "score"])
def test_a_broken_parquet_file_is_named(folder: Path, model: Path, command: str) -> None:
    (folder / "parts").mkdir()
    for table in ("bad.parquet", "parts/p1.parquet"):
        Path(table).write_text("junk")
    for asked, told in (("bad.parquet", "bad.parquet"), ("parts", "parts/p1.parquet")):
        result = run(command, model, asked)
        assert result.exit_code == 2
        assert f"error: {told}: this table cannot be read" in result.output

"""The command line refusing and being interrupted: one line, an exit code, no files."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import ESCAPE, FAITHFUL, environment, names, run, spawn

import mixtura

BAD_TABLES = {
    "text": (
        "class\nsetosa\n",
        "column 'class' holds text ('setosa'): leave it out with --exclude",
    ),
    "ragged": ("a,b\n1,2\n3\n", "line 3 has 1 field where the first line has 2"),
    "missing": (
        "a,b\n1,\n2,3\n",
        "missing cells, and in column 1 (counted from 0) only one row has",
    ),
    "empty": ("", "the file is empty"),
    "one row": ("a,b\n1,2\n", "--components 2: bad.csv has only 1 row: use fewer"),
    "one distinct row": ("a,b\n1,2\n1,2\n1,2\n", "only 1 distinct row"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(folder: Path, case: str) -> None:
    content, message = BAD_TABLES[case]
    (folder / "bad.csv").write_text(content)
    refused("fit", "bad.csv", message=message)
    assert names(folder) == ["bad.csv"]


BAD_USE = {
    "no table": (["fit", "none.csv"], "none.csv: there is no such file"),
    "a model as table": (["fit", "MODEL"], "a table is needed here"),
    "a table as model": (["show", "TABLE"], "this is not a mixtura model"),
    "no model": (["predict", "none.json", "TABLE"], "none.json: there is no such file"),
    "no column": (["fit", "TABLE", "--columns", "waitin"], "did you mean 'waiting'?"),
    "no groups": (["fit", "TABLE", "-k", "0"], "Invalid value for '--components'"),
    "odd covariance": (["fit", "TABLE", "--covariance", "round"], "'--covariance'"),
    "odd option": (["fit", "TABLE", "--colour"], "No such option"),
    "no rows": (["sample", "MODEL", "-n", "0"], "Invalid value for '-n'"),
    "no folder": (["fit", "TABLE", "--out", "x/m.json"], "--out x/m.json: cannot be written"),
    "odd model name": (["fit", "TABLE", "--out", "m.csv"], "a model's name ends in .json"),
    "odd figure": (["fit", "TABLE", "--figure", "f.txt"], "a figure's name ends in .png"),
    "figure or not": (["fit", "TABLE", "--figure", "f.png", "--no-figure"], "contradict"),
    "out without rows": (["score", "MODEL", "TABLE", "--out", "o.csv"], "--out is for --per-row"),
    "rows as json": (["score", "MODEL", "TABLE", "--per-row", "--json"], "choose one of them"),
    "weights per row": (
        ["score", "MODEL", "TABLE", "--per-row", "--weights", "waiting"],
        "--weights does not change a row's density",
    ),
    "odd out": (["predict", "MODEL", "TABLE", "--out", "o.xls"], "the name ends in '.xls'"),
    "no out folder": (["sample", "MODEL", "--out", "x/o.csv"], "there is no folder 'x'"),
}


@pytest.mark.parametrize("case", BAD_USE)
def test_bad_use(folder: Path, model: Path, case: str) -> None:
    arguments, message = BAD_USE[case]
    places = {"MODEL": str(model), "TABLE": str(FAITHFUL)}
    refused(*(places.get(word, word) for word in arguments), message=message)
    assert names(folder) == []


def test_a_path_is_no_pattern(folder: Path) -> None:
    (folder / r"a\data.csv").write_text("x\n1\n1\n1\n")
    refused("fit", r"a\data.csv", "-k", "2", message=r"a\data.csv", code=2)


def refused(*arguments: object, message: str, code: int = 2) -> None:
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    told = " ".join(ESCAPE.sub("", done.stderr).replace("│", " ").split())
    assert message in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2\n-3,4\n", "t.csv: --family poisson is for counts (0, 1, 2, ...), and column 'a' "
         "holds -3 in row 2: choose"),
        ("1,2\n,\n4,4\n", "t.csv: row 2 has no value in any column"),
    ],
)  # fmt: skip
def test_rows_of_a_file_are_counted_from_one(folder: Path, rows: str, message: str) -> None:
    (folder / "t.csv").write_text(f"a,b\n{rows}")
    refused("fit", "t.csv", "--family", "poisson", message=message)


def test_a_column_the_model_needs_is_named(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_text("eruptions,wait\n1,2\n")
    refused(
        "predict", model, "t.csv",
        message="the model needs 'eruptions', 'waiting', and the table lacks 'waiting'; it has "
        "'eruptions', 'wait'",
    )  # fmt: skip


def test_a_damaged_model_is_named(folder: Path, model: Path) -> None:
    document = json.loads(model.read_text())
    document["arrays"]["means_"] = {"dtype": "float64", "shape": [1, 1], "data": [[1.0]]}
    (folder / "m.json").write_text(json.dumps(document))
    refused("show", "m.json", message="error: m.json: ")
    (folder / "m.json").write_text(model.read_text()[:500])
    refused("show", "m.json", message="m.json: this is a mixtura model that is cut off or damaged")


@pytest.mark.parametrize("ending", [".csv", ".txt", ".npy", ".parquet"])
@pytest.mark.parametrize("command", ["predict", "score"])
def test_a_missing_table_is_told_alike(
    folder: Path, model: Path, command: str, ending: str
) -> None:
    (folder / f"table{ending}").touch()
    told = f"error: tabel{ending}: there is no such file (did you mean table{ending}?)"
    refused(command, model, f"tabel{ending}", message=told)


@pytest.mark.parametrize("arguments", [["predict"], ["score", "--per-row"]])
def test_the_table_is_not_overwritten(folder: Path, model: Path, arguments: list[str]) -> None:
    (folder / "t.csv").write_bytes(FAITHFUL.read_bytes())
    (folder / "link.csv").symlink_to("t.csv")
    for out in ("t.csv", "link.csv"):
        refused(*arguments, model, "t.csv", "--out", out, message="this is the table that is read")
    assert (folder / "t.csv").read_bytes() == FAITHFUL.read_bytes()


@pytest.mark.parametrize("arguments", [["predict"], ["score", "--per-row"]])
def test_no_part_of_the_table_is_overwritten(
    folder: Path, model: Path, arguments: list[str]
) -> None:
    (folder / "k" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to("k")
    part = folder / "k" / "t.parquet"
    rows = np.loadtxt(FAITHFUL, delimiter=",", skiprows=1)
    pq.write_table(pa.table({"eruptions": rows[:, 0], "waiting": rows[:, 1]}), part)
    before = part.read_bytes()
    for out in ("k/t.parquet", "k/new.csv", "k/deep/new.parquet", "link/t.parquet"):
        refused(*arguments, model, "k", "--out", out, message="this lies in the folder that is")
    refused(*arguments, model, "link", "--out", "k/t.parquet", message="this lies in the folder")
    assert part.read_bytes() == before
    assert names(folder / "k") == ["deep", "t.parquet"]
    assert run(*arguments, model, "k", "--out", "k.parquet").exit_code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["sample"], ["show"], ["show", "--json"]])
def test_a_full_disk_is_named_by_the_output(model: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "mixtura", *arguments, str(model)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), check=False
        )
    assert done.returncode == 2
    assert done.stderr == "error: standard output: cannot be written (No space left on device)\n"


def test_temporary_names_are_not_told(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in /proc: permission is there, and still no file can be made.
    monkeypatch.setattr("mixtura.data.files.why_not_writable", lambda _: None)
    monkeypatch.setattr("mixtura.data.atomic.why_not_writable", lambda _: None)
    monkeypatch.setattr("mixtura.store.why_not_writable", lambda _: None)
    for arguments, name in (
        (["sample", model, "--out", "no/x.csv"], "no/x.csv"),
        (["fit", FAITHFUL, "--no-figure", "--out", "no/x.json"], "no/x.json"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert done.stderr == f"error: {name}: cannot be written (No such file or directory)\n"


def test_a_failed_fit_is_not_bad_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise mixtura.Collapse(0, 1.0, 0.0)

    monkeypatch.setattr("mixtura.GaussianMixture.fit_table", fail)
    refused("fit", FAITHFUL, message="error: component 0 holds 1 rows", code=1)


def test_no_traceback_and_clean_stdout_in_a_pipe(folder: Path) -> None:
    done = spawn("fit", "none.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: none.csv: there is no such file\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_an_interrupted_fit_shows_progress_and_writes_the_best_it_has(folder: Path) -> None:
    import pty

    rng = np.random.default_rng(0)
    np.savetxt("t.csv", rng.normal(size=(20_000, 4)), delimiter=",", header="a,b,c,d", comments="")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mixtura", "fit", "t.csv", "-k", "8", "--tol", "0",
         "--max-iter", "100000000"],
        stdout=subprocess.PIPE, stderr=theirs, env=environment() | {"TERM": "xterm"},
        # Workers of pytest-xdist ignore the signal, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        seen = read_until(ours, b"EM step", seconds=120)
        process.send_signal(signal.SIGINT)
        seen += read_until(ours, b"interrupted", seconds=60)
        # A terminal that nobody reads is full soon, and then whoever writes to it waits.
        last = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < last:
            if select.select([ours], [], [], 0.1)[0]:
                os.read(ours, 4096)
        stdout, _ = process.communicate(timeout=1)
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 130
    assert b"8 groups in 20,000 rows" in stdout
    assert b"Traceback" not in seen
    assert names(folder) == ["t.csv", "t.model.json", "t.png"]


def read_until(terminal: int, text: bytes, seconds: float) -> bytes:
    """What a pseudo-terminal shows until `text` has come by."""
    seen, deadline = b"", time.monotonic() + seconds
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, seen[-500:]
        seen += os.read(terminal, 65536)
    return seen

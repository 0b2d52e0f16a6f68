"""Tables as people write them, on the command line: options, notes, standard input."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from commands import FAITHFUL, names, run
from typer.testing import CliRunner, Result

import mixtura
from mixtura.cli import app
from mixtura.data.tables import read_table
from mixtura.data.writing import write_table

PLAIN = read_table(FAITHFUL)
GERMAN = FAITHFUL.read_text().replace(",", ";").replace(".", ",")
FIT = ("--no-figure", "--out", "m.json")


def piped(content: bytes, *arguments: object) -> Result:
    """The command with something on its standard input."""
    return CliRunner().invoke(app, [str(each) for each in arguments], input=content)


def test_a_spreadsheets_text_is_fitted_and_answered_as_written(folder: Path, model: Path) -> None:
    Path("t.csv").write_text("sep=;\n" + GERMAN)
    done = run("fit", "t.csv", *FIT)
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "note: the first line of t.csv says that ';' separates its values",
        "note: in the numbers of t.csv commas are decimal marks",
    ]
    np.testing.assert_array_equal(mixtura.load("m.json").means_, mixtura.load(model).means_)
    assert run("fit", "t.csv", *FIT, "--quiet").stderr == ""
    answers = []
    for table in ("t.csv", FAITHFUL):
        for out in ("o.csv", "o.parquet"):
            assert run("predict", model, table, "--out", out).exit_code == 0
            answers.append(Path(out).read_bytes())
    # Numbers keep their digits, 3,600 as 3.600, and are points in the answer.
    assert answers[:2] == answers[2:]


def test_options_say_what_cannot_be_seen(folder: Path) -> None:
    Path("t.csv").write_text("a;b\n% by hand\n1,234;5\n2,345;8\n1,235;9\n")
    asked = ("fit", "t.csv", "-k", "1", *FIT, "--json")
    assert "line 2 has 1 field" in run(*asked).stderr
    assert "leave out lines that begin so with --comment '%'" in run(*asked).stderr
    asked = (*asked, "--comment", "%")
    assert "say --decimal , or --thousands ," in run(*asked).stderr
    for option, mean in (("--decimal", 1.604667), ("--thousands", 1604.667)):
        done = run(*asked, option, ",")
        assert (done.exit_code, done.stderr) == (0, "")
        assert json.loads(done.stdout)["means"][0][0] == pytest.approx(mean, rel=1e-6)
        for more in ("--in-pieces", "--in-memory"):
            assert json.loads(run(*asked, option, ",", more).stdout)["means"][0][0] == (
                pytest.approx(mean, rel=1e-6)
            )
    assert "decimal=';' is no decimal mark" in run(*asked, "--decimal", ";").stderr


@pytest.mark.parametrize("command", ["select", "howmany", "compare", "score", "predict"])
def test_every_command_reads_alike(command: str, folder: Path, model: Path) -> None:
    Path("t.txt").write_text(GERMAN.replace(";", "|"))
    quick = {
        "select": ("-k", "1:2", "--covariance", "EEE", *FIT),
        "howmany": ("--max", "2", "--resamples", "9"),
        "compare": ("-k", "2", "--starts", "1", "--solver", "em", "--no-figure"),
    }.get(command, ())
    models = (model,) if command in ("score", "predict") else ()
    expected = run(command, *models, FAITHFUL, *quick)
    done = run(command, *models, "t.txt", *quick, "--sep", "|")
    assert (done.exit_code, expected.exit_code) == (0, 0), done.output

    def steady(text: str) -> list[str]:
        lines = text.splitlines()
        return [line for line in lines if " s" not in line and not line.startswith("     1   em")]

    assert steady(done.stdout) == steady(expected.stdout)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow", "t.npy", "t.xlsx"])
def test_a_table_on_standard_input(name: str, folder: Path, model: Path) -> None:
    if name == "t.npy":
        np.save(name, PLAIN.X)
    elif name == "t.xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for row in (PLAIN.names, *PLAIN.X.tolist()):
            book.active.append(row)
        book.save(name)
    else:
        write_table(PLAIN.frame, name)
    content = Path(name).read_bytes()
    done = piped(content, "fit", "-", "--no-figure")
    assert (done.exit_code, done.stderr) == (0, "")
    assert names(folder) == ["stdin.model.json", name]
    found = mixtura.load("stdin.model.json").means_
    np.testing.assert_array_equal(found, mixtura.load(model).means_)
    columns = "x1,x2" if name == "t.npy" else "eruptions,waiting"
    labels = piped(content, "predict", model, "-", "--columns", columns)
    assert labels.stdout.startswith(f"{columns},label,p_0,p_1\n")
    assert labels.stdout.count("\n") == len(PLAIN.X) + 1


def test_what_is_wrong_on_standard_input_is_called_that(folder: Path) -> None:
    for content, message in (
        (b"", "error: standard input: the file is empty\n"),
        (b"a,b\n1,x\n", "error: standard input: column 'b' holds text ('x'): leave"),
        (bytes(1 << 17), "error: standard input: this is not a table (it holds zero bytes)\n"),
    ):
        done = piped(content, "fit", "-", *FIT)
        assert done.exit_code == 2
        assert done.stderr.startswith(message)
    done = piped(b"1,2\n3,4\n5,7\n", "fit", "-", "-k", "1", *FIT)
    assert done.stderr.startswith("note: no header found in standard input, so")


def test_an_endless_stream_is_refused_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Zeros(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:
            self.taken += len(buffer)
            assert self.taken < 1 << 24, "read on and on"
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    from mixtura.cli.dialect import _spooled

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Zeros())))
    with pytest.raises(ValueError, match="zero bytes"), _spooled(Path("-")):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_not_utf8(folder: Path) -> None:
    name = os.fsdecode(b"\xe9.csv")
    Path(name).write_bytes(FAITHFUL.read_bytes())
    assert run("fit", name, "--no-figure", "--quiet").exit_code == 0
    model = os.fsdecode(b"\xe9.model.json")
    assert names(folder) == [name, model]
    for out in ("csv", "csv.gz", "tsv", "parquet", "feather"):
        written = os.fsdecode(b"\xe8." + out.encode())
        assert run("predict", model, name, "--out", written).exit_code == 0
        assert read_table(written).X.shape == (272, 5)
    assert pa.total_allocated_bytes() < 1 << 24

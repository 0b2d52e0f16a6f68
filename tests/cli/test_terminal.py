"""The terminal: names that would steer it, closed and full streams, encodings without our signs."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import FAITHFUL, environment, names, run

# A title, a colour, one of eight bits, text that runs backwards, half a surrogate pair's like.
EVIL = "a\x1b]0;title\x07\x1b[31m\x9b1m\u202eb"
SPELT = "a\\x1b]0;title\\x07\\x1b[31m\\x9b1m\\u202eb"
STEERING = set("\x1b\x07\x9b\u202e\r")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, and a model of it, whose columns would steer the terminal."""
    folder = tmp_path_factory.mktemp("evil")
    rows = FAITHFUL.read_text().splitlines()[1:]
    (folder / "t.csv").write_text("\n".join([f"{EVIL},waiting", *rows]) + "\n")
    done = run("fit", folder / "t.csv", "--no-figure", "--out", folder / "m.json", "--quiet")
    assert done.exit_code == 0
    return folder


COMMANDS = {
    "fit": ["fit", "t.csv", "--out", "new.json", "--figure", "new.png"],
    "fit json": ["fit", "t.csv", "--out", "new.json", "--no-figure", "--json"],
    "show": ["show", "m.json"],
    "show json": ["show", "m.json", "--json"],
    "sample": ["sample", "m.json"],
    "predict": ["predict", "m.json", "t.csv"],
    "lacking": ["predict", "m.json", str(FAITHFUL)],
    "no table": ["fit", f"{EVIL}.csv"],
    "no model": ["show", f"{EVIL}.json"],
    "no column": ["fit", "t.csv", "--columns", f"waiting,{EVIL}c"],
    "no command": [EVIL],
    "no option": ["show", f"--{EVIL}", "m.json"],
    "no covariance": ["fit", "t.csv", "--covariance", EVIL],
}


@pytest.mark.parametrize("case", COMMANDS)
def test_nothing_steers_the_terminal(
    evil: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evil)
    done = run(*COMMANDS[case])
    assert done.exit_code == (2 if case.startswith(("no ", "lack")) else 0)
    # The cells of a table are data: only controls are spelt out there.
    table = case in ("sample", "predict")
    assert not (STEERING - {"\u202e"} if table else STEERING) & set(done.output)
    if case.endswith("json"):
        assert json.loads(done.stdout)["columns"] == [EVIL, "waiting"]
    else:
        assert "\\x1b" in "".join(done.output.split()).replace("│", "")


def test_a_file_keeps_what_stdout_spells_out(evil: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(evil)
    assert run("predict", "m.json", "t.csv", "--out", "p.csv").exit_code == 0
    text = (evil / "p.csv").read_text()
    assert text.startswith(f"{EVIL},waiting,label")
    spelt = SPELT.replace("\\u202e", "\u202e")
    assert run("predict", "m.json", "t.csv").stdout == text.replace(EVIL, spelt)


def streams(arguments: list[str], script: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a shell, which closes or fills its streams."""
    words = " ".join([sys.executable, "-m", "mixtura", *arguments])
    return subprocess.run(
        ["sh", "-c", f"{words} {script}"],
        capture_output=True, env=environment() | more, check=False,
    )  # fmt: skip


REASONS = {">&-": "it is closed", "> /dev/full": os.strerror(errno.ENOSPC)}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("script", REASONS)
@pytest.mark.parametrize("command", ["--help", "predict"])
def test_what_stdout_does_not_take_is_told(model: Path, script: str, command: str) -> None:
    places = [str(model), str(FAITHFUL)] if command == "predict" else []
    done = streams([command, *places], script)
    told = f"error: standard output: cannot be written ({REASONS[script]})\n"
    assert (done.returncode, done.stderr.decode()) == (2, told)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("script", ["2> /dev/full", "<&- >&- 2>&-"])
def test_the_exit_code_needs_no_stderr(script: str) -> None:
    assert streams(["show", "none.json"], script).returncode == 2


def test_signs_that_an_encoding_lacks(folder: Path) -> None:
    (folder / "t.csv").write_bytes(FAITHFUL.read_bytes().replace(b"eruptions", "α".encode()))
    arguments = ["fit", "t.csv", "--no-figure", "--out", "m.json"]
    done = streams(arguments, "", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("latin-1")
    assert "2 groups in 272 rows" in text
    assert "----" in text
    assert "\\u03b1" in text
    assert "?" not in text
    done = streams(["show", "m.json", "--json"], "", PYTHONIOENCODING="latin-1")
    assert json.loads(done.stdout.decode("latin-1"))["columns"] == ["α", "waiting"]


def test_no_backend_stands_in_the_way_of_a_figure(folder: Path) -> None:
    done = streams(
        ["fit", str(FAITHFUL), "--out", "m.json", "--figure", "f.svg", "-q"], "",
        MPLBACKEND="bogus",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert names(folder) == ["f.svg", "m.json"]


@pytest.mark.parametrize("command", ["fit", "select"])
def test_a_figure_never_costs_the_model(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ImportError("no backend")

    monkeypatch.setattr("mixtura.report.figures.save_figure", broken)
    few = [] if command == "fit" else ["-k", "1:2", "--covariance", "EEE"]
    done = run(command, FAITHFUL, *few, "--out", "m.json", "--figure", "f.png", "-q")
    assert done.exit_code == 0
    assert "warning: the figure was not drawn: no backend" in done.stderr
    assert names(folder) == ["m.json"]


SHARED = {
    "checkpoint, out": (["--out", "m.json", "--checkpoint", "m.json"], "this is --out"),
    "checkpoint, default": (["--checkpoint", "./t.model.json"], "this is --out"),
    "checkpoint, figure": (["--figure", "f.png", "--checkpoint", "f.png"], "this is --figure"),
    "checkpoint, table": (["--checkpoint", "t.csv"], "this is the table that is read"),
    "link": (["--out", "m.json", "--checkpoint", "link.ckpt"], "this is --out"),
    "hard link": (["--checkpoint", "hard.ckpt"], "this is the table that is read"),
}


@pytest.mark.parametrize("case", SHARED)
@pytest.mark.parametrize("command", ["fit", "select"])
def test_outputs_do_not_eat_each_other(folder: Path, command: str, case: str) -> None:
    (folder / "t.csv").write_bytes(FAITHFUL.read_bytes())
    (folder / "link.ckpt").symlink_to("m.json")
    (folder / "hard.ckpt").hardlink_to("t.csv")
    before = names(folder)
    arguments, message = SHARED[case]
    if command == "select":
        arguments = [each.replace("t.model", "t.select.model") for each in arguments]
    done = run(command, "t.csv", *arguments)
    assert done.exit_code == 2
    assert f"{message}: give another name" in " ".join(done.stderr.split())
    assert names(folder) == before
    assert (folder / "t.csv").read_bytes() == FAITHFUL.read_bytes()


def test_the_model_is_not_overwritten_by_its_answers(folder: Path, model: Path) -> None:
    (folder / "o.csv").symlink_to(model)
    before = model.read_bytes()
    for arguments in (["predict", model, FAITHFUL], ["sample", model]):
        done = run(*arguments, "--out", "o.csv")
        assert (done.exit_code, model.read_bytes()) == (2, before)
        assert "--out o.csv: this is the model" in done.stderr

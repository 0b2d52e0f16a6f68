"""mixtura compare: what it prints, draws, refuses and leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ESCAPE, FAITHFUL, names, run, spawn

import mixtura
from mixtura.cli.compare import Racing
from mixtura.cli.working import Working
from mixtura.fitting.starts import StartMaker

QUICK = ("--starts", 1, "--solver", "em", "--solver", "lbfgs")


def test_compare_without_options(folder: Path) -> None:
    done = spawn("compare", FAITHFUL)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(folder) == ["faithful.compare.png"]
    assert done.stdout.startswith("6 solvers from 3 starts: 2 groups in 272 rows of 2 columns\n")
    assert done.stdout.count("interior maximum") == 18
    assert done.stdout.endswith("wrote faithful.compare.png (figure)\n")
    assert not ESCAPE.search(done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert (folder / "faithful.compare.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_all_there_is(folder: Path) -> None:
    done = run("compare", FAITHFUL, *QUICK, "--covariance", "tied", "--json", "--no-figure")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["columns"] == ["eruptions", "waiting"]
    assert found["covariance_type"] == "tied"
    assert [one["solver"] for one in found["runs"]] == ["em", "lbfgs"]
    assert all(one["converged"] for one in found["runs"])
    assert found["runs"][0]["trail"][0][0] == 1
    assert found["files"] == {"figure": None}
    assert names(folder) == []


def test_quiet_and_where_the_figure_goes(folder: Path) -> None:
    (folder / "out").mkdir()
    done = run("compare", FAITHFUL, *QUICK, "-q", "--figure", "out/f.svg")
    assert (done.exit_code, done.output) == (0, "")
    assert names(folder / "out") == ["f.svg"]


def test_options_reach_the_comparison(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "t.csv").write_text("a,b,w,c\n" + "".join(
        f"{i % 7},{i % 5},{1 + i % 2},u\n" for i in range(60)
    ))  # fmt: skip
    asked: dict[str, Any] = {}
    compare = mixtura.compare_solvers

    def spied(X: Any, n_components: int, **settings: Any) -> mixtura.Comparison:
        asked.update(settings, X=X, n_components=n_components)
        return compare(X, n_components, **settings)

    monkeypatch.setattr("mixtura.compare_solvers", spied)
    done = run(
        "compare", "t.csv", "-k", 1, "--exclude", "c", "--weights", "w", "--seed", 7,
        "--starts", 2, "--engine", "local", "--solver", "em", "--max-iter", 50, "--tol", 1e-4,
        "--covariance", "diag", "--no-figure",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert np.shape(asked["X"].X) == (60, 2)
    assert asked["sample_weight"].sum() == 90
    wanted = {
        "n_components": 1, "random_state": 7, "n_starts": 2, "engine": "local", "max_iter": 50,
        "tol": 1e-4, "covariance_type": "diag", "solvers": ["em"],
    }  # fmt: skip
    assert wanted.items() <= asked.items()


def test_the_seed_decides_the_starts(folder: Path) -> None:
    def gaps(seed: int) -> list[float]:
        done = run("compare", FAITHFUL, *QUICK, "--seed", seed, "--json", "--no-figure")
        return [mark[2] for mark in json.loads(done.stdout)["runs"][0]["trail"]]

    assert gaps(1) == gaps(1)
    assert gaps(1) != gaps(2)


BAD_USE = {
    "odd solver": (["TABLE", "--solver", "simplex"], "Invalid value for '--solver'"),
    "a solver twice": (["TABLE", "--solver", "em", "--solver", "em"], "'em' is there twice"),
    "no table": (["none.csv"], "none.csv: there is no such file"),
    "no groups": (["TABLE", "-k", "0"], "Invalid value for '--components'"),
    "no starts": (["TABLE", "--starts", "0"], "Invalid value for '--starts'"),
    "too many groups": (["TABLE", "-k", "273"], "--components 273: TABLE has only 272 rows"),
    "text": (["text.csv"], "column 'name' holds text ('x', ...): leave it out with --exclude"),
    "few distinct": (["equal.csv", "-k", "2"], "only 1 distinct row"),
    "no column": (["TABLE", "--columns", "waitin"], "did you mean 'waiting'?"),
    "odd figure": (["TABLE", "--figure", "f.txt"], "a figure's name ends in .png, .svg or .pdf"),
    "no folder": (["TABLE", "--figure", "x/f.png"], "--figure x/f.png: cannot be written"),
    "figure or not": (["TABLE", "--figure", "f.png", "--no-figure"], "contradict each other"),
}


@pytest.mark.parametrize("case", BAD_USE)
def test_refusals(folder: Path, case: str) -> None:
    (folder / "text.csv").write_text("a,name\n1,x\n2,y\n3,z\n")
    (folder / "equal.csv").write_text("a,b\n" + 5 * "1,2\n")
    arguments, message = BAD_USE[case]
    done = run("compare", *(word.replace("TABLE", str(FAITHFUL)) for word in arguments))
    assert (done.exit_code, done.stdout) == (2, "")
    told = " ".join(ESCAPE.sub("", done.stderr).replace("│", " ").split())
    assert message.replace("TABLE", str(FAITHFUL)) in told
    assert "Traceback" not in told
    assert names(folder) == ["equal.csv", "text.csv"]


def test_a_solver_that_cannot_run_is_a_row(folder: Path) -> None:
    rows = (line.split(",") for line in FAITHFUL.read_text().split())
    (folder / "t.csv").write_text("".join(f"{a},{b},{'c' if i == 0 else 1}\n"
        for i, (a, b) in enumerate(rows)))  # fmt: skip
    done = run("compare", "t.csv", *QUICK, "--no-figure")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "did not run" in done.stdout
    assert "solver='lbfgs' cannot climb here: a column has no" in " ".join(done.stdout.split())


def test_where_nothing_succeeds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise mixtura.Collapse(0, 1.0, 0.0)

    monkeypatch.setattr(StartMaker, "make", never)
    done = run("compare", FAITHFUL, *QUICK)
    assert done.exit_code == 1
    assert done.stderr == "error: no solver got anywhere from any start\n"
    assert "the start itself" in done.stdout
    assert names(folder) == []


@pytest.mark.parametrize("where", ["mixtura.compare_solvers", "mixtura.report.figures.save_figure"])
def test_an_interrupted_comparison_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    done = run("compare", FAITHFUL, *QUICK)
    assert done.exit_code == 130
    assert (done.stdout, done.stderr) == ("", "interrupted: nothing was written\n")
    assert names(folder) == []


def test_a_table_without_header_is_announced(folder: Path) -> None:
    (folder / "x.csv").write_text("".join(FAITHFUL.read_text().splitlines(True)[1:]))
    done = run("compare", "x.csv", *QUICK, "--no-figure")
    assert done.stderr.startswith("note: no header found in x.csv")
    assert run("compare", "x.csv", *QUICK, "--no-figure", "-q").stderr == ""


def test_progress_names_the_climb() -> None:
    working = Working("reading", 4)
    racing = Racing(working)
    racing.began(1, "em")
    racing.began(1, "lbfgs")
    assert (working.index, working.doing) == (1, "start 1, lbfgs")
    racing.stepped(12, 3.4e-5)
    assert working.doing == "start 1, lbfgs: step 12, last gain 3.4e-05 per row"


def test_help() -> None:
    assert run("compare", "--help").exit_code == 0
    assert "compare" in run("--help").stdout

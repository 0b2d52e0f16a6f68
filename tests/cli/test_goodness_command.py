"""mixtura goodness: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

from commands import FAITHFUL, names, run


def test_a_fit_on_its_table(folder: Path) -> None:
    assert run("fit", FAITHFUL, "-k", 2, "-q", "--no-figure").exit_code == 0
    words = ("goodness", "faithful.model.json", FAITHFUL, "--draws", 3)
    done = run(*words, "--figure", "fit.png")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "3 draws" in done.stdout.splitlines()[0]
    assert "wrote fit.png (figure)" in done.stdout
    done = run(*words, "--json", "--other-rows")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["draws"], found["refitted"]) == (0, 3, False)
    assert found["files"] == {"figure": None}
    assert len(found["components"]) == 2


def test_what_is_refused(folder: Path) -> None:
    run("fit", FAITHFUL, "-k", 2, "-q", "--no-figure")
    there = names(folder)
    assert run("goodness", "faithful.model.json", FAITHFUL, "--figure", "fit.txt").exit_code == 2
    assert run("goodness", "faithful.model.json", "none.csv").exit_code == 2
    assert names(folder) == there

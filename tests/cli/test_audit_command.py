"""mixtura audit: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from commands import FAITHFUL, names, run

import mixtura


def test_a_fit_of_ours_and_a_guess(folder: Path) -> None:
    assert run("fit", FAITHFUL, "-k", 2, "-q", "--no-figure").exit_code == 0
    done = run("audit", "faithful.model.json", FAITHFUL)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].split(maxsplit=1) == ["verdict", "the best known"]
    mixtura.GaussianMixture.from_parameters(
        [0.5, 0.5], [[2, 55], [4, 80]], [np.diag([0.2, 40])] * 2
    ).save("guess.json")
    done = run("audit", "guess.json", FAITHFUL, "--starts", 2, "--json", "--out", "best.json")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["verdict"] == "not an optimum"
    assert found["files"] == {"model": "best.json"}
    best = mixtura.load("best.json")
    assert abs(best.fit_result_.loglik - found["log_likelihood"] - found["missing"]) < 1e-9


def test_what_is_refused(folder: Path) -> None:
    run("fit", FAITHFUL, "-k", 2, "-q", "--no-figure")
    there = names(folder)
    done = run("audit", "faithful.model.json", FAITHFUL, "--out", "faithful.model.json")
    assert done.exit_code == 2
    assert "this is the model" in done.stderr
    assert run("audit", "faithful.model.json", "none.csv").exit_code == 2
    assert names(folder) == there

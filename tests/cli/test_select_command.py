"""mixtura select: what it prints, draws, refuses and leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import FAITHFUL, names, run, spawn

import mixtura
from mixtura.cli.select import parsed
from mixtura.report.selection import draw
from mixtura.report.selection_text import Selection, to_text

QUICK = ("-k", "2:4", "--covariance", "EEE,VVV")


def made(values: object, **changes: object) -> Selection:
    """A selection with these values, of structures A, B, ... and 1, 2, ... groups."""
    table = np.array(values, dtype=np.float64)
    told = {
        "criterion": "bic",
        "larger": False,
        "names": tuple("ABCDEFGH"[: len(table)]),
        "components": tuple(range(1, table.shape[1] + 1)),
        "values": table,
        "pruned": np.zeros(table.shape, dtype=bool),
        "rows": 100,
        "columns": 2,
    }
    return Selection(**{**told, **changes})


def test_select_prints_the_table_and_writes_model_and_curves(folder: Path) -> None:
    done = run("select", FAITHFUL, *QUICK)
    assert done.exit_code == 0, done.output
    assert "2 structures with 2 to 4 groups in 272 rows of 2 columns" in done.output
    assert "2325.2⁵ 2314.3¹ 2320.1²" in " ".join(done.output.split())
    assert (
        "wrote faithful.select.model.json (model) and faithful.select.png (figure)" in done.output
    )
    assert names(folder) == ["faithful.select.model.json", "faithful.select.png"]
    best = mixtura.load("faithful.select.model.json")
    assert (best.n_components, best.covariance_type) == (3, "EEE")
    assert list(best.feature_names_in_) == ["eruptions", "waiting"]


def test_json_holds_every_cell_and_the_checkpoint_goes(folder: Path) -> None:
    options = ("--json", "--no-figure", "--checkpoint", "cells", "-k", "1:2")
    done = run("select", FAITHFUL, *options, "--covariance", "EII,VII")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert len(found["cv_results"]["bic"]) == 4
    assert found["best_params"]["n_components"] == 2
    assert "the most groups tried, 2, are the best: raise --components" in done.stderr
    assert names(folder) == ["faithful.select.model.json"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3", [3]), ("1:4", [1, 2, 3, 4]), ("2,5", [2, 5]), ("1:3, 8", [1, 2, 3, 8])],
)
def test_numbers_of_components(text: str, numbers: list[int]) -> None:
    assert parsed(text) == numbers


@pytest.mark.parametrize("text", ["", "0:3", "4:2", "a", "1-3", "1:"])
def test_no_numbers_of_components(text: str) -> None:
    with pytest.raises(ValueError, match="--components"):
        parsed(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--covariance", "EEE,XX"), "covariance_type: 'XX' is none of"),
        (("--jobs", 0), "--jobs 0"),
        (("--figure", "a.txt"), "--figure a.txt: a figure's name ends in"),
        (("--figure", "a.png", "--no-figure"), "contradict each other"),
        (("--criterion", "slope", *QUICK), "at least 10 different"),
    ],
)
def test_what_is_refused_in_one_line(
    folder: Path, options: tuple[object, ...], message: str
) -> None:
    done = run("select", FAITHFUL, *options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert names(folder) == []


def test_the_table_marks_the_best_five_and_what_is_missing() -> None:
    values = [[50.0, 11.0, np.nan], [40.0, 12.0, 10.0]]
    pruned = np.array([[False, False, True], [False, False, False]])
    text = to_text(made(values, pruned=pruned))
    for part in ("10.0¹", "11.0²", "12.0³", "40.0⁴", "50.0⁵", "· left out", "+40.0"):
        assert part in text
    assert "–" not in text
    assert "–" in to_text(made([[1.0, np.nan]]))


def test_larger_is_better_where_it_is() -> None:
    text = to_text(made([[-4.5, -4.1]], criterion="heldout", larger=True))
    assert "-4.1000¹" in text
    assert "-0.4000" in text


def test_wide_tables_come_in_blocks() -> None:
    text = to_text(made(np.arange(40.0).reshape(1, 40) + 1000.0), width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert text.count("A ") >= 4
    assert all(f"{1000 + i}.0" in text for i in range(40))


def test_the_figure_draws_every_structure_and_rings_the_best() -> None:
    figure = draw(made([[50.0, 11.0, np.nan], [40.0, 12.0, 10.0]]))
    (ax,) = figure.axes
    assert len(ax.lines) == 3
    np.testing.assert_allclose(np.sort(ax.lines[-1].get_xydata()), [[0.0, 3.0]])
    assert "B with 3 groups is best by BIC" in figure.get_suptitle()
    draw(made([[5.0]]))
    with pytest.raises(ValueError, match="nothing to draw"):
        draw(made([[np.nan]]))


def test_families_are_searched(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.poisson(np.array([[2.0, 9.0], [12.0, 3.0]])[rng.integers(2, size=150)])
    np.savetxt("calls.csv", X, delimiter=",", header="day,night", comments="", fmt="%d")
    done = spawn("select", "calls.csv", "--family", "poisson,negativebinomial", "-k", "1:3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 families with 1 to 3 groups in 150 rows of 2 columns\n")
    assert "6 of 6 mixtures fitted" in done.stdout
    assert isinstance(mixtura.load("calls.select.model.json"), mixtura.Mixture)
    bad = spawn("select", "calls.csv", "--family", "poisson", "--covariance", "EII")
    assert "--covariance EII shapes covariances, and --family poisson has none" in bad.stderr
    bad = spawn("select", "calls.csv", "--family", "poisson,gamma")
    assert "which cannot be compared" in bad.stderr

"""The laboratory: what the theorems predict is what its small runs find."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mixtura import lab
from mixtura.cli import app
from mixtura.lab.detectability import planted

DOCS = Path(__file__).parents[2] / "docs"


def cells(text: str) -> list[tuple[str, ...]]:
    """A table's lines, cell by cell."""
    return [tuple(re.split(r"  +", line.strip())) for line in text.splitlines()]


def page(name: str) -> str:
    return (DOCS / "lab" / f"{name}.md").read_text(encoding="utf-8")


def rows(report: lab.Report, table: int = 0) -> list[dict]:
    """Of a table whose columns are those that its page shows, of what can be drawn."""
    assert report.findings.tables[table].columns in cells(page(report.name))
    report.figure().draw_without_rendering()
    return report.to_dict()["tables"][table]["rows"]


@pytest.mark.parametrize("name", lab.EXPERIMENTS)
def test_every_experiment_has_its_page(name):
    text, figure = page(name), f"figures/lab-{name}.png"
    assert f"\nmixtura lab {name} --figure docs/{figure}\n" in text
    assert f"](../{figure})" in text
    assert (DOCS / figure).stat().st_size < 60_000
    assert all(f"`{setting}`" in text for setting in lab.experiment(name).settings)
    assert f"](lab/{name}.md)" in (DOCS / "lab.md").read_text(encoding="utf-8")


def test_two_gaussians():
    report = lab.run("two-gaussians", n=200, grid=5)
    # Daskalakis, Tzamos & Zampetakis: errors after ten steps; the second derivative's integral.
    found = [(row["after ten steps"], row["rate"]) for row in rows(report)]
    expected = [(0.217, 0.8885), (8.27e-3, 0.6567), (1.26e-4, 0.434), (8.9e-7, 0.2661)]
    np.testing.assert_allclose(found[:4], expected, rtol=2e-3)
    # The page's; what follows is rounding.
    assert set(cells(report.findings.tables[0].text())[2:6]) <= set(cells(page(report.name)))
    off, on = rows(report, 1)
    assert (off["number"], off["found"], on["number"], on["found"]) == (20, 20, 5, 0)


def test_three_gaussians(monkeypatch):
    monkeypatch.setattr("mixtura.lab.three_gaussians.NUMBERS", (3, 9))
    report = lab.run("three-gaussians", starts=30, tables=1)
    for row in rows(report):
        assert row["misses"] == pytest.approx(row["R"] ** 2 / 3 - math.log(2) / 3, abs=1e-3)
    assert set(cells(report.findings.tables[0].text())[1:]) <= set(cells(page(report.name)))
    shares = rows(report, 1)
    # Of nine components a random start finds all in one of 25 cases: 7 or more of 30 in 1e-4.
    assert shares[1]["random rows"] <= 0.2
    assert [row["mixtura's default"] for row in shares] == [1.0, 1.0]


def test_consistency(monkeypatch):
    monkeypatch.setattr("mixtura.lab.consistency.SIZES", (1000, 3000))
    done: list[tuple[int, int]] = []
    report = lab.run("consistency", tables=15, told=lambda *each: done.append(each))
    assert done == [(1, 2), (2, 2)]
    for row in rows(report):
        # chi-square of 15: outside in 1 of 1000 tables of each size, either way.
        low, high = np.sqrt(np.array([3.5, 37.7]) / 15)
        assert low < row["known"] / row["information"] < high
        # The median of some 37 roots of |N(0, 1)|: below in 1 of 1200 tables, above in 1 of 10^5.
        assert 0.7 < row["one too many"] / row[".977 / n^(1/4)"] < 1.4


def test_misfit():
    clean, few, *_ = rows(lab.run("misfit", n=200, tables=3))
    # Means of 100 rows have deviations of 0.1. One table in 20 with outliers keeps its groups: two
    # of three do in 1 of 140.
    assert clean["Gaussian"] < 0.5
    assert few["Gaussian"] > 1.0
    assert few["Student's t"] < 0.5


def test_singularity():
    report = lab.run("singularity")
    table = rows(report)
    # A decade narrower, and the row on the point gains log 10; all others are as they were.
    gains = np.diff([row["mixture"] for row in table[3:]])
    decades = -np.diff(np.log10([row["width"] for row in table[3:]]))
    np.testing.assert_allclose(gains, decades * math.log(10), rtol=1e-9)
    for cure in ("one Gaussian", "default's penalty", "conjugate prior"):
        assert table[-1][cure] < table[0][cure]
    assert rows(report, 1)[0]["on a point"] == "no"


def test_detectability(monkeypatch):
    monkeypatch.setattr("mixtura.lab.detectability.SIGNALS", (0.5, 1.6))
    below, above = rows(lab.run("detectability", n=1000, networks=3))
    # Of labels that know nothing the overlap is about |N(0, 1)| / sqrt(n): 0.15 is 4.7 deviations.
    assert below["most"] < 0.15
    assert above["least"] > 0.7
    assert above["belief propagation"] > above["adjacency's spectrum"]


def test_planted_blocks_have_the_degrees_that_were_asked():
    A = planted(20_000, 0.5, np.random.default_rng(0))
    own, other = A[:10_000, :10_000].sum() / 10_000, A[:10_000, 10_000:].sum() / 10_000
    # Poisson counts of 5 and 3 halved per node: deviations of 0.022 and 0.012, so 5 of them.
    assert own == pytest.approx(2.5, abs=0.11)
    assert other == pytest.approx(1.5, abs=0.06)


def test_the_command(tmp_path):
    run = CliRunner().invoke
    listed = run(app, ["lab"])
    assert all(name in listed.output for name in lab.EXPERIMENTS)
    found = run(app, ["lab", "singularity", "--figure", str(tmp_path / "s.png"), "--json"])
    assert found.exit_code == 0
    assert json.loads(found.stdout)["experiment"] == "singularity"
    assert (tmp_path / "s.png").stat().st_size > 10_000
    # Colours are numbers in a palette: PNG's colour type 3.
    assert (tmp_path / "s.png").read_bytes()[25] == 3
    text = run(app, ["lab", "singularity", "--seed", "1"]).output
    assert max(map(len, text.splitlines())) <= 100


def test_what_is_refused():
    with pytest.raises(ValueError, match="experiment 'four': choose from two-gaussians"):
        lab.run("four")
    with pytest.raises(ValueError, match="misfit has no setting 'grid': it has n, tables"):
        lab.run("misfit", grid=3)
    with pytest.raises(ValueError, match="tables=0: a size is a whole number from 1"):
        lab.run("misfit", tables=0)
    with pytest.raises(ValueError, match="n=5: the experiments are of 20 rows or more"):
        lab.run("singularity", n=5)
    for seed in (-1, 1.5, "a"):
        with pytest.raises(ValueError, match=f"seed={seed!r}: a seed is a whole number"):
            lab.run("singularity", seed=seed)


@pytest.mark.parametrize("option", [["--figure", "s.png"], ["--seed", "3"]])
def test_options_of_no_experiment_are_refused(option):
    done = CliRunner().invoke(app, ["lab", *option])
    assert done.exit_code == 2
    assert f"{' '.join(option)}: of which experiment? Name it: two-" in " ".join(
        done.output.split()
    )


def test_a_figure_that_cannot_be_is_refused_before_any_work(tmp_path):
    for place in ("s.xyz", "none/s.png"):
        done = CliRunner().invoke(app, ["lab", "singularity", "--figure", str(tmp_path / place)])
        assert done.exit_code == 2
        assert "maximum" not in done.stdout

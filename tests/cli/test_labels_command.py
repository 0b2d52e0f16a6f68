"""mixtura fit --labels."""

from __future__ import annotations

import numpy as np
import pytest
from commands import run

from mixtura import load

CENTRES = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])


def table_with(names, path):
    """A table of three groups with names for every fifth row."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, 150)
    X = CENTRES[z] + rng.normal(size=(150, 2))
    kinds = [names[k] if i % 5 == 0 else "" for i, k in enumerate(z)]
    lines = [f"{a},{b},{c}" for (a, b), c in zip(X.tolist(), kinds, strict=True)]
    path.write_text("\n".join(["a,b,kind", *lines]) + "\n")
    return path


@pytest.mark.parametrize("names", [["oak", "elm", "ash"], ["3", "1", "2"], ["2.0", "0.0", "1.0"]])
def test_a_column_of_labels(names, tmp_path):
    table, out = table_with(names, tmp_path / "t.csv"), tmp_path / "m.json"
    ended = run("fit", table, "--labels", "kind", "-k", "3", "--no-figure", "--out", out)
    assert ended.exit_code == 0, ended.stderr
    names = [name.removesuffix(".0") for name in names]
    assert f"0 is {min(names)}" in ended.stdout
    mixture = load(out)
    where = mixture.classes_.searchsorted(names)
    np.testing.assert_allclose(mixture.means_[where], CENTRES, atol=1)
    told = run("predict", out, table)
    assert told.exit_code == 0, told.stderr
    header, *rows = [line.split(",") for line in told.stdout.splitlines()]
    assert header[3:] == ["label", *(f"p_{name}" for name in sorted(names))]
    # Wherever the table names a group it is the one that is found.
    given = [(row[2].removesuffix(".0"), row[3]) for row in rows if row[2]]
    assert np.mean([a == b for a, b in given]) > 0.95


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        ("xyz", ["-k", "2"], "--components is 2"),
        ("xyz", ["-k", "3", "--bayes"], "--bayes knows no --labels"),
        ("xyz", ["-k", "3", "--in-pieces"], "--in-memory"),
        ("xyz", ["-k", "3", "--trim", "0.1"], "trim"),
        (["", "", ""], ["-k", "3"], "blank in all rows"),
        (["0.5", "1.5", "2.5"], ["-k", "3"], "not whole"),
    ],
)
def test_refused_in_its_own_words(names, more, said, tmp_path):
    table = table_with(names, tmp_path / "t.csv")
    ended = run("fit", table, "--labels", "kind", "--no-figure", *more)
    assert ended.exit_code == 2
    assert said in " ".join(ended.stderr.split())


def test_select_tries_enough_groups_for_the_labels(tmp_path):
    table, out = table_with(["oak", "elm", "ash"], tmp_path / "t.csv"), tmp_path / "m.json"
    more = ["--covariance", "EEE", "--no-figure", "--out", out]
    ended = run("select", table, "--labels", "kind", "-k", "1:4", *more)
    assert ended.exit_code == 0, ended.stderr
    assert load(out).classes_.tolist() == ["ash", "elm", "oak"]
    ended = run("select", table, "--labels", "kind", "-k", "1:2", *more)
    assert ended.exit_code == 2
    assert "names 3 groups" in " ".join(ended.stderr.split())


def test_drawn_rows_have_the_names(tmp_path):
    table, out = table_with(["oak", "elm", "ash"], tmp_path / "t.csv"), tmp_path / "m.json"
    run("fit", table, "--labels", "kind", "-k", "3", "--no-figure", "--out", out)
    drawn = run("sample", out, "-n", "50")
    rows = [line.split(",") for line in drawn.stdout.splitlines()[1:]]
    assert {name for *_, name in rows} == {"ash", "elm", "oak"}
    centres = dict(zip(["oak", "elm", "ash"], CENTRES, strict=True))
    far = [np.hypot(*(np.array([a, b], float) - centres[name])) for a, b, name in rows]
    assert np.mean(far) < 2


def test_scores_of_rows_with_gaps(tmp_path):
    table, out = table_with("xyz", tmp_path / "t.csv"), tmp_path / "m.json"
    run("fit", table, "--labels", "kind", "-k", "3", "--no-figure", "--out", out)
    table.write_text("a,b\n0,1\n,0\n,60\n")
    ended = run("predict", out, table, "--scores")
    assert ended.exit_code == 0, ended.stderr
    p_values = [float(line.split(",")[-2]) for line in ended.stdout.splitlines()[1:]]
    assert p_values[0] > 0.1
    assert p_values[1] > 0.1
    assert p_values[2] < 1e-4

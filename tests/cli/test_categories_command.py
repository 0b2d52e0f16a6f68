"""Tables with text at the terminal: fitted, predicted, sampled and searched by their categories."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import run

from mixtura import LatentClass


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=200)
    job = np.where(rng.random(200) < np.array([0.9, 0.2])[group], "farm", "office")
    age = rng.normal(np.array([30.0, 60.0])[group], 5.0).round(1)
    frame = pd.DataFrame({"job": job, "age": age, "visits": rng.poisson(1 + 9 * group)})
    frame.loc[3, "job"] = None
    frame.loc[4, "age"] = None
    frame.to_csv("people.csv", index=False)
    frame.to_parquet("people.parquet")
    return frame


@pytest.mark.parametrize("table", ["people.csv", "people.parquet"])
def test_the_command_finds_what_the_class_does(people: pd.DataFrame, table: str) -> None:
    done = run("fit", table, "--family", "auto", "--out", "m.json", "--figure", "m.png")
    assert done.exit_code == 0, done.output
    ours = LatentClass(2, random_state=0).fit(people)
    assert json.loads(Path("m.json").read_text())["scalars"]["lower_bound_"] == ours.lower_bound_
    assert "farm (" in done.output
    assert "Categorical (job) x Normal (age) x Poisson (visits)" in done.output
    done = run("predict", "m.json", table, "--out", "labels.csv")
    assert done.exit_code == 0, done.output
    assert np.array_equal(pd.read_csv("labels.csv")["label"], ours.predict(people))
    done = run("sample", "m.json", "-n", 30)
    assert {line.split(",")[0] for line in done.stdout.split()} == {"job", "farm", "office"}


def test_searches_and_tests_read_them_too(people: pd.DataFrame) -> None:
    done = run("select", "people.csv", "--family", "auto", "-k", "1:3", "--no-figure")
    assert done.exit_code == 0, done.output
    assert "auto          2" in done.output
    done = run("compare", "people.csv", "--family", "auto", "--solver", "em", "--no-figure")
    assert done.exit_code == 0, done.output
    done = run("howmany", "people.csv", "--family", "auto", "--max", 2, "--resamples", 9)
    assert done.exit_code == 0, done.output


def test_what_is_refused(people: pd.DataFrame) -> None:
    assert run("fit", "people.csv", "--family", "auto", "--out", "m.json").exit_code == 0
    people.replace({"job": {"farm": "sea"}}).to_csv("other.csv", index=False)
    done = run("predict", "m.json", "other.csv")
    assert done.exit_code != 0
    assert "other.csv: column 'job' holds 'sea' in row" in done.output
    done = run("fit", "people.csv", "--family", "poisson")
    assert "column 'job' holds text ('office', ...): leave it out" in done.output


def test_long_files_that_begin_with_gaps(people: pd.DataFrame) -> None:
    assert run("fit", "people.csv", "--family", "auto", "--out", "m.json").exit_code == 0
    many = 30_000
    rows = {"job": [None] * many + ["farm"], "age": 30.0, "visits": 1}
    pd.DataFrame(rows).to_csv("long.csv", index=False)
    done = run("predict", "m.json", "long.csv", "--out", "labels.csv")
    assert done.exit_code == 0, done.output
    rows["job"] = ["farm"] * many + ["pilot"]
    pd.DataFrame(rows).to_csv("long.csv", index=False)
    done = run("predict", "m.json", "long.csv", "--out", "labels.csv")
    assert f"column 'job' holds 'pilot' in row {many + 1}," in done.output

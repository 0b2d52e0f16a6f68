"""mixtura fit --noise, and what predict and show make of it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import FAITHFUL, run

import mixtura


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (100, 2)), rng.uniform(-20, 25, (15, 2))])
    path = tmp_path / "t.csv"
    np.savetxt(path, X, delimiter=",", header="a,b", comments="")
    return path


def test_noise_from_fit_to_predict(table, tmp_path):
    model = tmp_path / "m.json"
    ended = run("fit", str(table), "-k", "1", "--noise", "--out", str(model), "--no-figure")
    assert ended.exit_code == 0, ended.stderr
    assert "in no group" in " ".join(ended.stdout.split())
    rows = run("predict", str(model), str(table)).stdout.splitlines()
    assert rows[0] == "a,b,label,p_0,p_noise"
    assert {line.split(",")[2] for line in rows[1:]} == {"0", "-1"}
    shown = json.loads(run("show", str(model), "--json").stdout)
    assert 0.08 < shown["noise"]["weight"] < 0.2


def test_a_family_takes_the_structures_it_declares(table, tmp_path):
    """As the estimator that has a parameter for it; the file keeps it."""
    model = tmp_path / "m.json"
    options = "-k", "1", "--family", "contaminated", "--covariance", "diag"
    ended = run("fit", table, *options, "--out", model, "--no-figure")
    assert ended.exit_code == 0, ended.stderr
    X = pd.read_csv(table)
    same = mixtura.ContaminatedMixture(1, covariance_type="diag", random_state=0).fit(X)
    again = mixtura.load(model)
    assert again.covariances_.shape == (1, 2)
    assert again.score(X) == pytest.approx(same.score(X), abs=1e-12)
    assert np.array_equal(again.predict(X), same.predict(X))
    told = pd.read_csv(StringIO(run("predict", model, table, "--scores", "--top", "1").stdout))
    assert told["outlier_score"].to_numpy() == pytest.approx(again.outlier_scores(X), abs=1e-12)
    assert list(told.columns[-3:]) == ["entropy", "p_value", "outlier_score"]


def test_select_tries_structures_of_families(table, tmp_path):
    model = tmp_path / "m.json"
    asked = "--family", "student,gaussian", "--covariance", "EII,diag", "-k", "1"
    ended = run("select", table, *asked, "--out", model, "--no-figure", "--json")
    assert ended.exit_code == 0, ended.stderr
    tried = json.loads(ended.stdout)["cv_results"]["param_family"]
    assert tried == ["student EII", "student diag", "gaussian EII", "gaussian diag"]
    assert mixtura.load(model).family_.covariance_type in ("EII", "diag")


def test_trimmed_rows_have_the_label_of_noise(table, tmp_path):
    model = tmp_path / "m.json"
    options = "-k", "1", "--trim", "0.13", "--eigenvalue-ratio", "10"
    ended = run("fit", table, *options, "--out", model, "--no-figure")
    assert ended.exit_code == 0, ended.stderr
    assert "13% of the rows are left out" in " ".join(ended.stdout.split())
    rows = run("predict", model, table).stdout.splitlines()
    assert rows[0] == "a,b,label,p_0"
    assert sum(line.split(",")[2] == "-1" for line in rows[1:]) == 14


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--noise-volume", "3"], "is for --noise"),
        (["--noise", "--noise-volume", "-3"], "a number above 0"),
        (["--noise", "--trim", "0.1"], "use one of them"),
        (["--trim", "0.1", "--family", "normal"], "is for Gaussian groups"),
        (["--eigenvalue-ratio", "3", "--bayes"], "--bayes knows no --eigenvalue-ratio"),
        (["--noise", "--bayes"], "--bayes knows no --noise"),
        (["--family", "student", "--covariance", "UUU:1"], "--covariance UUU:1 shapes covariances"),
        (["--family", "gamma", "--covariance", "EII"], "--family gamma has none: leave one of"),
    ],
)
def test_refusals(table, options, said):
    ended = run("fit", str(table), "--no-figure", *options)
    assert ended.exit_code == 2
    assert said in ended.stderr


def test_scores_and_the_likeliest_of_each_row(table, tmp_path):
    model = tmp_path / "m.json"
    run("fit", table, "-k", "2", "--noise", "--out", model, "--no-figure")
    ended = run("predict", model, table, "--scores", "--top", "2")
    head, *rows = ended.stdout.splitlines()
    told = "label,first_0,first_1,p_first_0,p_first_1,entropy,p_value,outlier_score"
    assert head == f"a,b,{told}"
    cells = np.array([row.split(",") for row in rows], dtype=float)
    noise = cells[:, 2] == -1
    assert (cells[:, 3] == cells[:, 2]).all()
    assert cells[noise, 9].min() > cells[~noise, 9].mean()


def test_a_prior_by_name(folder: Path) -> None:
    done = run("fit", FAITHFUL, "--prior", "fraley-raftery", "--no-figure")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "a covariance's is worth 8 rows" in done.stdout
    assert mixtura.load("faithful.model.json").prior == "fraley-raftery"
    for words, said in (
        (("--prior", "flat"), "--prior flat: write fraley-raftery"),
        (("--prior", "fraley-raftery", "--noise"), "--prior goes without --noise"),
        (("--prior", "fraley-raftery", "--family", "poisson"), "is for Gaussian groups"),
        (("--prior", "fraley-raftery", "--bayes"), "--bayes knows no --prior"),
    ):
        done = run("fit", FAITHFUL, *words, "--no-figure")
        assert done.exit_code == 2
        assert said in done.stderr

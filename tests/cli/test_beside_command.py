"""mixtura fit, select, predict and score with --lower, --upper and --error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import run

from mixtura import GaussianMixture, Mixture, load


def table_of(path, **columns):
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(",".join("" if x != x else repr(float(x)) for x in row))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def water(tmp_path):
    rng = np.random.default_rng(0)
    logs = np.repeat([[0.0, 1.0], [3.0, 4.0]], 60, axis=0) + 0.5 * rng.normal(size=(120, 2))
    X = np.maximum(np.exp(logs), 1.2)
    upper = np.where(X == 1.2, 1.2, np.nan)
    return table_of(tmp_path / "t.csv", a=X[:, 0], limit=upper[:, 0], b=X[:, 1]), X, upper


def test_bounds_stand_in_columns_of_their_own(water, tmp_path):
    table, X, upper = water
    upper[:, 1] = np.nan
    out = tmp_path / "m.json"
    ended = run(
        "fit", table, "--family", "lognormal", "--upper", "a=limit", "--out", out, "--no-figure"
    )
    assert ended.exit_code == 0, ended.stderr
    assert "an interval is known" in " ".join(ended.stdout.split())
    found, python = load(out), Mixture("lognormal", 2, random_state=0).fit(X, upper=upper)
    assert list(found.feature_names_in_) == ["a", "b"]
    assert found.fit_result_.loglik == python.fit_result_.loglik


def test_errors_stand_in_columns_of_their_own(tmp_path):
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.2, 1.0, size=(100, 2))
    X = np.repeat([[0.0, 0.0], [8.0, 4.0]], 50, axis=0) + rng.normal(size=(100, 2)) * (1 + sd)
    table = table_of(tmp_path / "t.csv", x=X[:, 0], y=X[:, 1], dy=sd[:, 1], dx=sd[:, 0])
    out = tmp_path / "m.json"
    ended = run("fit", table, "--error", "x=dx,y=dy", "--out", out, "--no-figure")
    assert ended.exit_code == 0, ended.stderr
    python = GaussianMixture(2, random_state=0).fit(X, error=sd)
    assert load(out).fit_result_.loglik == python.fit_result_.loglik


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--upper", "a"], "--upper 'a': give pairs of columns as COLUMN=OTHER"),
        (["--upper", "a=none"], "there is no column 'none'"),
        (["--lower", "c=limit"], "--lower c=limit: 'c' is none of a, b"),
        (["--upper", "a=limit,a=b"], "column 'a' is there twice"),
        (["--upper", "a=limit", "--error", "a=b"], "--error knows no --upper"),
        (["--upper", "a=limit", "--in-pieces"], "--upper knows no --in-pieces"),
        (["--upper", "a=limit", "--checkpoint", "x"], "--upper knows no --checkpoint"),
        (["--error", "a=limit", "--family", "gamma"], "--error is for Gaussian groups"),
        (["--error", "a=limit"], "'limit' is blank in row 2, and 'a' has a number there"),
    ],
)
def test_what_cannot_stand_beside_cells(water, more, said, tmp_path):
    ended = run("fit", water[0], *more, "--out", tmp_path / "m.json", "--no-figure")
    assert ended.exit_code == 2
    assert said in " ".join(ended.stderr.split())
    assert not (tmp_path / "m.json").exists()


def test_answers_know_what_stands_beside_cells(water, tmp_path):
    table, X, upper = water
    upper[:, 1] = np.nan
    model, out = tmp_path / "m.json", tmp_path / "out.csv"
    beside = ["--upper", "a=limit"]
    asked = ["--components", "1:2", "--family", "lognormal,exponential", *beside]
    ended = run("select", table, *asked, "--out", model, "--no-figure")
    assert ended.exit_code == 0, ended.stderr
    found = load(model)
    del found.feature_names_in_
    assert (
        found.fit_result_.loglik
        == Mixture("lognormal", 2, random_state=0).fit(X, upper=upper).fit_result_.loglik
        == pytest.approx(len(X) * found.score(X, upper=upper), rel=1e-12)
    )

    ended = run("score", model, table, *beside, "--json")
    told = json.loads(ended.stdout)
    assert told["log_likelihood"] == pytest.approx(found.fit_result_.loglik, rel=1e-9)
    free = found.fit_result_.n_parameters * np.log(len(X))
    assert told["bic"] == pytest.approx(free - 2 * told["log_likelihood"], rel=1e-12)
    assert run("score", model, table, *beside, "--per-row", "--out", out).exit_code == 0
    assert np.genfromtxt(out, delimiter=",", names=True)["log_density"] == pytest.approx(
        found.score_samples(X, upper=upper)
    )
    assert run("predict", model, table, *beside, "--out", out).exit_code == 0
    assert np.genfromtxt(out, delimiter=",", names=True)["p_0"] == pytest.approx(
        found.predict_proba(X, upper=upper)[:, 0]
    )


def test_what_answers_cannot_know(water, tmp_path):
    model = tmp_path / "m.json"
    run("fit", water[0], "--columns", "a,b", "--out", model, "--no-figure")
    for more, said in (
        (["--upper", "a=limit"], "intervals are known to 'exponential'"),
        (["--error", "a=limit"], "'limit' is blank in row 2, and 'a' has a number there"),
        (["--error", "a=nothing"], "no column 'nothing'; the table has 'a', 'limit', 'b'"),
        (["--error", "a=b", "--scores"], "--scores are of rows without --error"),
    ):
        ended = run("predict", model, water[0], *more)
        assert ended.exit_code == 2
        assert said in " ".join(ended.stderr.split())
    run("fit", water[0], "--columns", "a,b", "--bayes", "--out", model, "--no-figure")
    ended = run("score", model, water[0], "--upper", "a=limit")
    assert "holds a BayesianGaussianMixture, which knows no such thing" in ended.stderr

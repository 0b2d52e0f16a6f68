"""The command line: what it prints and writes."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import typer.main
from commands import ESCAPE, FAITHFUL, names, run, spawn

import mixtura
from mixtura.cli import app
from mixtura.cli.console import split_names
from mixtura.cli.made_of import COVARIANCES
from mixtura.cli.options import Engine, FitEngine, Solver
from mixtura.engines.choose import ENGINES, NAMES, OPTIONAL
from mixtura.engines.kernels import KERNELS
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.homes import FUSED_ENGINES
from mixtura.solvers.registry import SOLVERS


def test_the_choices_are_the_librarys() -> None:
    assert set(COVARIANCES) == set(STRUCTURES)
    assert set(Solver) == {"auto", *SOLVERS}
    assert set(Engine) == {"auto", *ENGINES, *OPTIONAL}
    assert set(FitEngine) == {"auto", *NAMES}
    # What is fused is told by kernels, which are too heavy for `--help`.
    assert set(FUSED_ENGINES) == {name for kernel in KERNELS.values() for name in kernel.sweeps}


def test_fit_without_options(folder: Path) -> None:
    done = spawn("fit", FAITHFUL)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(folder) == ["faithful.model.json", "faithful.png"]
    assert done.stdout.startswith("2 groups in 272 rows of 2 columns (eruptions, waiting)\n")
    assert "-1130.26" in done.stdout
    assert done.stdout.endswith("wrote faithful.model.json (model) and faithful.png (figure)\n")
    assert not ESCAPE.search(done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert (folder / "faithful.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(mixtura.load("faithful.model.json").weights_.round(4)) == [0.3559, 0.6441]


def test_fit_json_is_all_there_is(folder: Path) -> None:
    done = run("fit", FAITHFUL, "-k", 3, "--covariance", "tied", "--json", "--no-figure")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["columns"] == ["eruptions", "waiting"]
    assert np.shape(found["means"]) == (3, 2)
    assert found["covariance_type"] == "tied"
    assert found["bic"] == pytest.approx(2314.30, abs=0.05)
    assert found["fit"]["converged"] is True
    assert found["files"] == {"model": "faithful.model.json", "figure": None}
    assert names(folder) == ["faithful.model.json"]


def test_fit_quiet_and_where_files_go(folder: Path) -> None:
    (folder / "out").mkdir()
    done = run("fit", FAITHFUL, "-q", "--out", "out/m.json", "--figure", "out/f.svg")
    assert (done.exit_code, done.output) == (0, "")
    assert names(folder / "out") == ["f.svg", "m.json"]


def test_fit_options_reach_the_estimator(folder: Path) -> None:
    (folder / "t.csv").write_text("a,b,w,c\n" + "".join(
        f"{i % 7},{i % 5},{1 + i % 2},u\n" for i in range(60)
    ))  # fmt: skip
    done = run(
        "fit", "t.csv", "-k", 1, "--exclude", "c", "--weights", "w", "--seed", 7, "--starts", 2,
        "--engine", "local", "--solver", "em", "--max-iter", 50, "--tol", 1e-4, "--no-figure",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    mixture = mixtura.load("t.model.json")
    settings = {"random_state": 7, "n_init": 2, "engine": "local", "max_iter": 50, "tol": 1e-4}
    assert settings.items() <= mixture.get_params().items()
    assert list(mixture.feature_names_in_) == ["a", "b"]
    assert mixture.fit_result_.weight == 90


def test_the_same_seed_gives_the_same_file(folder: Path) -> None:
    for name in ("a.json", "b.json"):
        run("fit", FAITHFUL, "-k", 3, "--out", name, "--no-figure", "-q")
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()


def test_warnings_are_notes_on_stderr(folder: Path) -> None:
    done = run("fit", FAITHFUL, "-k", 3, "--max-iter", 2, "--no-figure")
    assert done.exit_code == 0
    assert re.fullmatch(r"warning: .*did not converge.*\n", done.stderr)
    assert "Not converged" in done.stdout


def test_what_is_not_converged_is_told_in_options(folder: Path) -> None:
    done = run("fit", FAITHFUL, "-k", 3, "--max-iter", 2, "--no-figure", "-q")
    assert done.stderr == (
        "warning: the fit did not converge in 2 EM steps: raise --max-iter (or --tol)\n"
    )
    done = run("fit", FAITHFUL, "--tol", 0, "--max-iter", 200, "--no-figure")
    assert "stopped at --max-iter (200 steps)" in done.stderr.replace("EM ", "")
    assert "Not converged" not in done.stdout
    assert "Stopped by max_iter at what looks like the top" in " ".join(done.stdout.split())


def test_a_table_without_header_is_announced(folder: Path) -> None:
    (folder / "x.csv").write_text("".join(FAITHFUL.read_text().splitlines(True)[1:]))
    said = (
        "note: no header found in x.csv, so its columns are called x1, x2, ...: put names in the "
        "first line\n"
    )
    done = run("fit", "x.csv", "--no-figure")
    assert (done.exit_code, done.stderr) == (0, said)
    assert run("predict", "x.model.json", "x.csv").stderr == said
    assert run("score", "x.model.json", "x.csv").stderr == said
    for arguments in (["fit", "-q"], ["fit", "--json"]):
        assert run(*arguments, "x.csv", "--no-figure").stderr == ""
    assert run("score", "x.model.json", "x.csv", "--json").stderr == ""


@pytest.mark.filterwarnings("default")
def test_characters_without_a_glyph_are_no_news(folder: Path) -> None:
    rows = FAITHFUL.read_text().splitlines(True)[1:]
    (folder / "t.csv").write_text("噴火,待ち時間\n" + "".join(rows), encoding="utf-8")
    done = run("fit", "t.csv", "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert (folder / "t.png").exists()


def test_a_figure_that_fails_does_not_cost_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no ink")

    monkeypatch.setattr("mixtura.report.figures.draw", fail)
    done = run("fit", FAITHFUL)
    assert done.exit_code == 0
    assert "warning: the figure was not drawn: no ink" in done.stderr
    assert names(folder) == ["faithful.model.json"]


def test_predict_appends_to_the_columns(folder: Path, model: Path) -> None:
    done = spawn("predict", model, FAITHFUL)
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["eruptions", "waiting", "label", "p_0", "p_1"]
    p = np.array([[float(row["p_0"]), float(row["p_1"])] for row in rows])
    assert p.shape == (272, 2)
    assert p.sum(axis=1) == pytest.approx(1)
    assert [int(row["label"]) for row in rows] == p.argmax(axis=1).tolist()


def test_predict_matches_columns_by_name(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_text("who,waiting,eruptions\nx,79,3.6\ny,54,1.8\n")
    assert run("predict", model, "t.csv", "--out", "out.parquet").exit_code == 0
    frame = pq.read_table("out.parquet")
    assert frame.column_names == ["who", "waiting", "eruptions", "label", "p_0", "p_1"]
    mixture = mixtura.load(model)
    mixture.feature_names_in_ = None
    expected = mixture.predict(np.array([[3.6, 79.0], [1.8, 54.0]]))
    assert frame["label"].to_pylist() == expected.tolist()
    renamed = run("predict", model, "t.csv", "--columns", "waiting,eruptions")
    assert renamed.exit_code == 0


def test_a_model_without_names_goes_by_position(folder: Path) -> None:
    X = np.loadtxt(FAITHFUL, delimiter=",", skiprows=1)
    mixtura.GaussianMixture(2, random_state=0).fit(X).save("m.json")
    assert run("predict", "m.json", FAITHFUL).exit_code == 0
    (folder / "three.csv").write_text("a,b,c,d\n1,2,u,3\n")
    done = run("predict", "m.json", "three.csv")
    assert done.exit_code == 2
    assert "the model has 2 columns, and here are 3 ('a', 'b', 'd')" in done.stderr
    assert run("predict", "m.json", "three.csv", "--columns", "a,d").exit_code == 0


def test_score(folder: Path, model: Path) -> None:
    done = run("score", model, FAITHFUL, "--json")
    found = json.loads(done.stdout)
    assert found["log_likelihood"] == pytest.approx(-1130.264, abs=1e-3)
    assert found["mean_log_likelihood"] == pytest.approx(-1130.264 / 272, abs=1e-5)
    assert found["bic"] == pytest.approx(2322.192, abs=1e-2)
    assert "-1130.26 in total" in run("score", model, FAITHFUL).stdout
    per_row = run("score", model, FAITHFUL, "--per-row").stdout
    total = sum(float(row["log_density"]) for row in csv.DictReader(io.StringIO(per_row)))
    assert total == pytest.approx(found["log_likelihood"])


def test_score_weights_count_rows(folder: Path, model: Path) -> None:
    (folder / "w.csv").write_text("eruptions,waiting,w\n3.6,79,2\n1.8,54,0\n")
    (folder / "twice.csv").write_text("eruptions,waiting\n3.6,79\n3.6,79\n")
    weighted = json.loads(run("score", model, "w.csv", "--weights", "w", "--json").stdout)
    twice = json.loads(run("score", model, "twice.csv", "--json").stdout)
    for key in ("log_likelihood", "bic", "aic", "weight"):
        assert weighted[key] == pytest.approx(twice[key])


def test_sample_then_predict(folder: Path, model: Path) -> None:
    done = run("sample", model, "-n", 5, "--seed", 3)
    assert done.stdout == run("sample", model, "-n", 5, "--seed", 3).stdout
    assert done.stdout != run("sample", model, "-n", 5, "--seed", 4).stdout
    assert done.stdout.splitlines()[0] == "eruptions,waiting,label"
    assert len(done.stdout.splitlines()) == 6
    run("sample", model, "--out", "s.csv")
    clash = run("predict", model, "s.csv")
    assert clash.exit_code == 2
    assert "the table already has column 'label'" in clash.stderr
    assert run("predict", model, "s.csv", "--prefix", "m_").stdout.startswith(
        "eruptions,waiting,label,m_label,m_p_0"
    )


def test_show_is_what_fit_printed(folder: Path) -> None:
    fitted = run("fit", FAITHFUL, "--no-figure").stdout
    shown = run("show", "faithful.model.json").stdout
    assert fitted.startswith(shown)
    found = json.loads(run("show", "faithful.model.json", "--json").stdout)
    assert found["bic"] == pytest.approx(2322.192, abs=1e-2)


def test_no_command_replaces_what_another_has_written(folder: Path) -> None:
    joined = np.triu(np.random.default_rng(0).random((12, 12)) < 0.4, 1)
    np.savetxt("t.csv", np.argwhere(joined), "%d", ",", header="a,b", comments="")
    asked = {"fit": (), "select": ("-k", "1:2"), "hmm": (), "blocks": ("-k", 2)}
    kept: dict[str, bytes] = {}
    for name, more in asked.items():
        assert run(name, "t.csv", *more).exit_code == 0
        assert all(Path(path).read_bytes() == content for path, content in kept.items())
        kept = {path: Path(path).read_bytes() for path in names(folder)}
    assert len([path for path in kept if path.endswith(".model.json")]) == len(asked)


def test_an_option_stands_under_one_heading() -> None:
    panels: dict[str, set[str | None]] = {}
    for one in typer.main.get_command(app).commands.values():
        for option in one.params:
            panels.setdefault(option.opts[0], set()).add(getattr(option, "rich_help_panel", None))
    assert len(panels) > 60
    assert {name for name, places in panels.items() if len(places) > 1} == set()


def test_paragraphs_of_help_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("predict", "--help").stdout
    assert "trimmed, and of a contaminated mixture's outliers, whose chance is" in shown


def test_version_and_help() -> None:
    assert run("--version").stdout == f"mixtura {mixtura.__version__}\n"
    for name in ("fit", "predict", "score", "sample", "show"):
        assert run(name, "--help").exit_code == 0
        assert name in run("--help").stdout


def test_lists_of_names() -> None:
    assert split_names("a, b") == ["a", "b"]
    assert split_names('"a, b",c') == ["a, b", "c"]
    assert split_names("") == [""]
    assert split_names(None) is None


def test_two_regressions_of_the_last_column(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 5, size=120)
    y = np.where(np.arange(120) % 2, 1 + x, 9 - 2 * x) + 0.3 * rng.normal(size=120)
    X = np.column_stack([x, y])
    np.savetxt("lines.csv", X, delimiter=",", header="dose,answer", comments="")
    done = spawn("fit", "lines.csv", "--family", "regression", "-k", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "below answer: intercept, residual sd" in done.stdout
    shown = json.loads(spawn("show", "lines.model.json", "--json").stdout)
    slopes = sorted(line[1] for line in shown["coefficients"])
    np.testing.assert_allclose(slopes, [-2, 1], atol=0.1)
    bad = spawn("sample", "lines.model.json", "-n", "3")
    assert bad.returncode == 2
    assert "not where these lie" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_counts_and_yes_or_no(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.poisson(np.array([[1.0, 10.0], [12.0, 2.0]])[rng.integers(2, size=200)])
    np.savetxt("calls.csv", X, delimiter=",", header="day,night", comments="", fmt="%d")
    done = spawn("fit", "calls.csv", "--family", "poisson")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Poisson: counts, independent within a group" in done.stdout
    shown = json.loads(spawn("show", "calls.model.json", "--json").stdout)
    direct = mixtura.Mixture("poisson", 2, random_state=0).fit(X)
    np.testing.assert_allclose(shown["rates"], direct.rates_, rtol=1e-9)
    assert (shown["family"], shown["converged"]) == ("poisson", True)
    answered = spawn("predict", "calls.model.json", "calls.csv").stdout.splitlines()
    assert answered[0] == "day,night,label,p_0,p_1"
    drawn = spawn("sample", "calls.model.json", "-n", "3").stdout.splitlines()
    assert drawn[0] == "day,night,label"
    assert len(drawn) == 4

    bad = spawn("fit", "calls.csv", "--family", "bernoulli", "--no-figure")
    assert bad.returncode != 0
    assert "--family bernoulli is for 0 and 1, and column 'day' holds" in bad.stderr
    bad = spawn("fit", "calls.csv", "--family", "poisson", "--covariance", "EII")
    assert "leave one of them out" in bad.stderr

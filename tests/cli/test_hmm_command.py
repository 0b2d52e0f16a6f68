"""mixtura hmm, and what the other commands make of its models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import names, run

import mixtura


@pytest.fixture
def table(folder: Path) -> Path:
    """Three walks between two states, with a step that nobody saw."""
    rng = np.random.default_rng(3)
    state = np.tile(np.repeat([0, 1, 0], [12, 10, 8]), 3)
    counts = rng.poisson(np.array([2.0, 12.0])[state]).astype(float)
    counts[5] = np.nan
    rows = [
        f"w{t // 30},{2000 + t % 30},{'' if np.isnan(x) else int(x)}" for t, x in enumerate(counts)
    ]
    path = folder / "walks.csv"
    path.write_text("\n".join(["walk,year,bites", *rows]) + "\n")
    return path


ORDER = ("--sequence", "walk", "--time", "year")


@pytest.fixture
def fitted(table: Path) -> Path:
    done = run("hmm", table, "--states", 2, "--family", "poisson", *ORDER, "--quiet", "--no-figure")
    assert done.exit_code == 0, done.output
    assert done.output == ""
    return Path("walks.hmm.model.json")


def frame(table: Path) -> tuple[pd.DataFrame, np.ndarray]:
    return mixtura.in_sequences(pd.read_csv(table), sequence="walk", time="year")


def test_a_checkpoint_changes_nothing_and_goes(fitted: Path, table: Path, folder: Path) -> None:
    before = mixtura.load(fitted).transitions_
    asked = ("hmm", table, "-k", 2, "--family", "poisson", *ORDER, "--no-figure", "--quiet")
    done = run(*asked, "--checkpoint", "run.ckpt")
    assert done.exit_code == 0, done.output
    assert names(folder) == ["walks.csv", "walks.hmm.model.json"]
    np.testing.assert_array_equal(mixtura.load(fitted).transitions_, before)
    for other, said in (
        (("-k", "1:2"), "--checkpoint run.ckpt is for one number of states"),
        (("--max-seconds", 9), "--max-seconds cannot be kept with --checkpoint"),
        (("--out", "run.json", "--checkpoint", "run.json"), "this is --out"),
    ):
        done = run(*asked, "--checkpoint", "run.ckpt", *other)
        assert done.exit_code == 2, done.output
        assert said in " ".join(done.stderr.split())


def test_a_report_a_model_and_a_figure(table: Path, folder: Path) -> None:
    done = run("hmm", table, "-k", 2, "--family", "poisson", *ORDER)
    assert done.exit_code == 0, done.output
    assert names(folder) == ["walks.csv", "walks.hmm.model.json", "walks.hmm.png"]
    assert (folder / "walks.hmm.png").stat().st_size > 20_000
    assert done.stdout.startswith("2 states in 90 rows of 1 column (bites)")
    assert "group" not in done.stdout
    for word in (
        "begins",
        "lasts",
        "to 1",
        "this point is    a maximum",
        "wrote walks.hmm.model.json",
    ):
        assert word in done.stdout
    chain = mixtura.HiddenMarkov("poisson", 2, random_state=0).fit(*frame(table))
    kept = mixtura.load("walks.hmm.model.json")
    np.testing.assert_array_equal(kept.rates_, chain.rates_)
    assert run("show", "walks.hmm.model.json").stdout in done.stdout


def test_json_has_the_chain(table: Path) -> None:
    done = run("hmm", table, "-k", 2, "--family", "poisson", *ORDER, "--json", "--no-figure")
    told = json.loads(done.stdout)
    moves = np.array(told["transitions"])
    np.testing.assert_allclose(told["expected_stays"], 1 / (1 - np.diag(moves)))
    np.testing.assert_allclose(np.sum(told["initial"]), 1.0)
    assert told["files"]["model"] == "walks.hmm.model.json"


def test_predict_appends_states(table: Path, fitted: Path) -> None:
    chain, (X, lengths) = mixtura.load(fitted), frame(table)
    for option, p, states in (
        ((), chain.predict_proba(X, lengths), chain.predict(X, lengths)),
        (("--filter",), chain.filter(X, lengths), chain.filter(X, lengths).argmax(axis=1)),
    ):
        assert run("predict", fitted, table, *ORDER, *option, "--out", "p.csv").exit_code == 0
        told = pd.read_csv("p.csv")
        assert list(told.columns) == ["walk", "year", "bites", "state", "p_0", "p_1"]
        np.testing.assert_array_equal(told["state"], states)
        np.testing.assert_allclose(told[["p_0", "p_1"]], p, atol=1e-15)


def test_score_and_sample(table: Path, fitted: Path) -> None:
    chain, (X, lengths) = mixtura.load(fitted), frame(table)
    told = json.loads(run("score", fitted, table, *ORDER, "--json").stdout)
    assert told["log_likelihood"] == pytest.approx(chain.score(X, lengths))
    assert told["bic"] == pytest.approx(chain.bic(X, lengths))
    done = run("sample", fitted, "-n", 5, "--seed", 1)
    assert done.stdout.splitlines()[0] == "bites,state"
    drawn, states = chain.sample(5, 1)
    assert done.stdout.splitlines()[1:] == [
        f"{int(x)},{k}" for x, k in zip(drawn[:, 0], states, strict=True)
    ]


def test_weights_are_those_of_sequences(table: Path, fitted: Path) -> None:
    weighed = pd.read_csv(table)
    weighed["often"] = np.repeat([2, 1, 1], 30)
    weighed.to_csv("weighed.csv", index=False)
    twice = pd.concat([weighed[:30].assign(walk="again"), weighed])
    twice.to_csv("twice.csv", index=False)
    order = (*ORDER, "--json", "--no-figure", "-k", 2, "--family", "poisson")
    one = json.loads(run("hmm", "weighed.csv", *order, "--weights", "often").stdout)
    other = json.loads(run("hmm", "twice.csv", *order, "--exclude", "often").stdout)
    assert one["log_likelihood"] == pytest.approx(other["log_likelihood"], abs=1e-6)
    score = ("score", fitted, "weighed.csv", *ORDER, "--json", "--weights", "often")
    whole = ("score", fitted, "twice.csv", *ORDER, "--json")
    told = [json.loads(run(*each).stdout) for each in (score, whole)]
    assert told[0]["bic"] == pytest.approx(told[1]["bic"])


def test_the_best_of_several_numbers(table: Path) -> None:
    ask = ("hmm", table, "--states", "1:3", "--family", "poisson", *ORDER, "--no-figure")
    done = run(*ask)
    assert done.exit_code == 0, done.output
    assert "best: lowest BIC" in done.stdout
    assert "2 states in 90 rows" in done.stdout
    told = json.loads(run(*ask, "--criterion", "heldout", "--folds", 3, "--json").stdout)
    assert told["search"]["n_states"] == [1, 2, 3]
    assert len(told["transitions"]) == 1 + int(np.argmax(told["search"]["heldout"]))
    assert mixtura.load("walks.hmm.model.json").n_states == len(told["transitions"])
    assert "the most tried, are best" in run(*ask[:3], "1:2", *ask[4:]).output


def test_known_states_by_a_column(table: Path) -> None:
    data = pd.read_csv(table)
    # The states of the rows' own order, and the wrong way round but for these: 1 is low.
    data["told"] = np.where(np.arange(90) % 9 == 0, (data["bites"] < 6).astype(float), np.nan)
    data.to_csv("told.csv", index=False)
    ask = ("hmm", "told.csv", "-k", 2, "--family", "poisson", *ORDER, "--known", "told", "-q")
    assert run(*ask).exit_code == 0
    X, lengths = frame(table)
    asked = mixtura.HiddenMarkov("poisson", 2, random_state=0).fit(X, lengths, states=data["told"])
    kept = mixtura.load("told.hmm.model.json")
    np.testing.assert_array_equal(kept.rates_, asked.rates_)
    assert kept.rates_[0, 0] > kept.rates_[1, 0]
    # What is asked later may know states too.
    more = ("told.hmm.model.json", "told.csv", *ORDER, "--known", "told")
    done = run("predict", *more, "--out", "states.csv")
    assert done.exit_code == 0, done.output
    found, sure = pd.read_csv("states.csv"), data["told"].notna()
    wanted = kept.predict_proba(X, lengths, states=data["told"])
    np.testing.assert_allclose(found[["p_0", "p_1"]], wanted, atol=1e-12)
    assert (found["state"] == kept.predict(X, lengths, states=data["told"])).all()
    assert (found["state"][sure] == data["told"][sure]).all()
    run("predict", *more, "--filter", "--out", "filtered.csv")
    ahead = kept.filter(X, lengths, states=data["told"])
    np.testing.assert_allclose(pd.read_csv("filtered.csv")[["p_0", "p_1"]], ahead, atol=1e-12)
    told = json.loads(run("score", *more, "--json").stdout)
    value = kept.score(X, lengths, states=data["told"])
    assert told["log_likelihood"] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hmm", "walks.csv", *ORDER, "-k", "1:2", "--known", "bites"), "for one number of states"),
        (("hmm", "walks.csv", "--known", "walk"), "--known walk: states are numbers from 0"),
        (
            ("predict", "MODEL", "walks.csv", "--known", "year"),
            "--known year: row 1 holds 2000",
        ),
        (("score", "MODEL", "walks.csv", "--known", "yr"), "there is no column 'yr'"),
        (("score", "MODEL", "walks.csv", "--per-row"), "rows have no density of their own"),
        (("hmm", "walks.csv", "--sequence", "wlk"), "--sequence wlk: there is no such column"),
        (("hmm", "walks.csv", "--sequence", "year"), "begins in row 1 and again in row 31"),
        (("hmm", "walks.csv", "--time", "year", "--exclude", "walk"), "sort the table by sequence"),
        (("hmm", "walks.csv", *ORDER, "-k", 200), "--states 200, and X has only 89 steps"),
        (("hmm", "walks.csv", *ORDER, "--covariance", "diag", "--family", "poisson"), "--family"),
        (("hmm", "walks.csv", *ORDER, "-k", "0:2"), "--states 0:2: write numbers from 1"),
        (("predict", "MODEL", "walks.csv", "--columns", "year,bites"), "the model has 1 columns"),
    ],
)
def test_what_cannot_be_is_refused(fitted: Path, arguments: tuple[object, ...], said: str) -> None:
    done = run(*(fitted if each == "MODEL" else each for each in arguments))
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert done.output.count("error:") == 1


def test_arrays_and_folders(folder: Path) -> None:
    rng = np.random.default_rng(0)
    parts = rng.normal(0, 1, (30, 2)), np.full((1, 2), np.nan), rng.normal(9, 1, (30, 2))
    np.save("a.npy", np.concatenate(parts))
    done = run("hmm", "a.npy", "-k", 2)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 states in 61 rows of 2 columns (x1, x2)")
    rows = run("predict", "a.hmm.model.json", "a.npy").stdout.splitlines()
    assert [row.split(",")[2] for row in rows[1:]] in (["0"] * 30 + [k] + ["1"] * 30 for k in "01")
    (folder / "parts").mkdir()
    assert "does not tell the order of its rows" in run("hmm", "parts").output
    (folder / "gap.csv").write_text("x,y\n1,2\n3,\n2,2\n4,5\n")
    assert "2 states in 4 rows of 2 columns (x, y)" in run("hmm", "gap.csv", "-k", 2).output


def test_mixtures_know_no_order(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_text("eruptions,waiting\n2,50\n4,80\n")
    for command, option in (("predict", "--filter"), ("score", "--time=waiting")):
        done = run(command, model, "t.csv", option)
        assert done.exit_code == 2
        assert "holds a mixture, which knows no order of rows" in " ".join(done.output.split())


def test_a_row_without_its_sequence_is_refused(folder: Path) -> None:
    for gap in ("", "NA"):
        (folder / "t.csv").write_text(f"who,n\na,1\na,2\n{gap},1\nb,3\nb,3\n")
        done = run("hmm", "t.csv", "--sequence", "who", "--family", "poisson", "-k", 2)
        assert done.exit_code == 2
        assert "the column of sequences has no value in row 3" in done.stderr


def test_topology_first_states_and_starts(table: Path) -> None:
    asked = ("--family", "poisson", *ORDER, "--no-figure", "--quiet")
    done = run("hmm", table, "-k", 3, *asked, "--topology", "left-right", "--starts", "auto")
    assert done.exit_code == 0, done.output
    kept = mixtura.load("walks.hmm.model.json")
    assert (np.tril(kept.transitions_, -1) == 0).all()
    assert kept.n_init == "auto"
    done = run("hmm", table, "-k", 2, *asked, "--initial", "stationary")
    assert done.exit_code == 0, done.output
    kept = mixtura.load("walks.hmm.model.json")
    np.testing.assert_allclose(kept.initial_ @ kept.transitions_, kept.initial_, atol=1e-10)
    done = run("hmm", table, *asked, "--topology", "ring")
    assert done.exit_code == 2
    assert "'cyclic'" in done.output


def test_how_long_states_last(table: Path) -> None:
    asked = ("--family", "poisson", *ORDER)
    done = run("hmm", table, "-k", 2, *asked, "--durations", "poisson", "--max-duration", 30)
    assert done.exit_code == 0, done.output
    assert "once a stay ends" in done.stdout
    kept = mixtura.load("walks.hmm.model.json")
    assert kept.durations_.shape == (2, 30)
    assert run("show", "walks.hmm.model.json").stdout in done.stdout
    ahead = run("predict", "walks.hmm.model.json", table, *ORDER, "--filter")
    assert ahead.exit_code == 0, ahead.output
    for given, said in (
        (("--durations", "free"), "--durations free has a number for each length"),
        (("--max-duration", 30), "--max-duration is for --durations"),
    ):
        done = run("hmm", table, "-k", 2, *asked, *given)
        assert done.exit_code == 2
        assert said in done.output


def test_transitions_that_hang_on_a_column(folder: Path) -> None:
    rng = np.random.default_rng(0)
    state = np.repeat(np.tile([0, 1], 10), 12)
    rows = zip(rng.poisson(np.array([2, 12])[state]), rng.normal(size=240), strict=True)
    (folder / "t.csv").write_text("bites,heat\n" + "".join(f"{x},{c:.4f}\n" for x, c in rows))
    asked = ("hmm", "t.csv", "--family", "poisson", "--no-figure", "--covariates")
    done = run(*asked, "heat")
    assert done.exit_code == 0, done.output
    assert "0 to 1" in done.stdout
    assert mixtura.load("t.hmm.model.json").transition_coef_.shape == (2, 2, 1)
    assert run("predict", "t.hmm.model.json", "t.csv").exit_code == 0
    told = json.loads(run("show", "t.hmm.model.json", "--json").stdout)
    assert np.shape(told["transition_coef"]) == (2, 2, 1)
    done = run(*asked, "cold")
    assert done.exit_code == 2
    assert "cold" in done.output


def test_rows_that_may_be_several_sequences_are_not_joined_without_a_word(
    table: Path, fitted: Path
) -> None:
    told = run("score", fitted, table)
    assert "all 90 rows are taken for one sequence" in told.stderr
    assert "--sequence walk" in told.stderr
    assert "one sequence" not in run("score", fitted, table, *ORDER).stderr


def test_first_states_that_hang_on_a_column(folder: Path) -> None:
    rng = np.random.default_rng(0)
    age = rng.normal(50, 10, size=60)
    first = (rng.uniform(size=60) < 1 / (1 + np.exp((50 - age) / 5))).astype(int)
    bites = rng.poisson(np.array([2, 12])[np.repeat(first, 4)])
    table = pd.DataFrame(
        {"who": np.repeat(np.arange(60), 4), "bites": bites, "age": np.repeat(age, 4)}
    )
    table.to_csv("t.csv", index=False)
    asked = ("hmm", "t.csv", "--sequence", "who", "--family", "poisson", "--no-figure")
    done = run(*asked, "--initial-covariates", "age")
    assert done.exit_code == 0, done.output
    assert "Log-odds of a first state, beside 0" in done.stdout
    told = json.loads(run("show", "t.hmm.model.json", "--json").stdout)
    assert np.ravel(told["initial_coef"])[1] > 0.05
    assert run("predict", "t.hmm.model.json", "t.csv", "--sequence", "who").exit_code == 0
    done = run(*asked, "--initial-covariates", "nope")
    assert done.exit_code == 2
    assert "--initial-covariates has 'nope', which is no column" in done.stderr
    done = run("hmm", "t.csv", "--exclude", "who", "--initial-covariates", "age", "--no-figure")
    assert done.exit_code == 2
    assert "one sequence" in done.stderr
    assert "--sequence" in done.stderr

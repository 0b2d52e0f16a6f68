"""Hidden Markov models of tables that are read in pieces: the answers of the table in memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import run

from mixtura.cli import reading
from mixtura.data import parts, whole_sequences

ORDER = ("--sequence", "walk", "--time", "hour")


def walks(sequences: int, seed: int = 0) -> pd.DataFrame:
    """Walks of 20 to 60 steps between two states; one in twenty begins in the second."""
    rng, found = np.random.default_rng(seed), []
    for s in range(sequences):
        n = rng.integers(20, 60)
        state = (np.cumsum(rng.uniform(size=n) < 0.05)) % 2
        found.append(
            pd.DataFrame(
                {
                    "walk": f"w{s:04}",
                    "hour": np.arange(n) / 4,
                    "bites": rng.poisson(np.array([2, 9])[state]),
                    "sound": rng.choice(["hum", "buzz"], p=[0.8, 0.2], size=n),
                    "code": [f"{i:03}" for i in range(n)],
                }
            )
        )
        found[-1].loc[state == 1, "sound"] = "zip"
    return pd.concat(found)


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks of text, and parts of a few sequences."""
    monkeypatch.setattr(parts, "BLOCK", 1 << 12)
    monkeypatch.setattr(whole_sequences, "PART", 1 << 10)


def asked(table: str, *more: object) -> dict[str, Any]:
    done = run("hmm", table, *ORDER, "--json", "--no-figure", *more)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "of",
    [
        ("--columns", "bites", "--family", "poisson"),
        ("--columns", "sound", "--family", "categorical"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_fit_is_that_of_the_table(pieces: None, folder: Path, of: tuple, suffix: str) -> None:
    table = walks(40)
    (table.to_csv if suffix == "csv" else table.to_parquet)(f"w.{suffix}", index=False)
    one, other = (asked(f"w.{suffix}", "-k", 2, *of, how) for how in ("--in-memory", "--in-pieces"))
    assert other["log_likelihood"] == pytest.approx(one["log_likelihood"], abs=1e-4)
    for name in ("transitions", "initial"):
        np.testing.assert_allclose(other[name], one[name], atol=1e-3)
    assert other["fit"]["rows"] == len(table)


def test_states_scores_and_the_figure(
    pieces: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks(30).to_csv("w.csv", index=False)
    options = ("-k", 2, "--columns", "bites", "--family", "poisson")
    done = run("hmm", "w.csv", *ORDER, *options, "--in-pieces")
    assert done.exit_code == 0, done.output
    assert (folder / "w.hmm.png").stat().st_size > 20_000
    found = {}
    for size in (reading.LONG, 0):
        monkeypatch.setattr(reading, "LONG", size)
        for how in ((), ("--filter",)):
            run("predict", "w.hmm.model.json", "w.csv", *ORDER, *how, "--out", "p.csv")
            found[size, how] = pd.read_csv("p.csv", dtype={"code": str})
        told = run("score", "w.hmm.model.json", "w.csv", *ORDER, "--json").stdout
        found[size, "score"] = json.loads(told)
    for what in ((), ("--filter",)):
        pd.testing.assert_frame_equal(
            found[0, what].drop(columns="code"),
            found[reading.LONG or 1 << 25, what].drop(columns="code"),
        )
    # A file that is no text, with the columns in another order.
    walks(30)[["code", "hour", "bites", "walk", "sound"]].to_parquet("w.parquet", index=False)
    run("predict", "w.hmm.model.json", "w.parquet", *ORDER, "--out", "q.csv")
    np.testing.assert_array_equal(pd.read_csv("q.csv")["state"], found[0, ()]["state"])
    told = run("score", "w.hmm.model.json", "w.parquet", *ORDER, "--json").stdout
    assert json.loads(told) == pytest.approx(found[0, "score"], rel=1e-12)
    # Codes keep their zeros where text is passed on.
    assert found[0, ()]["code"].iloc[1] == "001"
    assert found[0, "score"] == pytest.approx(found[1 << 25, "score"], rel=1e-12)


def test_the_number_of_states(pieces: None, folder: Path) -> None:
    walks(15).to_csv("w.csv", index=False)
    options = ("-k", "1:2", "--columns", "bites", "--family", "poisson")
    one, other = (asked("w.csv", *options, how) for how in ("--in-memory", "--in-pieces"))
    for criterion in ("bic", "icl"):
        found, known = other["search"][criterion], one["search"][criterion]
        np.testing.assert_allclose(found, known, atol=1e-2)


def test_weights_known_states_and_sequences_left_out(pieces: None, folder: Path) -> None:
    table = walks(30)
    number = table["walk"].str[1:].astype(int)
    told = np.where((table["bites"] > 11) & (table.index % 3 == 0), 0, np.nan)
    table.assign(times=number % 3, state=told).to_csv("w.csv", index=False)
    options = ("--columns", "bites", "--family", "poisson", "--weights", "times")
    ways = ("--in-memory", "--in-pieces")
    one, other = (asked("w.csv", "-k", 2, "--known", "state", *options, how) for how in ways)
    assert other["fit"]["loglik"] == pytest.approx(one["fit"]["loglik"], rel=1e-9)
    np.testing.assert_allclose(other["transitions"], one["transitions"], atol=1e-5)
    assert one["fit"]["weight"] == (number % 3).sum()
    out = ("-k", "1:2", "--criterion", "heldout", "--folds", 3)
    one, other = (asked("w.csv", *out, *options, how)["search"]["heldout"] for how in ways)
    np.testing.assert_allclose(other, one, rtol=1e-4)


def test_memory_is_that_of_a_part(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pieces: None
) -> None:
    """A fit in pieces takes less at its peak than the numbers of the table."""
    monkeypatch.setattr(whole_sequences, "PART", 1 << 16)
    rng, n, d = np.random.default_rng(0), 200_000, 8
    state = (np.cumsum(rng.uniform(size=n) < 0.05)) % 2
    X = rng.normal(3.0 * state[:, None], size=(n, d)).astype(np.float32)
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(d)]).assign(who=np.arange(n) // 200)
    table.to_parquet("w.parquet", index=False, row_group_size=4096)
    options = ("-k", 2, "--covariance", "diag", "--json", "--no-figure", "--sequence", "who")
    # What is loaded the first time is no part of it.
    table[:1000].to_parquet("small.parquet", index=False)
    run("hmm", "small.parquet", *options, "--in-pieces")
    del X, table, state
    tracemalloc.start()
    try:
        done = run("hmm", "w.parquet", *options, "--in-pieces")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["fit"]["rows"] == n
    assert peak < 8 * n * d


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda t: pd.concat([t, t[:1]]), (), "sequence 'w0000' begins in row 1 and again in row "),
        (lambda t: t.assign(hour=-t["hour"]), (), "lies before that of row 1"),
        (lambda t: t.assign(walk=t["walk"].where(t.index < 19)), (), "no value in row "),
        (lambda t: t, ("--weights", "hour"), "sample_weight differs within a sequence"),
        (lambda t: t, ("--time", "lost"), "--time lost: there is no such column"),
    ],
)
def test_what_is_refused(pieces: None, folder: Path, change, options, said: str) -> None:
    change(walks(40)).to_csv("w.csv", index=False)
    done = run("hmm", "w.csv", *ORDER, "--columns", "bites", "--in-pieces", *options)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_one_sequence_is_held_in_memory(folder: Path) -> None:
    walks(2).to_csv("w.csv", index=False)
    done = run("hmm", "w.csv", "--columns", "bites", "--in-pieces")
    assert done.exit_code == 2
    assert "--in-pieces: without --sequence the table is one sequence" in done.stderr

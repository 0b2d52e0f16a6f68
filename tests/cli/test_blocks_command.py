"""mixtura blocks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import FAITHFUL, ROOT, names, run

import mixtura

KARATE = ROOT / "examples" / "karate.csv"


def test_a_report_a_model_a_table_and_a_figure(folder: Path) -> None:
    done = run("blocks", KARATE)
    assert done.exit_code == 0, done.output
    assert names(folder) == ["karate.blocks.csv", "karate.blocks.model.json", "karate.blocks.png"]
    assert (folder / "karate.blocks.png").stat().st_size > 20_000
    assert done.stdout.startswith("2 blocks in 34 nodes with 78 edges (bernoulli, undirected)")
    assert "5 models by icl; best 2: -205.09" in done.stdout
    table = np.genfromtxt("karate.blocks.csv", delimiter=",", names=True)
    model = mixtura.load("karate.blocks.model.json")
    np.testing.assert_array_equal(table["node"], model.nodes_)
    np.testing.assert_array_equal(table["block"], model.labels_)
    np.testing.assert_array_equal(table["p_1"], model.memberships_[:, 1])


def test_degrees_directions_weights_and_json(folder: Path) -> None:
    path = Path("mail.txt")
    rng = np.random.default_rng(0)
    z = np.repeat([0, 1], 15)
    counts = rng.poisson(np.array([[3.0, 1.0], [0.2, 3.0]])[np.ix_(z, z)])
    np.fill_diagonal(counts, 0)
    rows = [f"n{i:02} n{j:02} {counts[i, j]}" for i, j in np.argwhere(counts)]
    path.write_text("\n".join(["who whom letters", *rows]) + "\n")
    done = run(
        *("blocks", path, "-k", 2, "--degrees", "yes", "--directed", "--weight", "letters"),
        *("--ends", "who,whom", "--sep", " ", "--json", "--no-figure", "--nodes", "n.parquet"),
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["corrected"]
    assert told["directed"]
    assert np.sum(told["met"]) == counts.sum()
    assert (np.array(told["labels"]) == z).mean() in (0, 1)
    assert names(folder) == ["mail.blocks.model.json", "mail.txt", "n.parquet"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-k", "0"), "--blocks 0: this is neither"),
        (("-k", "40"), "--blocks 40, and the network has 34 nodes"),
        (("-k", "2", "--degrees", "auto"), "give --blocks"),
        (("-k", "2", "--degrees", "yes", "--edges", "gaussian"), "--edges 'gaussian'"),
        (("--weight", "w"), "karate.csv: there is no column 'w'"),
        (("--ends", "a,b"), "two columns of source, target"),
        (("--nodes", "karate.blocks.model.json"), "this is --out"),
        (("--nodes", "karate.blocks.png"), "this is --figure"),
    ],
)
def test_what_is_refused(folder: Path, options: tuple[str, ...], words: str) -> None:
    done = run("blocks", KARATE, *options)
    assert done.exit_code == 2
    assert words in done.output
    assert "n_blocks" not in done.output
    assert names(folder) == []


def test_a_table_of_measurements_is_no_network(folder: Path) -> None:
    done = run("blocks", FAITHFUL)
    assert done.exit_code == 2
    assert "column 'eruptions' holds numbers such as" in done.stderr
    assert "say so (--ends A,B)" in done.stderr
    assert names(folder) == []
    Path("versions.csv").write_text("uses,used\n1.5,2\n2,3.25\n")
    assert run("blocks", "versions.csv").exit_code == 2
    assert run("blocks", "versions.csv", "--ends", "uses,used", "-k", 1).exit_code == 0


def test_a_loop_is_told_in_the_commands_words(folder: Path) -> None:
    Path("loop.csv").write_text("source,target\n1,1\n1,2\n2,3\n")
    done = run("blocks", "loop.csv")
    assert done.exit_code == 2
    assert "loop.csv: node 1 is joined with itself" in done.output
    assert '--edges "poisson"' in done.output


def test_the_model_is_shown_and_other_commands_refuse_it(folder: Path) -> None:
    assert run("blocks", KARATE, "-k", 2, "--no-figure", "--quiet").exit_code == 0
    model = "karate.blocks.model.json"
    assert run("show", model).stdout.startswith("2 blocks in 34 nodes")
    assert json.loads(run("show", model, "--json").stdout)["law"] == "bernoulli"
    for words in (("sample", model), *((c, model, KARATE) for c in ("predict", "score", "audit"))):
        done = run(*words)
        assert done.exit_code == 2, words
        assert "holds blocks of a network's nodes" in done.stderr


def test_ancestry_is_shown_and_other_commands_refuse_it(folder: Path) -> None:
    X = np.random.default_rng(0).integers(0, 3, (12, 40))
    mixtura.Admixture(2, random_state=0).fit(X).save("a.json")
    assert run("show", "a.json").exit_code == 0
    assert json.loads(run("show", "a.json", "--json").stdout)["kind"] == "Admixture"
    done = run("sample", "a.json")
    assert done.exit_code == 2
    assert "holds ancestry from genotypes" in done.stderr


def test_two_sides(folder: Path) -> None:
    rng = np.random.default_rng(0)
    joined = rng.random((12, 10)) < np.kron([[0.9, 0.1], [0.1, 0.9]], np.ones((6, 5)))
    rows = [f"{i},{j}" for i, j in np.argwhere(joined)]
    Path("went.csv").write_text("\n".join(["who,where", *rows]) + "\n")
    done = run("blocks", "went.csv", "--bipartite", "-k", "2,2")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 and 2 blocks in 12 and 10 nodes")
    table = np.genfromtxt("went.blocks.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(table["side"], np.repeat([0, 1], [12, 10]))
    np.testing.assert_array_equal(table["block"][:12] == table["block"][0], np.arange(12) < 6)
    assert "or one of these" not in done.output
    for options, words in (
        (("-k", "2,3"), "nor auto; two numbers are for --bipartite"),
        (("--bipartite", "-k", "2,x"), "nor two of these (2,3)"),
        (("--bipartite", "-k", "2,11"), "--blocks (2, 11), and side 1"),
        (("--bipartite", "--directed"), "--directed and --bipartite do not go together"),
    ):
        done = run("blocks", "went.csv", *options)
        assert done.exit_code == 2
        assert words in done.output.replace("\n", " "), done.output


def test_a_clock_and_a_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("blocks", KARATE, "-k", 2, "--no-figure", "--max-seconds", "0.001")
    assert done.exit_code == 0, done.output
    assert "max_seconds ended the search early" in done.stdout
    assert "warning: --max-seconds ended the search early: give it more" in done.stderr
    done = run("blocks", KARATE, "-k", 2, "--max-seconds", 1, "--checkpoint", "c")
    assert done.exit_code == 2
    assert "--max-seconds and --checkpoint" in done.output
    done = run("blocks", KARATE, "--checkpoint", "karate.blocks.png")
    assert done.exit_code == 2
    assert "--checkpoint" in done.output

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    words = ("blocks", KARATE, "-k", 2, "--checkpoint", "c", "--no-figure")
    with monkeypatch.context() as patched:
        patched.setattr(mixtura.BlockModel, "_keep", stopped)
        done = run(*words)
    assert done.exit_code == 130
    assert "the same command goes on from c" in done.output
    assert Path("c").exists()
    assert run(*words).exit_code == 0
    assert not Path("c").exists()

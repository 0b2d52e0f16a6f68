"""mixtura ancestry: its files, its table, its figure, and what it refuses."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from commands import run

bed_reader = pytest.importorskip("bed_reader")


@pytest.fixture
def file(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    P = rng.uniform(0.05, 0.95, (3, 200))
    Q = np.eye(3)[np.arange(30) % 3]
    X = rng.binomial(2, Q @ P).astype(float)
    X[0, 0] = np.nan
    path = folder / "cohort.bed"
    bed_reader.to_bed(path, X)
    return path


def test_files_table_and_figure(file: Path) -> None:
    done = run("ancestry", file, "-k", "2:4", "--starts", 1)
    assert done.exit_code == 0, done.output
    assert "30 individuals, 200 markers" in done.stdout
    starred = [line for line in done.stdout.splitlines() if line.split()[:2] == ["*", "3"]]
    assert len(starred) == 1, done.stdout
    assert "the best" in starred[0]
    for K in (2, 3, 4):
        Q, P = np.loadtxt(f"cohort.{K}.Q"), np.loadtxt(f"cohort.{K}.P")
        assert Q.shape == (30, K)
        assert P.shape == (200, K)
        np.testing.assert_allclose(Q.sum(axis=1), 1, atol=1e-5)
    assert len(np.unique(np.loadtxt("cohort.3.Q").argmax(axis=1)[:3])) == 3
    assert Path("cohort.3.Q").read_text().splitlines()[0].count(".") == 3
    assert Path("cohort.ancestry.png").read_bytes()[:4] == b"\x89PNG"


def test_json_without_validation(file: Path) -> None:
    done = run("ancestry", file, "-k", 3, "--folds", 0, "--starts", 1, "--json", "--no-figure")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["best_n_populations"] == 3
    assert told["files"] == ["cohort.3.Q", "cohort.3.P"]
    assert told["trials"][0]["cv"] is None


def test_known_ancestry(file: Path) -> None:
    lines = [["north", "east", "-"][i % 3] for i in range(30)]
    Path("cohort.pop").write_text("\n".join(lines) + "\n")
    done = run(
        "ancestry", file, "-k", 3, "--supervised", "cohort.pop", "--out", "known", "--folds", 0
    )
    assert done.exit_code == 0, done.output
    assert "BIC" in done.stdout
    assert Path("known.ancestry.png").is_file()
    assert not Path("cohort.ancestry.png").exists()
    Q = np.loadtxt("known.3.Q")
    np.testing.assert_array_equal(Q[0::3, 1], 1)
    np.testing.assert_array_equal(Q[1::3, 0], 1)
    assert Q[2::3, 2].mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-k", 31), "--populations 31 is more than the 30 individuals"),
        (("-k", "x"), "--populations x: write numbers"),
        (("--folds", 1), "--folds 1: at least 2, or 0"),
        (("--folds", 100000), "--folds 100000 leaves"),
        (("--out", "gone/x"), "--out gone/x.2.Q: cannot be written: there is no folder 'gone'"),
        (("--figure", "gone/x.png"), "--figure gone/x.png: cannot be written: there is no folder"),
        (("--supervised", "no.pop"), "--supervised no.pop: there is no such file"),
        (("--supervised", "short.pop"), "short.pop: there are 1 lines for 30 individuals"),
        (("-k", "3:5", "--supervised", "three.pop"), "--populations 5 leaves nobody for 2 of"),
        (("-k", 2, "--supervised", "three.pop"), "--populations 2 is fewer than the 3 named in"),
    ],
)
def test_refusals(file: Path, arguments: tuple[object, ...], message: str) -> None:
    Path("short.pop").write_text("north\n")
    Path("three.pop").write_text("a\nb\nc\n" * 10)
    done = run("ancestry", file, *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


def test_modes(file: Path) -> None:
    """With too many populations races end apart: each end has its shares, in a file and a panel."""
    done = run("ancestry", file, "-k", 5, "--starts", 4, "--folds", 0, "--modes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    many = len(told["trials"][0]["modes"])
    assert many > 1
    names = [f"cohort.5.mode{place}.Q" for place in range(2, many + 1)]
    assert told["files"] == ["cohort.5.Q", "cohort.5.P", *names, "cohort.ancestry.png"]
    best, other = (Q / np.linalg.norm(Q, axis=0) for Q in map(np.loadtxt, ("cohort.5.Q", names[0])))
    # Aligned: no swap of two populations brings them nearer.
    for a, b in itertools.combinations(range(5), 2):
        swapped = other[:, [{a: b, b: a}.get(k, k) for k in range(5)]]
        assert np.sum(best * other) >= np.sum(best * swapped) - 1e-9


def test_checkpoint_and_clock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted after the first number the command goes on, and removes the file at its end."""
    from mixtura.estimators.admixture import Admixture

    fit = Admixture._fit_by

    def interrupted(self, *args, **kwargs):
        if self.n_populations == 3:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    asked = ("ancestry", file, "-k", "2:3", "--starts", 1, "--folds", 0, "--checkpoint", "run.ckpt")
    with monkeypatch.context() as patch:
        patch.setattr(Admixture, "_fit_by", interrupted)
        done = run(*asked)
    assert done.exit_code == 130
    assert "the same command goes on from run.ckpt" in done.stderr
    assert Path("run.ckpt").exists()
    done = run(*asked)
    assert done.exit_code == 0, done.output
    assert not Path("run.ckpt").exists()
    whole = Path("cohort.3.Q").read_text()
    run(*asked[:-2])
    assert Path("cohort.3.Q").read_text() == whole
    done = run(*asked[:-2], "--max-seconds", 0.001)
    assert done.exit_code == 0, done.output
    assert "--max-seconds left no time for 3 populations" in done.stderr
    done = run(*asked, "--max-seconds", 1)
    assert "--max-seconds cannot be kept with --checkpoint" in " ".join(done.stderr.split())


def test_a_file_that_is_not_there(folder: Path) -> None:
    done = run("ancestry", "no.bed")
    assert done.exit_code == 2
    assert "no.bed: there is no such file" in done.stderr


def test_a_vcf_file(folder: Path) -> None:
    """Its files are named without .vcf.gz, and what is left out of it is noted."""
    pytest.importorskip("cyvcf2")
    rng = np.random.default_rng(0)
    calls = np.array(["0/0", "0|1", "1/1"])[rng.integers(0, 3, (50, 12))]
    lines = [f"1 {j} . A {'C' if j else 'C,G'} . . . GT {' '.join(calls[j])}" for j in range(50)]
    head = ["#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT", *(f"i{i}" for i in range(12))]
    text = "##fileformat=VCFv4.2\n##contig=<ID=1>\n"
    text += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    text += "\n".join([" ".join(head), *lines]).replace(" ", "\t") + "\n"
    Path("cohort.vcf.gz").write_bytes(gzip.compress(text.encode()))
    done = run("ancestry", "cohort.vcf.gz", "--starts", 1, "--folds", 0, "--no-figure")
    assert done.exit_code == 0, done.output
    assert "12 individuals, 49 markers" in done.stdout
    assert "note: left out as no SNPs with one ALT allele: 1 of 50 markers" in done.stderr
    assert np.loadtxt("cohort.2.P").shape == (49, 2)

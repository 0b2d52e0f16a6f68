"""`mixtura fit --bayes`, and what the other commands make of its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import FAITHFUL, names, run

import mixtura


@pytest.fixture(scope="module")
def posterior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("posterior") / "geyser.json"
    figure = path.with_suffix(".png")
    done = run("fit", FAITHFUL, "--bayes", "-k", 12, "--out", path, "--figure", figure)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("2 groups in 272 rows of 2 columns (eruptions, waiting)")
    assert "bound" in done.output
    assert "BIC" not in done.output
    assert figure.exists()
    return path


def test_the_file_is_the_estimators(posterior: Path, faithful: np.ndarray) -> None:
    read = mixtura.load(posterior)
    ours = mixtura.BayesianGaussianMixture(n_components=12, random_state=0).fit(faithful)
    assert read.elbo_ == ours.elbo_
    np.testing.assert_array_equal(read.means_, ours.means_)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_score_is_that_of_the_predictive_density(posterior: Path, faithful: np.ndarray) -> None:
    told = json.loads(run("score", posterior, FAITHFUL, "--json").output)
    read = mixtura.load(posterior)
    assert told["log_likelihood"] == pytest.approx(272 * read.score(faithful, predictive=True))
    assert "bic" not in told
    assert "of the posterior predictive density" in run("score", posterior, FAITHFUL).output
    rows = run("score", posterior, FAITHFUL, "--per-row").output.splitlines()
    first = float(rows[1].split(",")[-1])
    assert first == pytest.approx(read.score_samples(faithful[:1], predictive=True)[0])


def test_the_other_commands_take_the_file(posterior: Path) -> None:
    told = json.loads(run("show", posterior, "--json").output)
    assert told["bound"] == mixtura.load(posterior).elbo_
    assert len(told["weights"]) == 2
    assert run("predict", posterior, FAITHFUL).output.splitlines()[1].split(",")[2] == "0"
    assert len(run("sample", posterior, "-n", 5).output.splitlines()) == 6


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_scores_are_by_the_t_that_is_predicted(posterior: Path, faithful: np.ndarray) -> None:
    done = run("predict", posterior, FAITHFUL, "--scores", "--top", 1).output.splitlines()
    assert done[0] == "eruptions,waiting,label,first_0,p_first_0,entropy,p_value,outlier_score"
    told = np.array([line.split(",")[-2:] for line in done[1:]], dtype=float).T
    found = mixtura.load(posterior)
    np.testing.assert_allclose(told[1], found.outlier_scores(faithful))
    np.testing.assert_allclose(told[0], found.predictive_p_values(faithful), atol=0.01)


def test_the_prior_of_the_weights_is_told(folder: Path) -> None:
    asked = ("--weight-prior", "distribution", "--concentration", "0.01", "--covariance", "diag")
    done = run("fit", FAITHFUL, "--bayes", "-k", 4, *asked, "--out", "m.json", "--no-figure")
    assert done.exit_code == 0, done.output
    read = mixtura.load("m.json")
    assert read.weight_concentration_prior_type == "dirichlet_distribution"
    assert (read.weight_concentration_prior, read.covariance_type) == (0.01, "diag")


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_counts_have_a_posterior_too(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.poisson(np.array([[2, 9], [14, 1]])[rng.integers(2, size=300)])
    np.savetxt("counts.csv", X, delimiter=",", header="seen,heard", comments="", fmt="%d")
    asked = ("--family", "poisson", "--bayes", "-k", 9)
    done = run("fit", "counts.csv", *asked, "--out", "m.json", "--figure", "m.png")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("2 groups in 300 rows of 2 columns (seen, heard)")
    read = mixtura.load("m.json")
    told = json.loads(run("score", "m.json", "counts.csv", "--json").output)
    assert told["log_likelihood"] == pytest.approx(300 * read.score(X, predictive=True))
    assert len(run("predict", "m.json", "counts.csv").output.splitlines()) == 301
    scored = run("predict", "m.json", "counts.csv", "--scores").output
    assert scored.splitlines()[0].endswith("entropy,p_value")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--bayes", "--family", "gamma"], "family 'gamma' has no conjugate prior here"),
        (["--bayes", "--covariance", "VEV"], "not VEV"),
        (["--bayes", "--solver", "lbfgs"], "climbed by EM alone"),
        (["--bayes", "--engine", "mixed"], "no passes in float32"),
        (["--weight-prior", "process"], "--weight-prior process is for --bayes"),
        (["--concentration", "2"], "--concentration 2.0 is for --bayes"),
    ],
    ids=str,
)
def test_what_does_not_belong_together_is_refused(
    asked: list[str], said: str, folder: Path
) -> None:
    done = run("fit", FAITHFUL, *asked)
    assert done.exit_code != 0
    assert said in " ".join(done.stderr.split())
    assert names(folder) == []

"""Searches under a prior: each fit is at the posterior's mode, criteria are of its likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson
from typer.testing import CliRunner

from mixtura import (
    CheckpointError,
    Dirichlet,
    FitError,
    GammaPrior,
    GaussianMixtureSearch,
    MixtureSearch,
)
from mixtura.cli import app

RNG = np.random.default_rng(0)
GROUP = RNG.integers(2, size=80)
COUNTS = RNG.poisson(np.array([[2.0, 9.0], [12.0, 3.0]])[GROUP]).astype(float)
PRIOR = [GammaPrior(3.0, 2.0), Dirichlet(4.0)]


def test_cells_are_at_the_mode_and_criteria_of_its_likelihood(tmp_path):
    asked = {"prior": PRIOR, "random_state": 0}
    search = MixtureSearch(["poisson", "categorical"], [1, 2, 3], **asked)
    search.fit(COUNTS, checkpoint=tmp_path / "cells")
    assert search.best_params_ == {"family": "poisson", "n_components": 2}
    best, n = search.best_estimator_, len(COUNTS)
    # A fixed point of the mode's own formulas: docs/priors.md.
    r = best.predict_proba(COUNTS)
    held = r.sum(axis=0)
    rates = (r.T @ COUNTS + 2.0) / (held[:, None] + 2.0)
    np.testing.assert_allclose(best.rates_, rates, rtol=1e-4)
    np.testing.assert_allclose(best.weights_, (held + 3.0) / (n + 2 * 3.0), rtol=1e-4)
    each = np.exp(poisson.logpmf(COUNTS[:, None], best.rates_).sum(axis=2)) @ best.weights_
    loglik, p = np.log(each).sum(), 5
    assert search.best_score_ == pytest.approx(2.0 * loglik - p * np.log(n), abs=1e-8)
    assert "each of the rates is worth 2 rows; each weight's is worth 3 rows" in best.summary()
    # Categories have no such prior.
    results, why = search.cv_results_, "no law of components of family 'categorical'"
    assert all(why in s for s in results["status"][results["param_family"] == "categorical"])
    with pytest.raises(FitError, match=why):
        MixtureSearch("categorical", [1], **asked).fit(COUNTS)
    with pytest.raises(CheckpointError, match="of other rows, settings"):
        MixtureSearch(["poisson", "categorical"], [1], random_state=0).fit(
            COUNTS, checkpoint=tmp_path / "cells"
        )


def test_gaussian_shapes_without_a_prior_are_not_tried(tmp_path):
    X = np.random.default_rng(1).normal(size=(60, 2)) + 8.0 * GROUP[:60, None]
    search = GaussianMixtureSearch(
        [1, 2, 3], covariance_type=["full", "VEV", "diag"], prior="fraley-raftery", random_state=0
    ).fit(X)
    assert set(search.cv_results_["param_covariance_type"]) == {"full", "diag"}
    assert search.untried_ == ("VEV",)
    assert search.effort_ == "thorough"
    assert search.best_params_["n_components"] == 2
    with pytest.raises(ValueError, match="effort='quick' knows no prior"):
        GaussianMixtureSearch(prior="fraley-raftery", effort="quick").fit(X)
    with pytest.raises(ValueError, match="conjugate priors are for covariance_type"):
        GaussianMixtureSearch(covariance_type="VEV", prior="fraley-raftery").fit(X)
    table = tmp_path / "t.csv"
    np.savetxt(table, X, delimiter=",", header="a,b", comments="")
    asked = ["--prior", "fraley-raftery", "--covariance", "full,VEV", "-k", "1,2"]
    files = [str(table), "--no-figure", "--out", str(tmp_path / "m.json")]
    said = CliRunner().invoke(app, ["select", *files, *asked])
    assert said.exit_code == 0, said.output
    assert "prior of the best: a covariance's is worth" in said.output
    assert "not tried, for they have no such prior: VEV" in said.output

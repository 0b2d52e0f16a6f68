"""Number for number scikit-learn's `BayesianGaussianMixture`, where start and settings are its."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sklearn.mixture
from sklearn.cluster import KMeans
from sklearn.utils.estimator_checks import check_estimator

from mixtura import BayesianGaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.posterior import PosteriorGaussian
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.models.responsibilities import one_hot
from mixtura.models.variational import VariationalMixture
from mixtura.models.weight_priors import Dirichlet, StickBreaking
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

STORED = Path(__file__).parents[3] / "shared" / "reference" / "sklearn_bayesian_faithful.json"
TYPES = ("full", "tied", "diag", "spherical")
KINDS = ("dirichlet_process", "dirichlet_distribution")
FITTED = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "weight_concentration_",
    "mean_precision_",
    "degrees_of_freedom_",
)
PRIOR = (
    "weight_concentration_prior_",
    "mean_precision_prior_",
    "mean_prior_",
    "degrees_of_freedom_prior_",
    "covariance_prior_",
)


def both(X, steps, **settings):
    """Their fit and ours after so many steps from their start; ours goes on from its attributes."""
    how = {"n_components": 5, "random_state": 3, "tol": 0.0, "reg_covar": 0.0, **settings}
    theirs = sklearn.mixture.BayesianGaussianMixture(**how, init_params="random")
    start = theirs.set_params(max_iter=0).fit(X)
    ours = BayesianGaussianMixture(**how, warm_start=True, max_iter=steps, moves=False)
    for name in (*FITTED, *PRIOR):
        setattr(ours, name, getattr(start, name))
    ours.converged_, ours.active_, ours.fit_result_ = False, np.ones(5, dtype=bool), None
    return theirs.set_params(max_iter=steps).fit(X), ours.fit(X)


def close(one, two):
    np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("prior", [{}, {"weight_concentration_prior": 2.0, "reg_covar": 1e-3}])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TYPES)
def test_the_same_numbers_from_the_same_start(name, kind, prior, iris):
    settings = {"covariance_type": name, "weight_concentration_prior_type": kind, **prior}
    theirs, ours = both(iris, 40, **settings)
    for attribute in (*FITTED, *PRIOR):
        close(getattr(ours, attribute), getattr(theirs, attribute))
        assert np.shape(getattr(ours, attribute)) == np.shape(getattr(theirs, attribute))
    close(ours.lower_bounds_, np.ravel(theirs.lower_bounds_))
    close(ours.lower_bound_, np.ravel(theirs.lower_bound_)[0])
    close(ours.score_samples(iris), theirs.score_samples(iris))
    close(ours.predict_proba(iris), theirs.predict_proba(iris))
    assert (ours.n_iter_, ours.converged_) == (40, False)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_given_priors_are_the_same(iris):
    root = np.random.default_rng(0).normal(size=(4, 4))
    theirs, ours = both(
        iris,
        20,
        mean_precision_prior=3.0,
        mean_prior=[5.0, 3.0, 4.0, 1.0],
        degrees_of_freedom_prior=3.5,
        covariance_prior=root @ root.T,
    )
    for attribute in (*FITTED, *PRIOR):
        close(getattr(ours, attribute), getattr(theirs, attribute))
    close(ours.lower_bounds_, np.ravel(theirs.lower_bounds_))


@pytest.mark.skipif(not STORED.exists(), reason="stored fits of scikit-learn are not there")
def test_fits_that_were_stored(faithful):
    stored, K = json.loads(STORED.read_text())["models"], 6
    labels = KMeans(K, n_init=1, random_state=np.random.RandomState(0)).fit(faithful).labels_
    for key, found in stored.items():
        kind, name, _ = key.split("/")
        alpha, scale = found["wc_prior"], np.array(found["covariance_prior"])
        weights = StickBreaking(alpha) if kind == KINDS[0] else Dirichlet(alpha, K)
        prior = NormalWishart(
            structure(name).form,
            np.array(found["mean_prior"]),
            found["mean_precision_prior"],
            found["dof_prior"],
            scale,
            1e-6,
        )
        model = VariationalMixture(PosteriorGaussian(structure(name)), prior, weights)
        start = model.first_step(faithful, None, one_hot(labels, K), model.untold(K))
        sweep = open_sweep("compiled", model, Rows(faithful))
        end = em(Problem(model, sweep, start, 0.0, found["n_iter"])).params
        close(model.lower_bound(end), np.ravel(found["lower_bound"])[0])
        close(end.weights, found["weights"])
        close(end.components.means, found["means"])
        close(end.components.covariances, found["covariances"])
        close(end.components.mean_precision, found["mean_precision"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"n_components": 2, "covariance_type": "tied"},
        {"n_components": 3, "covariance_type": "diag", "weight_concentration_prior_type": KINDS[1]},
    ],
    ids=str,
)
def test_check_estimator(settings):
    checks = check_estimator(BayesianGaussianMixture(**settings), on_fail=None)
    failed = {c["check_name"]: c["exception"] for c in checks if c["status"] == "failed"}
    assert not failed
    assert sum(c["status"] == "passed" for c in checks) >= 46


def test_every_parameter_is_there():
    theirs = sklearn.mixture.BayesianGaussianMixture().get_params()
    ours = BayesianGaussianMixture().get_params()
    assert set(theirs) <= set(ours)
    other = {name for name in theirs if theirs[name] != ours[name]}
    assert other == {"tol", "reg_covar", "max_iter"}

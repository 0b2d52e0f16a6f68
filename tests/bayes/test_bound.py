"""The bound against exact evidence, and the steps against all others that could be taken."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import log_evidence, log_joint

from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.posterior import PosteriorGaussian, gaussian_posterior
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.models.responsibilities import one_hot
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.models.weight_priors import Dirichlet, StickBreaking, WeightPrior
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.testing import model as contract

FORMS = ("full", "tied", "diag", "spherical", "EII", "EEI", "EEE")
WEIGHTS = (Dirichlet(0.7, 3), StickBreaking(1.3))


def variational(name: str, weights: WeightPrior, d: int = 2) -> VariationalMixture:
    form = structure(name).form
    scale = np.asarray(form.restrict(np.eye(d) + 0.3 * np.ones((d, d))))
    common = structure(name).one_covariance
    prior = NormalWishart(form, np.full(d, 0.4), 0.8, d + 0.5, scale, pooled=common)
    return VariationalMixture(PosteriorGaussian(structure(name)), prior, weights)


def rows(n: int = 12, d: int = 2, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + 3.0 * rng.integers(0, 3, size=(n, 1))


def bound(
    model: VariationalMixture, X: np.ndarray, resp: np.ndarray, q: VariationalParams
) -> float:
    """E_q[log p(rows, labels, ...) - log q], at given responsibilities."""
    stats = model.family.statistics(X, resp, q.components)
    entropy = -np.sum(resp * np.log(np.where(resp > 0, resp, 1.0)))
    expected = model.prior.expected(stats, q.components) + stats.counts @ q.log_weights
    return float(expected + entropy + model.log_prior(q))


@pytest.mark.parametrize("weights", WEIGHTS, ids=repr)
@pytest.mark.parametrize("name", ["full", "diag"])
def test_with_known_labels_the_bound_is_the_evidence(name, weights):
    # A diagonal form restricts nothing where there is one column.
    d = 2 if name == "full" else 1
    model, X, labels = variational(name, weights, d), rows(d=d), np.arange(12) % 3
    resp = one_hot(labels, 3)
    q = model.first_step(X, None, resp, model.untold(3))
    exact = log_joint(X, labels, 3, model.prior, weights)
    assert bound(model, X, resp, q) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("weights", [Dirichlet(0.7, 2), StickBreaking(1.3)], ids=repr)
@pytest.mark.parametrize("name", FORMS)
def test_the_bound_lies_below_the_evidence(name, weights):
    model, X = variational(name, weights), rows(7)
    start = model.first_step(X, None, one_hot(np.arange(7) % 2, 2), model.untold(2))
    climb = em(Problem(model, open_sweep("compiled", model, Rows(X)), start, 1e-12, 500))
    exact = log_evidence(X, 2, model.prior, weights)
    # What a form restricts is lost.
    assert exact - (4.0 if name == "full" else 20.0) < climb.objective < exact


def test_where_labels_leave_no_doubt_the_evidence_is_that_of_each_order():
    model = variational("full", Dirichlet(0.7, 2))
    X = np.vstack([rows(5), 500.0 + rows(5, seed=4)])
    start = model.first_step(X, None, one_hot(np.arange(10) // 5, 2), model.untold(2))
    climb = em(Problem(model, open_sweep("compiled", model, Rows(X)), start, 1e-12, 500))
    exact = log_evidence(X, 2, model.prior, model.weight_prior)
    assert exact == pytest.approx(climb.objective + np.log(2), abs=0.05)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("weights", WEIGHTS, ids=repr)
def test_no_other_posterior_of_the_form_has_a_higher_bound(name, weights):
    model, X = variational(name, weights), rows(30)
    rng = np.random.default_rng(0)
    resp = rng.dirichlet(np.ones(3), size=30)
    q = model.first_step(X, None, resp, model.untold(3))
    best, parts, form = bound(model, X, resp, q), q.components, model.family.form
    for _ in range(60):
        stretch = np.exp(rng.normal(scale=0.02, size=parts.root.shape))
        free = np.exp(rng.normal(scale=0.02, size=3))
        if model.family.one_covariance:
            stretch, free = stretch[:1] if not form.shared else stretch, free[:1]
        other = gaussian_posterior(
            parts.means + rng.normal(scale=0.02, size=parts.means.shape),
            parts.root * stretch,
            form,
            parts.mean_precision * np.exp(rng.normal(scale=0.02, size=3)),
            parts.freedom * free,
        )
        told = q.concentration * np.exp(rng.normal(scale=0.02, size=q.concentration.shape))
        assert bound(model, X, resp, model.assembled(told, other)) < best
        assert bound(model, X, resp, model.assembled(q.concentration, other)) < best


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("weights", WEIGHTS, ids=repr)
def test_the_contract_of_models(name, weights):
    model, X, rng = variational(name, weights), rows(60), np.random.default_rng(1)
    resp = rng.dirichlet(np.ones(3), size=60)
    start = model.first_step(X, None, resp, model.untold(3))
    contract.check_sums(model, X, start, rng)
    contract.check_engines(model, X, start, rng)
    contract.check_climb(model, X, start, 2000)


def test_the_norms_of_responsibilities_are_their_entropy_and_expectation():
    model, X = variational("full", WEIGHTS[0]), rows(20)
    resp = np.random.default_rng(1).dirichlet(np.ones(3), size=20)
    q = model.first_step(X, None, resp, model.untold(3))
    summary = open_sweep("local", model, Rows(X))(q)
    r = np.exp(model.log_joint(X, q) - np.logaddexp.reduce(model.log_joint(X, q), axis=1)[:, None])
    assert model.entropy(summary, q) == pytest.approx(-np.sum(r * np.log(r)), abs=1e-9)
    assert summary.loglik + model.log_prior(q) == pytest.approx(bound(model, X, r, q), abs=1e-9)


@pytest.mark.parametrize("weights", WEIGHTS, ids=repr)
def test_components_that_no_row_may_belong_to_cost_nothing(weights):
    model, X = variational("full", weights), rows(20)
    resp = np.random.default_rng(1).dirichlet(np.ones(2), size=20)
    few = model.first_step(X, None, resp, model.untold(2))
    many = model.extended(few, 3)
    sweep = open_sweep("compiled", model, Rows(X))
    again = model.assembled(many.concentration, many.components)
    assert model.log_prior(again) == pytest.approx(model.log_prior(few), abs=1e-10)
    assert sweep(many).loglik == pytest.approx(sweep(few).loglik, abs=1e-10)

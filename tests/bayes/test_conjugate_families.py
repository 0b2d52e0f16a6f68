"""`BayesianMixture`: exact evidence of one component, the bound of several, what was planted."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from evidence import log_labels
from laws import EVIDENCE, FAMILIES, MIXED, PRIORS, by_column, next_codes, next_waits, of, rows
from scipy.special import logsumexp

import mixtura
from mixtura import BayesianMixture, BetaPrior, GammaPrior, StoreError
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.estimators.document import restore, to_document
from mixtura.families.bayes.family import posterior_of
from mixtura.fitting.mixture_fit import surveyed
from mixtura.models.responsibilities import one_hot
from mixtura.models.variational import VariationalMixture
from mixtura.models.weight_priors import Dirichlet, StickBreaking
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.testing import model as contract


def one(name: str, **settings: Any) -> BayesianMixture:
    asked = {"prior": PRIORS.get(name), "weight_concentration_prior_type": "dirichlet_distribution"}
    return BayesianMixture(of(name), random_state=0, **asked | settings)


@pytest.mark.parametrize(
    ("name", "gaps"),
    [(name, gaps) for name in PRIORS for gaps in [False, True][: 1 + (name != "multinomial")]],
)
def test_the_bound_of_one_component_is_the_evidence(name, gaps):
    X = rows(name)
    if gaps:
        X[[5, 7, 20], [0, 1, 1]] = np.nan
    found = one(name).fit(X)
    assert found.elbo_ == pytest.approx(EVIDENCE[name](X), rel=1e-12)
    # And the predictive density of a row is by how much it changes the evidence.
    more = EVIDENCE[name](np.vstack([X, X[-1:]])) - EVIDENCE[name](X)
    assert found.score_samples(X[-1:], predictive=True)[0] == pytest.approx(more, rel=1e-9)


def test_the_bound_of_a_product_is_that_of_its_blocks():
    X, asked = rows("mixed"), [PRIORS["poisson"], BetaPrior(0.3, 1.4), GammaPrior(1.2, 4.0)]
    X[3, 0] = X[9, 2] = np.nan
    found = one("mixed", prior=asked).fit(X)
    apart = EVIDENCE["poisson"](X[:, :2]) + by_column(next_codes, X[:, 2:3], ([1.4, 0.3],))
    assert found.elbo_ == pytest.approx(apart + next_waits(1.2, 4.0, X[:, 3]), rel=1e-12)
    blocks = BayesianMixture("poisson", prior=PRIORS["poisson"]).fit(X[:, :2])
    np.testing.assert_array_equal(found.poisson_gamma_shapes_, blocks.gamma_shapes_)
    np.testing.assert_array_equal(found.poisson_rates_, blocks.rates_)


def variational(name: str, X: np.ndarray, K: int, weights: Any) -> VariationalMixture:
    survey = surveyed(Rows(X), K, np.random.RandomState(0))
    settled = posterior_of(of(name), PRIORS.get(name)).settled(survey, K)
    return VariationalMixture(settled.family, settled.prior, weights)


def bound(model: VariationalMixture, X: np.ndarray, resp: np.ndarray, q: Any) -> float:
    """E_q[log p(rows, labels, ...) - log q], at given responsibilities."""
    expected = np.sum(resp * (model.family.log_density(X, q.components) + q.log_weights))
    entropy = -np.sum(resp * np.log(np.where(resp > 0, resp, 1.0)))
    return float(expected + entropy + model.log_prior(q))


@pytest.mark.parametrize("weights", [Dirichlet(0.7, 2), StickBreaking(1.3)], ids=repr)
@pytest.mark.parametrize("name", PRIORS)
def test_with_known_labels_the_bound_is_the_evidence_and_else_below(name, weights):
    X = rows(name, 9)
    labels = np.arange(9) % 2
    model = variational(name, X, 2, weights)

    def joint(labels: np.ndarray) -> float:
        parts = [EVIDENCE[name](X[labels == k]) for k in range(2)]
        return sum(parts) + log_labels(labels, 2, weights)

    resp = one_hot(labels, 2)
    q = model.first_step(X, None, resp, model.untold(2))
    assert bound(model, X, resp, q) == pytest.approx(joint(labels), abs=1e-9)
    climb = em(Problem(model, open_sweep("local", model, Rows(X)), q, 1e-12, 500))
    every = logsumexp([joint(np.array(each)) for each in product(range(2), repeat=9)])
    assert every - 4.0 < climb.objective < every


@pytest.mark.parametrize("name", FAMILIES)
def test_steps_are_the_best_and_keep_the_contract(name):
    X, rng = rows(name, 60), np.random.default_rng(1)
    model = variational(name, X, 3, StickBreaking(0.8))
    resp = rng.dirichlet(np.ones(3), size=60)
    q = model.first_step(X, None, resp, model.untold(3))
    best = bound(model, X, resp, q)
    arrays = q.components.arrays()
    for _ in range(40):
        near = {k: v * np.exp(rng.normal(scale=0.02, size=v.shape)) for k, v in arrays.items()}
        other = model.family.params(near)
        assert bound(model, X, resp, model.assembled(q.concentration, other)) < best
    summary = open_sweep("local", model, Rows(X))(q)
    joint = model.log_joint(X, q)
    r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    assert model.entropy(summary, q) == pytest.approx(-np.sum(r * np.log(r)), abs=1e-9)
    assert summary.loglik + model.log_prior(q) == pytest.approx(bound(model, X, r, q), abs=1e-9)
    contract.check_sums(model, X, q, rng)
    contract.check_engines(model, X, q, rng)
    contract.check_climb(model, X, q, 2000)


def planted(name: str, seed: int = 0) -> tuple[np.ndarray, int]:
    """Rows of a number of groups, and that number."""
    rng = np.random.default_rng(seed)
    if name == "poisson":
        rates = rng.gamma(2.0, 5.0, size=(8, 4)) + 0.3
        return rng.poisson(rates[rng.integers(8, size=2000)]).astype(float), 8
    z = rng.integers(4, size=1500)
    if name == "exponential":
        means = 10.0 ** rng.uniform(-2, 2, size=(4, 5))
        return rng.exponential(means[z]), 4
    if name == "bernoulli":
        return (rng.uniform(size=(1500, 12)) < rng.beta(0.4, 0.4, size=(4, 12))[z]).astype(float), 4
    if name == "multinomial":
        shares = rng.dirichlet(np.full(8, 0.5), size=4)
        return np.array([rng.multinomial(30, p) for p in shares[z]]).astype(float), 4
    shares = rng.dirichlet(np.full(4, 0.4), size=(4, 8))
    edges = np.cumsum(shares, axis=2)[z]
    codes = (rng.uniform(size=(1500, 8, 1)) > edges).sum(axis=2).clip(max=3).astype(float)
    if name == "categorical":
        return codes, 4
    counts = rng.poisson(np.array([[1.0, 9.0], [4.0, 30.0], [12.0, 3.0], [25.0, 14.0]])[z])
    return np.column_stack([counts, codes[:, 0] > 1, rng.exponential(1.0 + z)]), 4


@pytest.mark.parametrize(
    ("name", "start"), [*((name, "kmeans") for name in FAMILIES), ("poisson", "one")]
)
def test_moves_find_the_number_of_groups(name, start):
    X, K = planted(name)
    found = BayesianMixture(of(name), 25, init_params=start, random_state=0).fit(X)
    assert found.n_components_ == K
    assert found.active_.sum() == K
    assert np.diff(found.fit_result_.trace).min() > -1e-9 * abs(found.elbo_)
    assert found.elbo_ == found.fit_result_.loglik
    assert found.lower_bound_ == pytest.approx(found.elbo_ / len(X))
    np.testing.assert_array_equal(found.predict_proba(X)[:, K:], 0.0)
    # Of a process the largest come first: no other order has a higher bound.
    assert (np.diff(found.weight_concentration_[0][:K]) <= 1e-9).all()


def test_the_predictive_law_sums_to_one():
    grid = np.array(list(product(range(60), repeat=2)), dtype=float)
    found = BayesianMixture("poisson", 3, random_state=0).fit(rows("poisson"))
    assert np.exp(found.score_samples(grid, predictive=True)).sum() == pytest.approx(1.0, abs=1e-6)
    assert np.exp(found.score_samples(grid)).sum() < 0.999
    totals = np.array([x for x in product(range(8), repeat=3) if sum(x) == 7], dtype=float)
    found = BayesianMixture("multinomial", 3, random_state=0).fit(rows("multinomial"))
    assert np.exp(found.score_samples(totals, predictive=True)).sum() == pytest.approx(1.0)


def test_default_priors_know_no_units():
    X = rows("exponential")
    plain, scaled = (BayesianMixture("exponential", 4, random_state=0).fit(x) for x in (X, 60 * X))
    assert scaled.elbo_ == pytest.approx(plain.elbo_ - X.size * np.log(60), abs=1e-6)
    np.testing.assert_array_equal(plain.predict(X), scaled.predict(60 * X))
    counts = BayesianMixture("poisson").fit(rows("poisson"))
    mean = counts.prior_gamma_shapes_ / counts.prior_gamma_rates_
    np.testing.assert_allclose(mean[0], rows("poisson").mean(axis=0))


@pytest.mark.parametrize("name", FAMILIES)
def test_files_weights_and_pieces(name, tmp_path):
    X = rows(name)
    settings = {"n_components": 4, "prior": PRIORS.get(name), "random_state": 0}
    found = BayesianMixture(of(name), **settings).fit(X)
    found.save(tmp_path / "m.json")
    read = mixtura.load(tmp_path / "m.json")
    for ask in ("predict_proba", "score_samples"):
        np.testing.assert_array_equal(getattr(read, ask)(X), getattr(found, ask)(X))
    assert read.score(X, predictive=True) == found.score(X, predictive=True)
    assert (read.elbo_, read.n_components_) == (found.elbo_, found.n_components_)
    assert read.summary() == found.summary()
    np.testing.assert_array_equal(read.sample(5)[0], found.sample(5)[0])
    again = read.set_params(warm_start=True).fit(X)
    assert again.elbo_ >= found.elbo_ - 1e-9
    assert again.n_iter_ <= found.n_iter_
    w = np.arange(len(X)) % 3
    weighed = BayesianMixture(of(name), **settings, moves=False).fit(X, sample_weight=w)
    copies = BayesianMixture(of(name), **settings, moves=False).fit(np.repeat(X, w, axis=0))
    assert weighed.elbo_ == pytest.approx(copies.elbo_, rel=1e-6)
    pieces = BayesianMixture(of(name), **settings).fit(lambda: iter([X[:15], X[15:]]))
    assert pieces.elbo_ == pytest.approx(found.elbo_, rel=1e-9)


def test_a_checkpoint_is_of_its_prior(tmp_path):
    X = rows("poisson")
    BayesianMixture("poisson", 3, random_state=0).fit(X, checkpoint=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_damaged_file_is_refused():
    found = BayesianMixture("poisson", 2, prior=GammaPrior(2.0), random_state=0)
    found.fit(rows("poisson"))
    document = to_document(found)
    restore(document, BayesianMixture)
    arrays = document["arrays"]
    for part in (
        {"arrays": arrays | {"gamma_rates_": -arrays["gamma_rates_"]}},
        {"arrays": arrays | {"prior_gamma_shapes_": np.ones((1, 3))}},
        {"posterior": document["posterior"] | {"active_": 3}},
        {"family": {"name": "gamma", "settings": {}}},
        {"settings": document["settings"] | {"prior": {"kind": "GammaPrior", "scale": 1.0}}},
        {"settings": document["settings"] | {"prior": {"kind": "GammaPrior", "rate": -1.0}}},
    ):
        with pytest.raises(StoreError):
            restore(document | part, BayesianMixture)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"family": "gamma"}, "'gamma' has no conjugate prior here: use one of bernoulli"),
        ({"family": "full"}, "or BayesianGaussianMixture"),
        ({"family": "auto"}, "'auto' has no conjugate prior here: use one of bernoulli"),
        ({"prior": GammaPrior(1e300, 1e-300)}, "rate=1e-300) has an infinite mean or norm"),
        ({"prior": BetaPrior()}, "that of family 'poisson' is a GammaPrior, got BetaPrior"),
        ({"prior": [GammaPrior()]}, "is no prior of family 'poisson': use a mixtura.GammaPrior"),
        ({"prior": GammaPrior((1.0, 2.0, 3.0))}, "shape has 3 numbers, and 2 are asked for"),
        ({"family": MIXED, "prior": GammaPrior()}, "is not one for each of the 3 blocks"),
    ],
    ids=str,
)
def test_what_cannot_be_fitted_is_refused(settings, said):
    X = rows("mixed") if "family" in settings else rows("poisson")
    with pytest.raises(ValueError, match=re.escape(said)):
        BayesianMixture(**{"family": "poisson", **settings}).fit(X)


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, "a", True, [[1.0]]], ids=str)
def test_a_prior_of_no_positive_numbers_is_refused(value):
    with pytest.raises(ValueError, match="BetaPrior: b must be a finite number above 0"):
        BetaPrior(b=value)


def test_what_is_asked_of_a_posterior():
    X = rows("poisson")
    found = BayesianMixture("poisson", 6, random_state=0).fit(X)
    gap = np.array([[np.nan, 9.0]])
    share = found.predict_proba(gap)[0]
    assert found.impute(gap)[0, 0] == pytest.approx(share @ found.rates_[:, 0])
    for refused in (mixtura.audit, mixtura.goodness_of_fit):
        with pytest.raises(ValueError, match="BayesianMixture"):
            refused(found, X)
    with pytest.raises(AttributeError, match="a posterior has no BIC"):
        found.bic(X)

"""Conjugate priors of counted columns: modes against SciPy's laws, solvers, files, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

import mixtura
from mixtura import (
    BayesianMixture,
    BetaPrior,
    Block,
    Dirichlet,
    DirichletPrior,
    GammaPrior,
    GaussianMixture,
    Mixture,
    PoissonMixture,
    Product,
)
from mixtura.families.believed import believed
from mixtura.families.priors import Flat
from mixtura.records import AnyArray, Array

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [40, 25])
COUNTS = RNG.poisson(np.array([[1.0, 6.0], [7.0, 2.0]])[LABELS]).astype(float)
TIMES = RNG.exponential(np.array([[1.0, 6.0], [7.0, 2.0]])[LABELS])
CHANCES = np.array([[0.1, 0.9, 0.0], [0.8, 0.3, 0.1]])
ONES = (RNG.uniform(size=(65, 3)) < CHANCES[LABELS]).astype(float)
CODES = np.column_stack([RNG.integers(0, 3, 65), LABELS]).astype(float)
DRAWS = RNG.multinomial(9, [0.2, 0.5, 0.3], 65).astype(float)
SHARES = DirichletPrior(1.7)

# The family, rows, its prior, and SciPy's log-densities of that, summed, at the parameters.
CASES: dict[str, tuple[Any, Array, Any, Any]] = {
    "poisson": (
        "poisson",
        COUNTS,
        GammaPrior([3.0, 1.5], 2.0),
        lambda p: stats.gamma([3.0, 1.5], scale=1 / 2.0).logpdf(p["rates"]),
    ),
    "exponential": (
        "exponential",
        TIMES,
        GammaPrior(4.0, [2.0, 5.0]),
        lambda p: stats.gamma(4.0, scale=1 / np.array([2.0, 5.0])).logpdf(1 / p["means"]),
    ),
    "bernoulli": (
        "bernoulli",
        ONES,
        BetaPrior(1.5, 3.0),
        lambda p: stats.beta(1.5, 3.0).logpdf(p["probabilities"]),
    ),
    "categorical": (
        "categorical",
        CODES,
        SHARES,
        lambda p: [
            stats.dirichlet([1.7] * m).logpdf(part / part.sum())
            for row in p["probabilities"]
            for m, part in ((3, row[:3]), (2, row[3:]))
        ],
    ),
    "multinomial": (
        "multinomial",
        DRAWS,
        SHARES,
        lambda p: [
            stats.dirichlet([1.7] * 3).logpdf(row / row.sum()) for row in p["probabilities"]
        ],
    ),
}


def settled(name: str) -> tuple[Any, Any, Any]:
    """(the family that knows its table, its prior, parameters of two unlike components)."""
    spec, X, asked, _ = CASES[name]
    kind = Mixture(spec, 2, random_state=0).fit(X).family_
    prior = believed(kind, Flat(), (asked,), X.shape[1])
    resp = np.random.default_rng(1).dirichlet([1.0, 1.0], len(X))
    return kind, prior, kind.maximize(kind.statistics(X, resp, None), None, Flat())


@pytest.mark.parametrize("name", CASES)
def test_the_m_step_is_the_mode_of_scipys_posterior(name: str) -> None:
    """The expected log-likelihood and SciPy's log-prior, maximised over one component's numbers."""
    X, told = CASES[name][1], CASES[name][3]
    kind, prior, start = settled(name)
    resp = np.random.default_rng(2).dirichlet([1.0, 1.0], len(X))
    after = kind.maximize(prior.beside(kind.statistics(X, resp, start)), start, prior)
    support = kind.supports()
    ((parameter, own),) = support.items()

    def objective(free: Array) -> float:
        value = own.unpack(free, after.arrays()[parameter].shape)
        params = kind.params({parameter: value})
        return -float(np.sum(resp * kind.log_density(X, params)) + np.sum(told(params.arrays())))

    begun = own.pack(start.arrays()[parameter])
    best = minimize(objective, begun, method="BFGS", options={"gtol": 1e-7})
    found = own.unpack(best.x, after.arrays()[parameter].shape)
    np.testing.assert_allclose(after.arrays()[parameter], found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_log_prior_is_scipys_and_its_score_the_finite_difference(name: str) -> None:
    told = CASES[name][3]
    kind, prior, one = settled(name)
    X = CASES[name][1]
    resp = np.random.default_rng(5).dirichlet([1.0, 1.0], len(X))
    # Away from the edges, where SciPy has no density.
    soft = prior.beside(kind.statistics(X, resp, one))
    one, other = (
        kind.maximize(stats_, one, prior)
        for stats_ in (soft, prior.beside(prior.beside(prior.beside(soft))))
    )
    gain = prior.log_prior(other) - prior.log_prior(one)
    assert gain == pytest.approx(
        np.sum(told(other.arrays())) - np.sum(told(one.arrays())), abs=1e-9
    )
    ((parameter, value),) = one.arrays().items()
    score, h = prior.score(one)[parameter], 1e-6
    for at in np.ndindex(value.shape):
        step = np.zeros_like(value)
        step[at] = h
        up, down = (type(one)(value + sign * step) for sign in (1, -1))
        slope = (prior.log_prior(up) - prior.log_prior(down)) / (2 * h)
        assert score[at] == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("solver", ["em", "squarem", "lbfgs", "newton"])
def test_solvers_agree_on_the_posterior(solver: str) -> None:
    prior = [GammaPrior(3.0, 2.0), Dirichlet(4.0)]
    found = PoissonMixture(2, prior=prior, random_state=0, solver=solver, tol=1e-9).fit(COUNTS)
    default = PoissonMixture(2, prior=prior, random_state=0, tol=1e-11).fit(COUNTS)
    order, theirs = np.argsort(found.rates_[:, 0]), np.argsort(default.rates_[:, 0])
    np.testing.assert_allclose(found.rates_[order], default.rates_[theirs], rtol=1e-4)
    np.testing.assert_allclose(found.weights_[order], default.weights_[theirs], rtol=1e-4)
    # Bishop (2006), section 9.3, and Gelman et al. (2013), section 2.6.
    resp = default.predict_proba(COUNTS)
    counts = resp.sum(axis=0)
    np.testing.assert_allclose(default.weights_, (counts + 3) / (len(COUNTS) + 6), rtol=1e-4)
    rates = (resp.T @ COUNTS + 2.0) / (counts[:, None] + 2.0)
    np.testing.assert_allclose(default.rates_, rates, rtol=1e-4)


@pytest.mark.parametrize("family", ["gamma", "student"])
def test_weights_have_a_law_beside_a_penalty(family: str) -> None:
    """The mode's own formula, by EM's steps and by another solver: Bishop (2006), section 9.3."""
    X = TIMES[:, :1] + 0.1
    for solver in ("auto", "lbfgs"):
        asked = {"prior": Dirichlet(4.0), "random_state": 0, "solver": solver, "tol": 1e-9}
        found = Mixture(family, 2, **asked).fit(X)
        counts = found.predict_proba(X).sum(axis=0)
        np.testing.assert_allclose(found.weights_, (counts + 3.0) / (len(X) + 6.0), rtol=1e-4)
    assert "each weight's is worth 3 rows" in found.summary()


def test_nothing_is_impossible_under_a_prior() -> None:
    """A one that no row of a component had, and a category that none had."""
    plain, ones = (
        Mixture("bernoulli", 2, prior=prior, random_state=0).fit(ONES)
        for prior in (None, BetaPrior(1.5, 1.5))
    )
    assert plain.probabilities_.min() < 1e-6 < 0.005 < ones.probabilities_.min()
    held = Mixture("categorical", 2, prior=DirichletPrior(1.5), random_state=0)
    assert held.fit(CODES).probabilities_.min() > 0.005
    assert held.fit_result_.verdict == "interior maximum"


def test_files_and_reports(tmp_path: Path) -> None:
    prior = [GammaPrior([3.0, 1.0], [2.0, 0.5]), Dirichlet(4)]
    found = PoissonMixture(2, prior=prior, random_state=0).fit(COUNTS)
    (said,) = (line for line in found.summary().splitlines() if line.startswith("  prior"))
    assert said.split(maxsplit=1)[1] == (
        "each of the rates is worth 0.5 to 2 rows; each weight's is worth 3 rows"
    )
    found.save(tmp_path / "p.json")
    again = mixtura.load(tmp_path / "p.json")
    assert again.prior == prior
    np.testing.assert_array_equal(again.predict_proba(COUNTS), found.predict_proba(COUNTS))
    shares = Mixture("multinomial", 2, prior=SHARES, random_state=0).fit(DRAWS)
    assert "each of the probabilities is worth 0.7 hits" in shares.summary()
    one = Mixture("multinomial", 2, prior=DirichletPrior(2), random_state=0).fit(DRAWS)
    assert "each of the probabilities is worth 1 hit" in one.summary()
    assert "1 hits" not in one.summary()
    waits = Mixture("exponential", 2, prior=GammaPrior(4.0, 2.0), random_state=0).fit(TIMES)
    assert "each of the means is worth 3 rows" in waits.summary()


REFUSED: list[tuple[Any, AnyArray, str]] = [
    (PoissonMixture(2, prior=BetaPrior(2, 2)), COUNTS, r"BetaPrior\(...\) is no law .* have Gamma"),
    (
        Mixture("negativebinomial", 2, prior=GammaPrior(2, 2)),
        COUNTS,
        "of family 'negativebinomial', which have none: leave it out$",
    ),
    (Mixture("gamma", 2, prior=GammaPrior(2, 2)), TIMES, "'gamma' take none"),
    (Mixture("full", 2, prior=GammaPrior(2, 2)), TIMES, "no law of Gaussian components"),
    (GaussianMixture(2, prior=SHARES), TIMES, "no law of Gaussian components"),
    (
        PoissonMixture(2, prior=GammaPrior([2, 2, 2], 1)),
        COUNTS,
        "shape of GammaPrior has 3 numbers, and of rates there are 2",
    ),
    (PoissonMixture(2, prior=GammaPrior([2, 3], [1, 2, 3])), COUNTS, "rate of GammaPrior has 3 "),
    (Mixture("bernoulli", 2, prior=BetaPrior([2, 3, 4], [1, 2])), ONES, "b of BetaPrior has 2 "),
    (PoissonMixture(2, prior=GammaPrior(2, 1), solver="nce"), COUNTS, "maximises no posterior"),
    (PoissonMixture(2, prior=GammaPrior(2, 1), concomitants=[1]), COUNTS, "prior: with noise"),
    (
        PoissonMixture(2, prior=[GammaPrior(2, 1), GammaPrior(3, 1)]),
        COUNTS,
        "two priors",
    ),
]


@pytest.mark.parametrize(("mixture", "X", "said"), REFUSED)
def test_what_cannot_be_is_refused(mixture: Any, X: Array, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mixture.fit(X)


def test_laws_without_a_mode_are_refused() -> None:
    """Those of a posterior that is whole may be below one, or be left to the table."""
    for prior, said in (
        (GammaPrior(0.5, 1), "GammaPrior needs shape of 1 or more .* got 0.5: mixtura.Bayes"),
        (GammaPrior(2), "GammaPrior has shape and rate of its own in a BayesianMixture alone"),
    ):
        with pytest.raises(ValueError, match=said):
            PoissonMixture(2, prior=prior).fit(COUNTS)
    with pytest.raises(ValueError, match="BetaPrior needs b of 1 or more"):
        Mixture("bernoulli", 2, prior=BetaPrior(2, [0.5, 1, 1])).fit(ONES)
    with pytest.raises(ValueError, match="alpha of DirichletPrior has 2 numbers, and of proba"):
        Mixture("categorical", 2, prior=DirichletPrior([2, 3])).fit(CODES)
    with pytest.raises(ValueError, match="alpha must be a finite number above 0, or several, got"):
        DirichletPrior([])
    each = Mixture("categorical", 2, prior=DirichletPrior([2, 2, 2, 2, 2]), random_state=0)
    both = Mixture("categorical", 2, prior=DirichletPrior(2), random_state=0)
    assert each.fit(CODES).score(CODES) == pytest.approx(both.fit(CODES).score(CODES), abs=1e-12)


def test_blocks_of_a_product_have_theirs(tmp_path: Path) -> None:
    kinds = Product([Block("poisson", [0, 1]), Block("bernoulli", [2]), Block("gamma", [3])])
    X = np.column_stack([COUNTS, ONES[:, 0], TIMES[:, 0] + 0.1])
    prior = [{"bernoulli": BetaPrior(1.5, 3.0), "poisson": GammaPrior(3.0, 2.0)}, Dirichlet(4.0)]
    found = Mixture(kinds, 2, prior=prior, random_state=0).fit(X)
    r = found.predict_proba(X)
    n = r.sum(axis=0)
    rates = (r.T @ COUNTS + 2.0) / (n[:, None] + 2.0)
    np.testing.assert_allclose(found.poisson_rates_, rates, rtol=1e-4)
    ones = (r.T @ ONES[:, :1] + 0.5) / (n[:, None] + 2.5)
    np.testing.assert_allclose(found.bernoulli_probabilities_, ones, rtol=1e-4)
    np.testing.assert_allclose(found.weights_, (n + 3.0) / (len(X) + 6.0), rtol=1e-4)
    other = Mixture(kinds, 2, prior=prior, random_state=0, solver="lbfgs").fit(X)
    np.testing.assert_allclose(other.poisson_rates_, found.poisson_rates_, rtol=1e-3)
    said = "bernoulli: each of the probabilities is worth 2.5 rows; poisson: each of the rates"
    assert said in " ".join(found.summary().split())
    found.save(tmp_path / "m.json")
    again = mixtura.load(tmp_path / "m.json")
    assert again.prior == prior
    assert again.summary() == found.summary()
    for asked, words in (
        ({"poisson2": GammaPrior(3.0, 2.0)}, "no block 'poisson2': they are called poisson, bern"),
        ({"gamma": GammaPrior(3.0, 2.0)}, "components of family 'gamma' take none"),
        ({"poisson": Dirichlet(2.0)}, "is no prior of block 'poisson': use mixtura.GammaPrior"),
        (GammaPrior(3.0, 2.0), "a product has one for each block: give a dict by their names"),
    ):
        with pytest.raises(ValueError, match=words):
            Mixture(kinds, 2, prior=asked).fit(X)
    with pytest.raises(ValueError, match="blocks of a product, and family is 'poisson'"):
        Mixture("poisson", 2, prior={"poisson": GammaPrior(3.0, 2.0)}).fit(COUNTS)
    some = Product(kinds.blocks[:2])
    by_name, listed = (
        BayesianMixture(some, 4, prior=each, random_state=0).fit(X[:, :3])
        for each in ({"bernoulli": BetaPrior(0.3, 1.4)}, [None, BetaPrior(0.3, 1.4)])
    )
    np.testing.assert_array_equal(by_name.weights_, listed.weights_)
    with pytest.raises(ValueError, match="no block 'categorical': they are called poisson"):
        BayesianMixture(some, prior={"categorical": DirichletPrior(1.0)}).fit(X[:, :3])
    for wrong, words in (
        ({}, "{} holds no prior"),
        ({"poisson": None}, "holds no prior"),
        ({1: GammaPrior(3.0, 2.0)}, "1 is no name of a block"),
        ({"gauss": GammaPrior(3.0, 2.0)}, "no block 'gauss': they are called poisson, bernoulli"),
    ):
        for kind in (Mixture, BayesianMixture):
            with pytest.raises(ValueError, match=words):
                kind(some, 2, prior=wrong).fit(X[:, :3])

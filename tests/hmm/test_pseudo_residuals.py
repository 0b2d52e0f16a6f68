"""Pseudo-residuals: distribution functions of families, enumeration, and normality."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, gammaincc, gammaln, logsumexp, softmax

from mixtura import Block, HiddenMarkov, Product, Regression
from mixtura.families.log_tails import log_gammainc, log_gammaincc
from mixtura.families.registry import family
from mixtura.families.regression.responses import RESPONSES

U = np.array([[0.01], [0.4], [1.0], [3.0], [9.0]])
WHOLE = np.array([[0.0], [1.0], [4.0], [30.0], [90.0]])
MEANS, SPREAD = np.array([[1.0], [3.0]]), np.array([[0.5], [2.0]])
CASES = {
    "full": (
        {"means": MEANS, "covariances": SPREAD[:, :, None]},
        stats.norm(MEANS.T, SPREAD.T**0.5),
    ),
    "tied": ({"means": MEANS, "covariances": SPREAD[1:]}, stats.norm(MEANS.T, 2.0**0.5)),
    "student": (
        {"means": MEANS, "scales": SPREAD[:, :, None], "degrees_of_freedom": np.array([2.5, 40.0])},
        stats.t(np.array([2.5, 40.0]), MEANS.T, SPREAD.T**0.5),
    ),
    "normal": ({"means": MEANS, "variances": SPREAD}, stats.norm(MEANS.T, SPREAD.T**0.5)),
    "lognormal": (
        {"log_means": MEANS, "log_variances": SPREAD},
        stats.lognorm(SPREAD.T**0.5, scale=np.exp(MEANS.T)),
    ),
    "exponential": ({"means": MEANS}, stats.expon(scale=MEANS.T)),
    "gamma": ({"means": MEANS, "shapes": SPREAD}, stats.gamma(SPREAD.T, scale=(MEANS / SPREAD).T)),
    "poisson": ({"rates": MEANS}, stats.poisson(MEANS.T)),
    "negativebinomial": (
        {"means": MEANS, "sizes": SPREAD},
        stats.nbinom(SPREAD.T, (SPREAD / (SPREAD + MEANS)).T),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_tails_are_those_of_scipy(name):
    arrays, law = CASES[name]
    kind = family(name)
    X = U if kind.measure == "a density" else WHOLE
    below, above = kind.log_sides(X, kind.params(arrays))
    np.testing.assert_allclose(np.exp(below), law.cdf(X), rtol=1e-9)
    np.testing.assert_allclose(np.exp(above), law.sf(X), rtol=1e-9)


def test_families_without_tails_are_refused():
    fitted = HiddenMarkov("categorical", 1, random_state=0).fit([[0], [1], [0]])
    with pytest.raises(ValueError, match="family 'categorical' does not tell its distribution"):
        fitted.pseudo_residuals([[0], [1]])


@pytest.fixture(scope="module")
def chain():
    rng = np.random.default_rng(2)
    states = np.repeat(np.tile([0, 1], 40), rng.geometric(0.1, 80))
    X = rng.normal(np.array([0.0, 3.0])[states], np.array([1.0, 2.0])[states])[:, None]
    return HiddenMarkov("full", 2, random_state=0).fit(X), X


def test_they_are_those_of_all_paths(chain):
    fitted, X = chain
    x = X[:6].copy()
    x[2] = np.nan
    params = fitted._fitted()[1]
    norm = stats.norm(fitted.means_[:, 0], fitted.covariances_[:, 0, 0] ** 0.5)
    for t in (0, 1, 3, 5):
        ways, below = 0.0, 0.0
        for path in product(range(2), repeat=t + 1):
            p = params.initial[path[0]]
            for before, after in pairwise(path):
                p *= params.transitions[before, after]
            p *= np.prod([norm.pdf(x[s, 0])[path[s]] for s in range(t) if s != 2])
            ways, below = ways + p, below + p * norm.cdf(x[t, 0])[path[t]]
        assert fitted.pseudo_residuals(x)[t] == pytest.approx(stats.norm.ppf(below / ways))
    assert np.isnan(fitted.pseudo_residuals(x)[2])
    # Sequences know nothing of each other.
    both = fitted.pseudo_residuals(X[:20], [10, 10])
    np.testing.assert_allclose(both[10:], fitted.pseudo_residuals(X[10:20]))


def test_they_are_normal_where_the_model_holds(chain):
    fitted, X = chain
    found = fitted.pseudo_residuals(X)
    assert stats.kstest(found, "norm").pvalue > 0.01
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 3 / np.sqrt(len(X))
    far = X.copy()
    far[5] = 60.0
    assert 25 < fitted.pseudo_residuals(far)[5] < 60
    far[5] = 1e153
    assert 1e152 < fitted.pseudo_residuals(far)[5] < 1e153
    far[5] = 1e155  # Its square is out of the range of float64, and so is its density's logarithm.
    with pytest.raises(
        ValueError, match=r"row 5 \(counted from 0\) has no density under any state"
    ):
        fitted.pseudo_residuals(far)


def summed(law, upper, lower=0):
    return logsumexp(law.logpmf(np.arange(lower, upper)))


@pytest.mark.parametrize(
    ("name", "arrays", "x", "side", "known"),
    [
        ("normal", (2.0, 4.0), 202.0, 1, stats.norm(2.0, 2.0).logsf(202.0)),
        ("exponential", (3.0,), 6000.0, 1, -2000.0),
        ("poisson", (5.0,), 400.0, 1, summed(stats.poisson(5.0), 900, 401)),
        ("poisson", (1e4,), 5000.0, 0, summed(stats.poisson(1e4), 5001)),
        ("negativebinomial", (9.0, 4.0), 4e3, 1, summed(stats.nbinom(4, 4 / 13), 9000, 4001)),
        ("negativebinomial", (1e4, 900.0), 700.0, 0, summed(stats.nbinom(900, 9 / 109), 701)),
        # Of a whole shape a gamma law's tails are a Poisson law's.
        ("gamma", (40.0, 40.0), 2000.0, 1, summed(stats.poisson(2000.0), 40)),
        ("gamma", (900.0, 900.0), 150.0, 0, summed(stats.poisson(150.0), 2500, 900)),
        ("lognormal", (1.0, 0.25), np.exp(30.0), 1, stats.norm(1.0, 0.5).logsf(30.0)),
    ],
)
def test_tails_beyond_float64(name, arrays, x, side, known):
    kind = family(name)
    fields = dict(zip(kind.supports(), arrays, strict=True))
    params = kind.params({key: np.array([[value]]) for key, value in fields.items()})
    assert known < -745
    assert kind.log_sides(np.array([[x]]), params)[side][0, 0] == pytest.approx(known, rel=1e-9)


def lower_tail(shape, x):
    """log P(shape, x) by its series of positive terms, the front of it in 50 digits."""
    with localcontext(prec=50):
        a, y = Decimal(shape), Decimal(x)
        stirling = a * a.ln() - a + (2 * Decimal(math.pi) * a).ln() / 2
        stirling += 1 / (12 * a) - 1 / (360 * a**3) + 1 / (1260 * a**5)
        front = float(a * y.ln() - y - stirling)
    terms = np.cumsum(np.log(x / (shape + 1.0 + np.arange(1_000_000))))
    return front + np.log1p(np.exp(terms).sum())


@pytest.mark.parametrize(("shape", "z"), [(1e5, 40), (1e6, 8), (1e6, 60), (1e10, 20), (1e12, 45)])
def test_tails_of_large_shapes(shape, z):
    # SciPy's lower one (1.17) is off by factors of up to 100 beyond 4.5 standard deviations.
    x = float(np.rint(shape - z * np.sqrt(shape)))
    assert log_gammainc(shape, x) == pytest.approx(lower_tail(shape, x), abs=1e-8 * z**2)
    x = shape + min(z, 30) * np.sqrt(shape)
    assert log_gammaincc(shape, x) == pytest.approx(np.log(gammaincc(shape, x)), abs=1e-8)
    np.testing.assert_allclose(
        np.logaddexp(log_gammainc(shape, x), log_gammaincc(shape, x)), 0.0, atol=1e-12
    )


def test_tails_of_large_shapes_however_far_out():
    x = 10.0 ** np.array([20.0, 36.0, 100.0, 300.0])
    known = 1e5 * np.log(x) - x - gammaln(1e5)
    np.testing.assert_allclose(log_gammaincc(1e5, x), known, rtol=1e-12)


def test_tails_of_binomial_responses_beyond_float64():
    y, n, eta = np.array([[900.0]]), np.full((1, 1), 1000.0), np.array([[-3.0]])
    found = RESPONSES["binomial"].log_sides(y, eta, np.ones(1), n)[1]
    known = summed(stats.binom(1000, expit(-3.0)), 1001, 901)
    assert known < -745
    assert found[0, 0] == pytest.approx(known, rel=1e-9)


def test_however_far_out_they_are_finite_and_in_order(chain):
    fitted, X = chain
    far = np.array([-1e6, -1e3, -90.0, 60.0, 90.0, 200.0, 1e3, 1e6])
    found = []
    for x in far:
        moved = X[:10].copy()
        moved[5] = x
        found.append(fitted.pseudo_residuals(moved)[5])
    assert np.isfinite(found).all()
    assert np.all(np.diff(found) > 0)
    # Of the widest state alone, but for what its share is worth.
    widest = np.argmax(fitted.covariances_[:, 0, 0])
    z = (1e6 - fitted.means_[widest, 0]) / fitted.covariances_[widest, 0, 0] ** 0.5
    assert found[-1] == pytest.approx(z, rel=1e-6)
    counts = HiddenMarkov("poisson", 2, random_state=0).fit([[0], [1], [9], [8], [2], [1]] * 20)
    told = [counts.pseudo_residuals([[1], [n]])[1] for n in (500, 2000, 20000)]
    assert np.isfinite(told).all()
    assert 38 < told[0] < told[1] < told[2]


def test_of_counts_the_middle_is_taken():
    X = np.random.default_rng(0).poisson(7, 50)[:, None]
    fitted = HiddenMarkov("poisson", 1, random_state=0).fit(X)
    law = stats.poisson(fitted.rates_[0, 0])
    middle = (law.cdf(X[:, 0]) + law.cdf(X[:, 0] - 1)) / 2
    np.testing.assert_allclose(fitted.pseudo_residuals(X), stats.norm.ppf(middle), atol=1e-9)


def test_several_columns_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="X has 2 columns that states describe"):
        HiddenMarkov("diag", 1).fit(X).pseudo_residuals(X)


@pytest.mark.parametrize(
    ("response", "law"),
    [
        ("gaussian", lambda eta, phi, n: stats.norm(eta, phi**0.5)),
        ("poisson", lambda eta, phi, n: stats.poisson(np.exp(eta))),
        ("binomial", lambda eta, phi, n: stats.binom(n, expit(eta))),
        ("gamma", lambda eta, phi, n: stats.gamma(1 / phi, scale=phi * np.exp(eta))),
    ],
)
def test_tails_of_responses_are_those_of_scipy(response, law):
    y, eta = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([[-2.0, 1.5]])
    phi, n = np.array([0.4, 2.0]), np.full((4, 1), 7.0)
    below, above = RESPONSES[response].log_sides(y, eta, phi, n)
    found = law(eta, phi, n)
    np.testing.assert_allclose(np.exp(below), found.cdf(y), rtol=1e-12)
    np.testing.assert_allclose(np.exp(above), found.sf(y), rtol=1e-12)


def by_enumeration(t, first, moves, density, below):
    """Phi^-1 of P(x_t or less | steps before), over all paths; moves[s] lead from s to s + 1."""
    ways = under = 0.0
    for path in product(range(2), repeat=t + 1):
        p = first[path[0]] * np.prod([moves[s][path[s], path[s + 1]] for s in range(t)])
        p *= np.prod([density[s, path[s]] for s in range(t)])
        ways, under = ways + p, under + p * below[t, path[t]]
    return stats.norm.ppf(under / ways)


def simulated(first, intercept, slope, n, rng):
    c, state = rng.normal(size=n), np.zeros(n, dtype=int)
    state[0] = rng.choice(2, p=first)
    for t in range(1, n):
        state[t] = rng.choice(2, p=softmax(intercept + slope * c[t - 1], axis=1)[state[t - 1]])
    return c, state


INTERCEPT, SLOPE = np.array([[0.0, -2.0], [-1.5, 0.0]]), np.array([[0.0, 2.0], [-1.0, 0.0]])


def test_where_moves_and_first_states_hang_on_covariates():
    rng = np.random.default_rng(4)
    c, state = simulated([0.3, 0.7], INTERCEPT, SLOPE, 800, rng)
    X = np.c_[rng.poisson(np.array([20.0, 50.0])[state]), c]
    lengths = [8] * 100
    asked = HiddenMarkov("poisson", 2, covariates=[1], initial_covariates=[1], random_state=0)
    fitted = asked.fit(X, lengths)
    residuals = fitted.pseudo_residuals(X, lengths)
    law = stats.poisson(fitted.poisson_rates_.T)
    for t in (0, 1, 4, 7):
        x, heat = X[:8, :1], X[:8, 1]
        slope = fitted.transition_coef_[:, :, 0]
        logits = fitted.transition_intercept_ + slope * heat[:, None, None]
        first = softmax(fitted.initial_intercept_ + fitted.initial_coef_[:, 0] * heat[0])
        middle = law.cdf(x) - 0.5 * law.pmf(x)
        found = by_enumeration(t, first, softmax(logits, axis=2), law.pmf(x), middle)
        assert residuals[t] == pytest.approx(found, abs=1e-9)
    assert stats.kstest(residuals, "norm").pvalue > 0.01


@pytest.mark.parametrize("driven", [False, True])
def test_of_regressions_they_are_given_the_covariates(driven):
    rng = np.random.default_rng(1)
    c, state = simulated([0.5, 0.5], INTERCEPT, SLOPE if driven else 0 * SLOPE, 600, rng)
    z = rng.normal(size=600)
    lines = np.array([[0.0, 1.0], [3.0, -2.0]])
    y = lines[state, 0] + lines[state, 1] * z + 0.5 * rng.normal(size=600)
    X = np.c_[y, z, c] if driven else np.c_[y, z]
    own = {"covariates": [2]} if driven else {}
    fitted = HiddenMarkov(Regression("gaussian", target=0), 2, random_state=0, **own).fit(X)
    assert stats.kstest(fitted.pseudo_residuals(X), "norm").pvalue > 0.01
    name = "regression_" if driven else ""
    line = getattr(fitted, f"{name}coefficients_")
    law = stats.norm(
        line[:, 0] + line[:, 1] * z[:6, None], getattr(fitted, f"{name}dispersions_") ** 0.5
    )
    moves = np.broadcast_to(fitted.transitions_, (6, 2, 2))
    if driven:
        logits = fitted.transition_intercept_ + fitted.transition_coef_[:, :, 0] * c[:6, None, None]
        moves = softmax(logits, axis=2)
    at = law.pdf(y[:6, None]), law.cdf(y[:6, None])
    for t in (0, 2, 5):
        found = by_enumeration(t, fitted.initial_, moves, *at)
        assert fitted.pseudo_residuals(X[:6])[t] == pytest.approx(found, abs=1e-9)


def test_of_several_columns_beside_covariates_they_are_refused():
    X = np.random.default_rng(0).normal(size=(60, 3))
    kinds = Product([Block("normal", [0]), Block("normal", [1])])
    fitted = HiddenMarkov(kinds, 1, covariates=[2], random_state=0).fit(X)
    with pytest.raises(ValueError, match="X has 2 columns that states describe"):
        fitted.pseudo_residuals(X)

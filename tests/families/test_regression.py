"""Regressions: against scikit-learn's and SciPy's maxima, and where they have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import digamma, logsumexp
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
)

import mixtura
from mixtura import MixtureRegression, Regression
from mixtura.data.rows import Rows
from mixtura.data.survey import Survey
from mixtura.records import Array
from mixtura.testing import check_family

RESPONSES = ("gaussian", "poisson", "binomial", "gamma")
every_response = pytest.mark.parametrize("response", RESPONSES)


TRIALS = 8


def made(response: str, n: int = 300, seed: int = 0, trials: int = TRIALS) -> tuple[Array, Array]:
    """(covariates (n, 2), responses) of two components whose first slopes differ.

    Of a binomial response with the trials as a third column, unless there is one for each row.
    """
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.uniform(0, 4, n), rng.normal(10, 2, n)])
    eta = np.where(rng.uniform(size=n) < 0.4, 0.3 + 0.8 * X[:, 0], 3.0 - 0.7 * X[:, 0])
    eta = eta + 0.1 * (X[:, 1] - 10)
    match response:
        case "gaussian":
            y = eta + 0.4 * rng.standard_normal(n)
        case "poisson":
            y = rng.poisson(np.exp(eta))
        case "binomial":
            y = rng.binomial(trials, 1 / (1 + np.exp(-2 * (eta - 1.5))))
            X = X if trials == 1 else np.column_stack([X, np.full(n, trials)])
        case _:
            y = rng.gamma(8.0, np.exp(eta) / 8.0)
    return X, np.asarray(y, dtype=float)


def asked(response: str, K: int = 2, **settings: Any) -> MixtureRegression:
    """The estimator for rows of `made`."""
    settings = {"random_state": 0, "trials": 2 if response == "binomial" else None} | settings
    return MixtureRegression(K, response, **settings)


def log_density(response: str, y: Array, eta: Array, phi: float) -> Array:
    """SciPy's."""
    match response:
        case "gaussian":
            found = stats.norm(eta, np.sqrt(phi)).logpdf(y)
        case "poisson":
            found = stats.poisson(np.exp(eta)).logpmf(y)
        case "binomial":
            found = stats.binom(TRIALS, 1 / (1 + np.exp(-eta))).logpmf(y)
        case _:
            found = stats.gamma(1 / phi, scale=phi * np.exp(eta)).logpdf(y)
    return np.asarray(found)


@every_response
def test_one_component_is_scikit_learns_regression(response: str) -> None:
    X, y = made(response, trials=1)
    one = MixtureRegression(1, response, tol=1e-12).fit(X, y)
    exact = {"tol": 1e-10, "max_iter": 5000}
    other: Any = {
        "gaussian": LinearRegression(),
        "poisson": PoissonRegressor(alpha=0, solver="newton-cholesky", **exact),
        "binomial": LogisticRegression(C=np.inf, solver="newton-cholesky", **exact),
        "gamma": GammaRegressor(alpha=0, solver="newton-cholesky", **exact),
    }[response].fit(X, y)
    np.testing.assert_allclose(one.coef_[0], np.ravel(other.coef_), rtol=1e-6, atol=1e-7)
    assert one.intercept_[0] == pytest.approx(np.ravel(other.intercept_)[0], rel=1e-6)
    if response == "gaussian":
        assert one.dispersion_[0] == pytest.approx(np.mean((y - other.predict(X)) ** 2))
    if response == "gamma":
        ratio = y / other.predict(X)
        shape = 1 / one.dispersion_[0]
        excess = np.mean(ratio - 1 - np.log(ratio))
        assert np.log(shape) - digamma(shape) == pytest.approx(excess, rel=1e-6)


@every_response
@pytest.mark.parametrize("tied", [False, True])
def test_the_mixtures_maximum_is_scipys(response: str, tied: bool) -> None:
    X, y = made(response)
    dispersed = response in ("gaussian", "gamma")
    shared = {"common": [1] if tied else (), "common_dispersion": tied and dispersed}
    found = asked(response, tol=1e-10, **shared).fit(X, y)
    ones = np.column_stack([np.ones(len(y)), X[:, :2] - [0, 10]])

    def loss(free: Array) -> float:
        lines, rest = free[:6].reshape(2, 3).copy(), free[6:]
        phi = np.exp(rest[1:3])
        if tied:
            lines[1, 2], phi = lines[0, 2], np.full(2, np.exp(rest[1]))
        logs = [-np.logaddexp(0, -rest[0]), -np.logaddexp(0, rest[0])]
        each = [logs[k] + log_density(response, y, ones @ lines[k], phi[k]) for k in range(2)]
        return -float(logsumexp(each, axis=0).sum())

    here = np.column_stack([found.intercept_ + 10 * found.coef_[:, 1], found.coef_])
    phi = found.dispersion_ if dispersed else np.ones(2)
    odds = np.log(found.weights_[0] / found.weights_[1])
    start = np.concatenate([here.ravel(), [odds], np.log(phi)])
    assert loss(start) == pytest.approx(-found.fit_result_.loglik, abs=1e-7)
    near = start + 0.05 * np.random.default_rng(1).standard_normal(len(start))
    best = optimize.minimize(loss, near, method="BFGS", options={"gtol": 1e-6})
    assert found.fit_result_.loglik == pytest.approx(-best.fun, abs=1e-5)
    free = 2 * 3 + 1 + 2 * dispersed - tied * (1 + dispersed)
    assert found.fit_result_.n_parameters == free


@pytest.mark.parametrize("design", ["NPreg", "seizure"])
def test_designs_of_flexmix_against_scipy(design: str) -> None:
    """Rows drawn as its data are said to be made; these themselves are not here."""
    rng = np.random.default_rng(11)
    if design == "NPreg":
        x = rng.uniform(0, 10, 200)
        first = np.arange(200) < 100
        y = np.where(first, 5 * x, 40 - (x - 5) ** 2) + 3 * rng.standard_normal(200)
        X, response, offset = np.column_stack([x, x**2]), "gaussian", None
    else:
        day, treated = np.arange(1.0, 141), (np.arange(140) >= 28).astype(float)
        hours = rng.integers(4, 13, 140)
        first = rng.uniform(size=140) < 0.28
        eta = np.where(first, 0.8 - 0.6 * treated, 2.2 - 0.9 * treated - 0.3 * treated * day / 50)
        y = rng.poisson(hours * np.exp(eta)).astype(float)
        X = np.column_stack([treated, day / 50, treated * day / 50, np.log(hours)])
        response, offset = "poisson", 3
    found = MixtureRegression(2, response, offset=offset, random_state=0, tol=1e-10).fit(X, y)
    shift = 0.0 if offset is None else X[:, offset]
    ones = np.column_stack([np.ones(len(y)), X if offset is None else np.delete(X, offset, 1)])
    q = ones.shape[1]

    def loss(free: Array) -> float:
        lines, rest = free[: 2 * q].reshape(2, q), free[2 * q :]
        logs = [-np.logaddexp(0, -rest[0]), -np.logaddexp(0, rest[0])]
        each = [
            logs[k] + log_density(response, y, shift + ones @ lines[k], np.exp(rest[1 + k]))
            for k in range(2)
        ]
        return -float(logsumexp(each, axis=0).sum())

    phi = np.ones(2) if found.dispersion_ is None else found.dispersion_
    lines = np.column_stack([found.intercept_, found.coef_])
    odds = np.log(found.weights_[0] / found.weights_[1])
    start = np.concatenate([lines.ravel(), [odds], np.log(phi)])
    assert loss(start) == pytest.approx(-found.fit_result_.loglik, abs=1e-7)
    near = start * (1 + 0.02 * rng.standard_normal(len(start)))
    best = optimize.minimize(loss, near, method="BFGS", options={"gtol": 1e-5})
    assert found.fit_result_.loglik == pytest.approx(-best.fun, abs=1e-5)
    assert found.fit_result_.n_parameters == 9
    right = (found.classify(X, y) == found.classify(X, y)[np.argmax(first)]) == first
    assert right.mean() > 0.8


@every_response
def test_the_contract_of_users_families(response: str) -> None:
    X, y = made(response, n=120)
    trials = 2 if response == "binomial" else None
    check_family(Regression(response, trials=trials), np.column_stack([X, y]))


def test_exposures_as_an_offset() -> None:
    X, _ = made("poisson")
    rng = np.random.default_rng(5)
    exposure = rng.uniform(1, 20, size=len(X))
    y = rng.poisson(exposure * np.exp(-0.5 + 0.4 * X[:, 0])).astype(float)
    table = np.column_stack([X, np.log(exposure)])
    one = MixtureRegression(1, "poisson", offset=2, tol=1e-12).fit(table, y)
    # Rates, weighted by the exposure, have the same likelihood but for a constant.
    other = PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-12, max_iter=500)
    other.fit(X, y / exposure, sample_weight=exposure)
    np.testing.assert_allclose(one.coef_[0], other.coef_, rtol=1e-6)
    np.testing.assert_allclose(one.predict(table), exposure * other.predict(X), rtol=1e-6)


def test_trials_are_rows_of_ones_and_noughts() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=60)
    trials = rng.integers(1, 12, size=60)
    y = rng.binomial(trials, 1 / (1 + np.exp(-0.3 - x)))
    some = MixtureRegression(1, "binomial", trials=1, tol=1e-12)
    some.fit(np.column_stack([x, trials]), y)
    rows = np.repeat(x, trials)[:, None]
    each = np.concatenate([np.arange(t) < s for t, s in zip(trials, y, strict=True)])
    single = MixtureRegression(1, "binomial", tol=1e-12).fit(rows, each.astype(float))
    np.testing.assert_allclose(some.coef_, single.coef_, rtol=1e-6)


@every_response
def test_units_and_offsets_of_covariates_do_not_matter(response: str) -> None:
    X, y = made(response)
    plain = asked(response, tol=1e-10).fit(X, y)
    other = X.copy()
    other[:, :2] = X[:, :2] * [1e-7, 1e6] + [1.0, 1e8]
    moved = asked(response, tol=1e-10).fit(other, y)
    assert moved.fit_result_.loglik == pytest.approx(plain.fit_result_.loglik, abs=1e-5)
    np.testing.assert_allclose(moved.coef_ * [1e-7, 1e6], plain.coef_, rtol=1e-4)


def test_nearly_equal_covariates_cost_no_digits() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=200)
    X = np.column_stack([x, x + 1e-5 * rng.normal(size=200)])
    y = 1 + X @ [2.0, -1.0] + 0.1 * rng.normal(size=200)
    one = MixtureRegression(1).fit(X, y)
    ones = np.column_stack([np.ones(200), X[:, 0], (X[:, 1] - X[:, 0]) * 1e5])
    best = np.linalg.lstsq(ones, y, rcond=None)[0]
    assert one.coef_[0, 1] == pytest.approx(best[2] * 1e5, rel=1e-7)


@pytest.mark.parametrize("solver", ["em", "lbfgs", "newton", "squarem"])
def test_every_solver_ends_there(solver: str) -> None:
    X, y = made("poisson")
    best = MixtureRegression(2, "poisson", random_state=0, tol=1e-10).fit(X, y)
    other = MixtureRegression(2, "poisson", random_state=0, tol=1e-8, solver=solver).fit(X, y)
    assert other.fit_result_.loglik == pytest.approx(best.fit_result_.loglik, abs=1e-4)
    assert other.fit_result_.verdict == "interior maximum"


@every_response
def test_crossing_lines_are_found_from_any_seed(response: str) -> None:
    X, y = made(response)
    met = [asked(response, random_state=seed).fit(X, y).fit_result_.loglik for seed in range(4)]
    assert max(met) - min(met) < 1e-2


@pytest.mark.parametrize("response", ["gaussian", "gamma"])
def test_no_component_ends_on_an_exact_line(response: str) -> None:
    X, y = made(response, n=100)
    # Four rows on one curve: a likelihood without bound.
    y[:4] = np.exp(1.0 + 0.1 * X[:4, 0]) if response == "gamma" else 1.0 + 0.1 * X[:4, 0]
    found = MixtureRegression(2, response, random_state=0).fit(X, y)
    assert not found.fit_result_.floored
    assert found.weights_.min() > 0.1


def test_a_response_that_one_line_explains_is_refused() -> None:
    x = np.arange(20.0)
    for y in (1 + 2 * x, np.ones(20), 1e9 + 0 * x):
        with pytest.raises(ValueError, match="explains the response exactly"):
            MixtureRegression(2).fit(x[:, None], y)
    for family, value in (("poisson", 0), ("binomial", 0), ("binomial", 1)):
        with pytest.raises(ValueError, match="leaves nothing to explain"):
            MixtureRegression(2, family).fit(x[:, None], np.full(20, value))
    with pytest.raises(ValueError, match="y holds text"):
        MixtureRegression(2).fit(x[:, None], ["a"] * 20)


def test_units_of_the_response_and_no_covariates() -> None:
    X, y = made("gaussian")
    plain = MixtureRegression(2, random_state=0, tol=1e-10).fit(X, y)
    for unit in (1e-150, 1e120):
        other = MixtureRegression(2, random_state=0, tol=1e-10).fit(X, y * unit)
        np.testing.assert_allclose(other.coef_, plain.coef_ * unit, rtol=1e-6)
    X, y = made("poisson")
    bare = MixtureRegression(2, "poisson", covariates=(), random_state=0, tol=1e-10).fit(X, y)
    counts = mixtura.Mixture("poisson", 2, random_state=0, tol=1e-10).fit(y[:, None])
    assert bare.fit_result_.loglik == pytest.approx(counts.fit_result_.loglik, abs=1e-6)


def separated(response: str) -> tuple[Any, Array]:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(8)
    dose = np.repeat([0.0, 1.0], 50)
    y = dose if response == "binomial" else np.where(dose > 0, 0, rng.poisson(5, 100))
    return pd.DataFrame({"age": rng.normal(50, 9, size=100), "dose": dose}), y


@pytest.mark.parametrize("response", ["binomial", "poisson"])
def test_a_coefficient_that_runs_to_infinity_is_named(response: str) -> None:
    X, y = separated(response)
    with pytest.warns(mixtura.DegenerateWarning, match="'dose' in component 0 runs to infinity"):
        found = MixtureRegression(1, response).fit(X, y)
    assert found.fit_result_.verdict == "boundary"
    assert "runs to infinity" in found.summary()
    assert "age" not in found.fit_result_.certificate.detail


@pytest.mark.parametrize("common", [(), (1,)])
def test_a_covariate_alike_in_a_components_rows_is_named_unless_common(common: Any) -> None:
    rng = np.random.default_rng(9)
    label = np.repeat([0, 1], 60)
    site = np.where(label == 0, rng.integers(2, size=120), 0)
    X = np.column_stack([rng.uniform(0, 5, 120), site, rng.normal(size=120)])
    rows = Rows(X)
    settled = Regression(common=common).settled(Survey(rows, rows), 2)
    family, resp = settled.family, np.eye(2)[label]
    lines = family.start(X, resp, settled.base, settled.prior)
    found = family.endless(family.statistics(X, resp, lines), lines)
    told = [each.said(["dose", "site", "y"]) for each in found]
    alike = "the coefficient of 'site' in component 1 is not determined by its rows"
    assert told == ([] if common else [alike])


@every_response
def test_responses_drawn_given_covariates(response: str) -> None:
    X, y = made(response)
    found = asked(response).fit(X, y)
    many = np.repeat(X[:5], 4000, axis=0)
    drawn, labels = found.sample(many, random_state=1)
    expected, each = found.predict(X[:5]), drawn.reshape(5, 4000)
    error = each.std(axis=1) / np.sqrt(4000)
    assert (np.abs(each.mean(axis=1) - expected) < 5 * error).all()
    assert np.bincount(labels) / len(labels) == pytest.approx(found.weights_, abs=0.02)


def test_what_is_refused() -> None:
    X, y = made("poisson")
    for asked, more, told in (
        ({"family": "tweedie"}, {}, "family must be one of"),
        ({"family": "poisson"}, {"y": y - 1}, "column 'y' holds -1"),
        ({"family": "gamma"}, {}, "a number above 0, and column 'y' holds 0"),
        ({"family": "binomial"}, {}, "a binomial response is 0 or 1"),
        ({"family": "poisson", "trials": 0}, {}, "trials are for response='binomial'"),
        ({"family": "poisson", "common_dispersion": True}, {}, "has no dispersion"),
        ({"common": [5]}, {}, "common has position 5"),
        ({"common": [1], "offset": 1}, {}, "common names column 1, which is no covariate"),
        ({"covariates": [0, 1], "offset": 1}, {}, "has two parts"),
        ({}, {"X": np.column_stack([X, np.ones(len(y))])}, "column .x3. holds one value only"),
        ({}, {"X": np.column_stack([X, X.sum(axis=1)])}, "column .x3. is a weighted sum of those"),
    ):
        with pytest.raises(ValueError, match=told):
            MixtureRegression(2, **asked).fit(more.get("X", X), more.get("y", y))
    found = MixtureRegression(2, random_state=0).fit(X, y)
    with pytest.raises(NotImplementedError, match="draw responses for rows of covariates"):
        found.mixture_.sample(3)

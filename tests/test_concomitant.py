"""Weights that hang on concomitants: the model's contract, SciPy's maximum, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import logsumexp

import mixtura
from mixtura.data.rows import Rows
from mixtura.families.design import design
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.given import Given
from mixtura.families.product import Block, Product
from mixtura.fitting.mixture_fit import prepare
from mixtura.models.concomitant import Concomitant, ConcomitantParams
from mixtura.records import Array, Chunk, inner
from mixtura.testing import check_model

FAMILIES: dict[str, Any] = {
    "gaussian": Gaussian(structure("full")),
    "poisson": "poisson",
    "negativebinomial": "negativebinomial",
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def table(n: int = 300, seed: int = 0) -> tuple[Array, Array]:
    """(columns: two counts, two concomitants of unlike units; labels)."""
    rng = np.random.default_rng(seed)
    C = np.column_stack([rng.normal(50, 5, n), rng.normal(0, 1e-3, n)])
    odds = np.column_stack([np.zeros(n), 0.3 * (C[:, 0] - 48), 1500 * C[:, 1]])
    labels = (odds + rng.gumbel(size=(n, 3))).argmax(axis=1)
    counts = rng.poisson(np.array([[2, 9], [8, 2], [15, 14]])[labels])
    return np.column_stack([counts, C]).astype(float), labels


def ground(name: str, K: int = 3) -> tuple[Concomitant, ConcomitantParams, Array]:
    """The model of a table, parameters that are not its maximum, the table."""
    X, labels = table()
    kind = Product([Block(FAMILIES[name], [0, 1]), Block(Given(), [2, 3])])
    found = prepare(Rows(X), kind, K, np.random.RandomState(0), concomitants=(2, 3))
    model: Any = found.model
    resp = 0.2 / K + 0.8 * np.eye(K)[labels % K]
    params = model.first_step(X, None, resp, found.maker.base)
    near = params.logits + [0.2, 0.0, 50.0] * (np.arange(K) > 0)[:, None]
    return model, ConcomitantParams(params.weights, params.components, near), X


@every_family
def test_the_contract_of_models(name: str) -> None:
    model, params, X = ground(name)
    check_model(model, X, params)


@every_family
def test_score_and_chart_are_finite_differences(name: str) -> None:
    model, params, X = ground(name)
    chart, rng = model.chart(params), np.random.default_rng(1)
    assert chart.size == model.n_parameters(params) == len(chart.radius)
    here = 0.1 * rng.normal(size=chart.size)
    np.testing.assert_allclose(chart.coordinates(chart.params(here)), here, atol=1e-9)
    summary = model.e_step(Chunk(X), chart.params(here))
    gradient = chart.gradient(summary, chart.params(here))
    score = model.score(summary, chart.params(here))
    for _ in range(4):
        way, step = rng.normal(size=chart.size), 1e-5
        ends = [chart.params(here + sign * step * way) for sign in (1, -1)]
        values = [model.e_step(Chunk(X), end).loglik + model.log_prior(end) for end in ends]
        numeric = (values[0] - values[1]) / (2 * step)
        assert gradient @ way == pytest.approx(numeric, rel=1e-5, abs=1e-4)
        one, two = (end.arrays() for end in ends)
        apart = {each: (one[each] - two[each]) / (2 * step) for each in score}
        assert inner(score, apart) == pytest.approx(numeric, rel=1e-5, abs=1e-4)


def test_the_logits_information_is_the_identity_where_labels_are_known() -> None:
    model, _, X = ground("poisson")
    rng = np.random.default_rng(2)
    logits = np.array([[0, 0, 0], [-3.0, 0.05, 200.0], [2.0, -0.03, -100.0]])
    params = ConcomitantParams(np.full(3, 1 / 3), ground("poisson")[1].components, logits)
    chart = model.chart(params)
    shares = np.exp(model.log_weights(X, params))
    resp = np.eye(3)[(np.log(shares) + rng.gumbel(size=shares.shape)).argmax(axis=1)]
    free, step = len(chart.logits.map[0]), 1e-4

    def slope(way: Array) -> Array:
        at = chart.params(way)
        stats_ = model.gathered(X, resp, at, None)
        score = stats_.slopes.reshape(2, 3) @ model.design.back.T
        return chart.logits.slope(at.logits, np.vstack([np.zeros((1, 3)), score])) / len(X)

    ways = np.eye(chart.size)[:free]
    hessian = np.array([(slope(step * way) - slope(-step * way)) / (2 * step) for way in ways])
    # The rows of the table are those by which the chart knows its expectations.
    np.testing.assert_allclose(-hessian, np.eye(free), atol=1e-6)


def test_the_maximum_is_scipys() -> None:
    X, _ = table()
    found = mixtura.Mixture("poisson", 3, concomitants=[2, 3], random_state=0, tol=1e-10).fit(X)
    C = np.column_stack([np.ones(len(X)), X[:, 2] - 50, X[:, 3] * 1e3])

    def loss(free: Array) -> float:
        logits, rates = np.zeros((3, 3)), np.exp(free[6:].reshape(3, 2))
        logits[1:] = free[:6].reshape(2, 3)
        odds = C @ logits.T
        joint = odds - logsumexp(odds, axis=1, keepdims=True)
        joint += stats.poisson(rates[None]).logpmf(X[:, None, :2]).sum(axis=2)
        return -float(logsumexp(joint, axis=1).sum())

    lines = np.column_stack([found.concomitant_intercept_, found.concomitant_coef_])
    lines = lines @ [[1, 0, 0], [50, 1, 0], [0, 0, 1e-3]]
    start = np.concatenate([lines[1:].ravel(), np.log(found.poisson_rates_).ravel()])
    assert loss(start) == pytest.approx(-found.fit_result_.loglik, abs=1e-6)
    near = start + 0.05 * np.random.default_rng(3).standard_normal(len(start))
    best = optimize.minimize(loss, near, method="BFGS", options={"gtol": 1e-6})
    assert found.fit_result_.loglik == pytest.approx(-best.fun, abs=1e-5)
    assert found.fit_result_.verdict == "interior maximum"
    assert found.fit_result_.n_parameters == 6 + 6
    # At the maximum the mean weights are the mean responsibilities.
    np.testing.assert_allclose(found.weights_, found.predict_proba(X).mean(axis=0), atol=1e-6)


def test_a_concomitant_that_says_nothing_changes_nothing() -> None:
    X, _ = table()
    rng = np.random.default_rng(4)
    X[:, 2] = rng.permutation(X[:, 2])
    plain = mixtura.Mixture("poisson", 2, random_state=0).fit(X[:, :2])
    other = mixtura.Mixture("poisson", 2, concomitants=2, random_state=0).fit(X[:, :3])
    gain = 2 * (other.fit_result_.loglik - plain.fit_result_.loglik)
    assert -1e-4 < gain < stats.chi2(1).isf(1e-4)
    assert other.fit_result_.n_parameters == plain.fit_result_.n_parameters + 1


@pytest.mark.parametrize("solver", ["em", "lbfgs", "newton", "anderson"])
def test_every_solver_ends_there(solver: str) -> None:
    X, _ = table()
    best = mixtura.Mixture("diag", 3, concomitants=[2, 3], random_state=0, tol=1e-9).fit(X)
    other = mixtura.Mixture(
        "diag", 3, concomitants=[2, 3], random_state=0, solver=solver, tol=1e-8
    ).fit(X)
    assert other.fit_result_.loglik == pytest.approx(best.fit_result_.loglik, abs=1e-3)


def test_a_checkpointed_fit_ends_alike(tmp_path: Any) -> None:
    X, _ = table()
    one = mixtura.Mixture("poisson", 3, concomitants=[2, 3], random_state=0).fit(X)
    two = mixtura.Mixture("poisson", 3, concomitants=[2, 3], random_state=0)
    two.fit(X, checkpoint=tmp_path / "fit.checkpoint")
    np.testing.assert_array_equal(one.concomitant_coef_, two.concomitant_coef_)


def test_concomitants_of_regressions() -> None:
    rng = np.random.default_rng(5)
    age, x = rng.normal(40, 10, 400), rng.uniform(0, 5, 400)
    group = (rng.uniform(size=400) < 1 / (1 + np.exp(-(age - 42) / 4))).astype(int)
    y = np.where(group, 1 + 2 * x, 9 - x) + 0.5 * rng.normal(size=400)
    found = mixtura.MixtureRegression(2, concomitants=[0], random_state=0)
    found.fit(np.column_stack([age, x]), y)
    rising = int(np.argmax(found.coef_[:, 0]))
    slope = found.concomitant_coef_[:, 0]
    assert found.covariates_ == ["x2"]
    assert slope[rising] - slope[1 - rising] == pytest.approx(0.25, abs=0.08)
    weights = found.predict_weights([[20, 1], [60, 1]])
    assert weights[0, rising] < 0.05 < 0.95 < weights[1, rising]
    expected = (weights * found.predict_components([[20, 1], [60, 1]])).sum(axis=1)
    np.testing.assert_allclose(found.predict([[20, 1], [60, 1]]), expected)
    assert "Log odds of each group against group 0" in found.summary()


def test_separated_concomitants_are_named() -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(6)
    age = np.repeat([20.0, 60.0], 60)
    counts = rng.poisson(np.where(age > 40, 3, 40))
    frame = pd.DataFrame({"count": counts, "age": age})
    with pytest.warns(mixtura.DegenerateWarning, match="'age' that the weights hang on"):
        mixtura.Mixture("poisson", 2, concomitants=["age"], random_state=0).fit(frame)


@pytest.mark.parametrize("named", [False, True])
def test_a_file_keeps_every_bit(tmp_path: Any, named: bool) -> None:
    pd = pytest.importorskip("pandas")
    X: Any = pd.DataFrame(table()[0], columns=["a", "b", "age", "dose"]) if named else table()[0]
    asked = ["age", "dose"] if named else [2, 3]
    found = mixtura.Mixture("poisson", 2, concomitants=asked, random_state=0).fit(X)
    found.save(tmp_path / "m.json")
    loaded = mixtura.load(tmp_path / "m.json")
    np.testing.assert_array_equal(loaded.predict_proba(X), found.predict_proba(X))
    assert loaded.bic(X) == found.bic(X)
    assert loaded.summary() == found.summary()
    document = json.loads((tmp_path / "m.json").read_text())
    document["arrays"]["concomitant_coef_"]["shape"] = [1, 4]
    (tmp_path / "m.json").write_text(json.dumps(document))
    with pytest.raises(mixtura.StoreError, match="concomitant_coef_"):
        mixtura.load(tmp_path / "m.json")


def test_what_is_refused() -> None:
    X, _ = table()
    gap = X.copy()
    gap[7, 2] = np.nan
    one = np.column_stack([X[:, :2], np.ones(len(X))])
    for asked, rows, told in (
        (
            [2, 3],
            gap,
            "concomitant 'x3' has a gap in row 7 .*: weights cannot hang",
        ),
        ([2], one, "concomitant column 2 .* holds one value only"),
        ([0, 1, 2, 3], X, "names every column"),
        (["age"], X, "is no column"),
    ):
        with pytest.raises(ValueError, match=told):
            mixtura.Mixture("poisson", 2, concomitants=asked).fit(rows)
    with pytest.raises(
        ValueError, match=r"column 'x2' has nan in row 7 .*: a regression cannot leave"
    ):
        mixtura.MixtureRegression(2, concomitants=[2]).fit(gap[:, 1:], X[:, 0])
    found = mixtura.Mixture("poisson", 2, concomitants=[2, 3], random_state=0).fit(X)
    with pytest.raises(NotImplementedError, match="draw rows for given ones"):
        found.sample(5)


def test_units_of_a_design_cost_no_digits() -> None:
    X, _ = table()
    made = design(Rows(X), (2, 3), True, "the")
    z = made.z(X)
    np.testing.assert_allclose(z.T @ z / len(X), np.eye(3), atol=1e-10)
    ones = np.column_stack([np.ones(len(X)), X[:, 2:]])
    np.testing.assert_allclose(ones @ made.turn, z, atol=1e-8)
    np.testing.assert_allclose(made.back.T @ made.turn, np.eye(3), atol=1e-12)


def test_a_fit_is_what_was_fitted_not_what_is_asked_for_since() -> None:
    X, _ = table(150)
    fitted = mixtura.Mixture("poisson", 2, concomitants=[2, 3], random_state=0).fit(X)
    found = fitted.predict_proba(X)
    fitted.set_params(concomitants=None)
    assert np.array_equal(fitted.predict_proba(X), found)
    assert "concomitant" in fitted.summary()
    fitted.fit(X[:, :2])
    assert not hasattr(fitted, "concomitant_coef_")

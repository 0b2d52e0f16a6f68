"""What every family of the registry owes; a new one is a line there and one in family_cases.py."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from family_cases import CASES, FamilyCase
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from mixtura.data.rows import Rows
from mixtura.data.survey import Survey
from mixtura.engines.choose import open_sweep
from mixtura.families.registry import FAMILIES, family
from mixtura.fitting.sample import sample_rows
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk, Statistics, inner
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.supports import turned

WEIGHTS = np.array([0.4, 0.6])
# How often a sound sampler would fail one of its tests.
FALSE_ALARM = 1e-4

every_family = pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
with_gaps = pytest.mark.parametrize(
    "case", [c for c in CASES.values() if c.family.allows_gaps], ids=lambda case: case.name
)


def settled(case: FamilyCase, X: Array) -> tuple[Mixture, MixtureParams]:
    """(the mixture at maximum likelihood, two components that are the whole table)."""
    rows = Rows(X)
    found = case.family.settled(Survey(rows, sample_rows(rows, 2, np.random.RandomState(0))), 2)
    model = Mixture(found.family, found.prior.without_penalty())
    return model, MixtureParams(WEIGHTS, found.base)


def assert_same(one: Any, two: Any, rtol: float = 1e-10) -> None:
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, Statistics):
            assert_same(a, b, rtol)
        elif isinstance(a, tuple):
            for own, other in zip(a, b, strict=True):
                assert_same(own, other, rtol)
        else:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1.0, np.abs(b).max()))


def test_every_family_is_tested() -> None:
    assert set(FAMILIES) - {"auto"} <= set(CASES)
    for name in set(FAMILIES) - {"auto"}:
        assert type(family(name)) is type(CASES[name].family)


@every_family
def test_log_density_is_scipys(case: FamilyCase) -> None:
    X, _ = case.rows(200)
    found = case.family.log_density(X, case.params)
    np.testing.assert_allclose(found, case.log_density(X), rtol=1e-10, atol=1e-10)


@every_family
@given(cut=st.integers(1, 149))
@settings(max_examples=5, deadline=None)
def test_statistics_add_over_any_cut(case: FamilyCase, cut: int) -> None:
    X, _ = case.rows(150)
    resp = np.random.default_rng(1).uniform(size=(150, 2))
    whole = case.family.statistics(X, resp, case.params)
    first = case.family.statistics(X[:cut], resp[:cut], case.params)
    assert_same(first + case.family.statistics(X[cut:], resp[cut:], case.params), whole)
    assert_same(whole.scale(0.5) + whole.scale(0.5), whole)


@every_family
def test_a_weight_is_copies_of_the_row(case: FamilyCase) -> None:
    X, _ = case.rows(150)
    weights = np.random.default_rng(2).integers(0, 3, size=150)
    model, params = Mixture(case.family, None), MixtureParams(WEIGHTS, case.params)
    weighted = model.e_step(Chunk(X, weights.astype(float)), params)
    copies = model.e_step(Chunk(np.repeat(X, weights, axis=0)), params)
    assert weighted.loglik == pytest.approx(copies.loglik, rel=1e-12)
    assert_same(weighted.statistics, copies.statistics)


@every_family
def test_the_m_step_is_scipys_optimum(case: FamilyCase) -> None:
    X, _ = case.rows(300, seed=3)
    model, _ = settled(case, X)
    resp = np.random.default_rng(4).uniform(0.05, 1.0, size=(300, 2)) * [0.3, 1.0]
    stats_ = model.family.statistics(X, resp, case.params)
    found = model.family.maximize(stats_, case.params, model.prior)
    for _ in range(400 if case.hidden else 40 if model.family.generalised else 0):
        stats_ = model.family.statistics(X, resp, found)
        found = model.family.maximize(stats_, found, model.prior)
    chart = model.family.chart(case.params, WEIGHTS)

    def loss(free: Array) -> float:
        return -float(np.sum(resp * model.family.log_density(X, chart.params(free)))) / 300

    best = optimize.minimize(loss, np.zeros(chart.size), method="BFGS", options={"gtol": 1e-6})
    at = chart.coordinates(found)
    assert loss(at) <= best.fun + 1e-12
    np.testing.assert_allclose(at, best.x, atol=2e-4)


@every_family
def test_score_and_chart_gradient_are_finite_differences(case: FamilyCase) -> None:
    X, _ = case.rows(200, seed=5)
    model, _ = settled(case, X)
    # Not at the centre of the chart, where curvatures of the coordinates would not tell.
    chart = model.chart(MixtureParams(WEIGHTS, case.params))
    rng = np.random.default_rng(6)
    here = 0.1 * rng.normal(size=chart.size)
    summary = model.e_step(Chunk(X), chart.params(here))
    gradient = chart.gradient(summary, chart.params(here))
    score = model.score(summary, chart.params(here))
    for _ in range(4):
        way, step = rng.normal(size=chart.size), 1e-5
        ends = [chart.params(here + sign * step * way) for sign in (1, -1)]
        logliks = [model.e_step(Chunk(X), end).loglik for end in ends]
        numeric = (logliks[0] - logliks[1]) / (2 * step)
        assert gradient @ way == pytest.approx(numeric, rel=1e-5, abs=1e-4)
        one, two = (end.arrays() for end in ends)
        apart = {name: (one[name] - two[name]) / (2 * step) for name in one}
        assert inner(score, apart) == pytest.approx(numeric, rel=1e-5, abs=1e-4)


@every_family
def test_the_chart_goes_there_and_back(case: FamilyCase) -> None:
    chart = case.family.chart(case.params, WEIGHTS)
    assert chart.size == len(chart.radius) == case.family.n_parameters(case.params)
    np.testing.assert_allclose(chart.coordinates(case.params), 0.0, atol=1e-12)
    free = np.random.default_rng(7).normal(size=chart.size)
    there = chart.params(free)
    np.testing.assert_allclose(chart.coordinates(there), free, rtol=1e-8, atol=1e-8)
    for name, value in case.family.params(there.arrays()).arrays().items():
        np.testing.assert_allclose(value, there.arrays()[name], rtol=1e-12)


@every_family
def test_the_information_of_the_complete_data_is_the_identity(case: FamilyCase) -> None:
    """Within what 40,000 simulated rows leave open: 0.06 is four standard errors and more."""
    X, labels = case.rows(40_000, seed=8)
    resp = np.eye(2)[labels]
    chart = case.family.chart(case.params, resp.mean(axis=0))
    flat = settled(case, X[:500])[0].prior

    def gradient(free: Array) -> Array:
        params = chart.params(free)
        return chart.gradient(case.family.statistics(X, resp, params), params, flat) / len(X)

    step = 1e-4
    hessian = [
        (gradient(step * way) - gradient(-step * way)) / (2 * step) for way in np.eye(chart.size)
    ]
    told = -np.array(hessian)
    if case.hidden:
        # What labels leave hidden is less told, but in no direction nothing.
        told = np.linalg.eigvalsh(0.5 * (told + told.T))
        assert told.min() > 0.01
        assert told.max() < case.most
        return
    np.testing.assert_allclose(told, np.eye(chart.size), atol=0.06)


@every_family
def test_samples_match_the_density(case: FamilyCase) -> None:
    if case.column is None:
        pytest.skip("its rows are no independent columns: see its own tests")
    for k in range(2):
        X = case.family.sample(np.full(4000, k), case.params, np.random.RandomState(9))
        for j in range(X.shape[1]):
            column = case.column(k, j)
            # SciPy's angles lie around their own direction.
            x = column.mean() + turned(X[:, j] - column.mean()) if case.turns else X[:, j]
            assert p_value(x, column, case.discrete) > FALSE_ALARM


def p_value(x: Array, column: Any, discrete: bool) -> float:
    """That of a Kolmogorov-Smirnov test, or of chi-square over the counts met often."""
    if not discrete:
        return float(stats.kstest(x, column.cdf).pvalue)
    values = np.arange(x.max() + 1)
    expected = len(x) * column.pmf(values)
    often = expected >= 10
    met = np.array([(x == value).sum() for value in values])
    met = np.append(met[often], met[~often].sum())
    expected = np.append(expected[often], len(x) - expected[often].sum())
    if expected[-1] < 1e-6:
        assert met[-1] == 0
        met, expected = met[:-1], expected[:-1]
    return float(stats.chisquare(met, expected * met.sum() / expected.sum()).pvalue)


@with_gaps
def test_a_gap_is_summed_over(case: FamilyCase) -> None:
    X, _ = case.rows(3, seed=10)
    for j in range(X.shape[1]):
        missing = X.copy()
        missing[:, j] = np.nan
        found = np.exp(case.family.log_density(missing, case.params))
        for i in range(3):
            for k in range(2):

                def density(values: Any, i: int = i, j: int = j, k: int = k) -> Any:
                    rows = np.repeat(X[[i]], np.size(values), axis=0)
                    rows[:, j] = values
                    return np.exp(case.family.log_density(rows, case.params)[:, k])

                if case.discrete:
                    # A level that a column does not have has no density.
                    total = density(case.values).sum()
                else:
                    total = integrate.quad(lambda x: density(x)[0], *case.values, limit=200)[0]
                assert found[i, k] == pytest.approx(total, rel=1e-6)


@with_gaps
def test_statistics_leave_gaps_out(case: FamilyCase) -> None:
    X, labels = case.rows(200, seed=11)
    X[::3, 0] = np.nan
    resp = np.eye(2)[labels]
    case.family.refuse(X, ["0", "1", "2"])
    model, base = settled(case, case.rows(200, seed=11)[0])
    known = ~np.isnan(X[:, 0])
    whole = model.family.maximize(
        model.family.statistics(X, resp, base.components), base.components, model.prior
    ).arrays()
    part = model.family.maximize(
        model.family.statistics(X[known], resp[known], base.components),
        base.components,
        model.prior,
    ).arrays()
    for name in whole:
        # The first column's parameters are those of the rows that have it; others' are not.
        np.testing.assert_allclose(whole[name][:, 0], part[name][:, 0], rtol=1e-9)
        assert not np.allclose(whole[name][:, -1], part[name][:, -1], rtol=1e-9)
    assert np.isfinite(model.family.frame(X)).all()


@every_family
def test_em_never_falls_and_ends_where_the_gradient_vanishes(case: FamilyCase) -> None:
    X, labels = case.rows(300, seed=12)
    model, base = settled(case, X)
    resp = 0.2 + 0.6 * np.eye(2)[labels]
    start = model.first_step(X, None, resp, base)
    climb = em(
        Problem(model, open_sweep("local", model, Rows(X)), start, tol=1e-13, max_iter=20_000)
    )
    assert climb.converged, climb.reason
    assert np.all(np.diff(climb.logliks) >= -1e-9)
    chart = model.chart(climb.params)
    assert np.abs(chart.gradient(climb.summary, climb.params)).max() / len(X) < 1e-5


@every_family
def test_a_component_without_rows_keeps_what_it_was(case: FamilyCase) -> None:
    X, _ = case.rows(100, seed=13)
    model, _ = settled(case, X)
    if getattr(case.family, "common", ()):
        pytest.skip("what is common hangs on the others' rows")
    resp = np.tile([1.0, 0.0], (100, 1))
    stats_ = model.family.statistics(X, resp, case.params)
    after = model.family.maximize(stats_, case.params, model.prior).arrays()
    for name, value in case.params.arrays().items():
        np.testing.assert_allclose(after[name][1], value[1], rtol=1e-8)

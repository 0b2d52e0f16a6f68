"""The penalty against collapse of families whose likelihood has singularities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from family_cases import CASES, FamilyCase
from whole_fit import fitted

from mixtura.data.rows import Rows
from mixtura.data.survey import Survey
from mixtura.families.dispersion import DispersionPrior
from mixtura.fitting.sample import sample_rows

SINGULAR = ("gamma", "lognormal", "normal", "vonmises", "vonmisesfisher")
each = pytest.mark.parametrize("case", [CASES[name] for name in SINGULAR], ids=lambda c: c.name)


def prior_of(case: FamilyCase, X: np.ndarray, weight: np.ndarray | None = None) -> DispersionPrior:
    rows = Rows(X, weight)
    return case.family.settled(
        Survey(rows, sample_rows(rows, 2, np.random.RandomState(0))), 2
    ).prior


def test_these_are_the_families_with_singularities() -> None:
    for name, case in CASES.items():
        if name != "gaussian":
            X, _ = case.rows(100)
            singular = name in SINGULAR or getattr(case.family, "dispersion", None) is not None
            assert isinstance(prior_of(case, X), DispersionPrior) == singular


@each
def test_the_prior_is_one_row_more_in_all(case: FamilyCase) -> None:
    X, _ = case.rows(100)
    assert prior_of(case, X).strength == pytest.approx(0.01)
    assert prior_of(case, X, np.full(100, 0.1)).strength == pytest.approx(0.001)
    assert prior_of(case, X, np.full(100, 0.1)).count_scale == pytest.approx(10.0)


@each
def test_its_score_is_the_finite_difference_and_the_m_step_maximises_with_it(
    case: FamilyCase,
) -> None:
    X, labels = case.rows(100, seed=1)
    prior = replace(prior_of(case, X), strength=3.0)
    sums = case.family.statistics(X, np.eye(2)[labels], case.params)
    best = case.family.maximize(sums, case.params, prior)
    chart = case.family.chart(best, np.array([0.4, 0.6]))
    sums = case.family.transported(sums, case.params, best)
    assert np.abs(chart.gradient(sums, best, prior)).max() < 1e-6 * len(X)
    free = case.family.chart(case.params, np.array([0.4, 0.6]))
    zero = sums.scale(0.0)
    step = 1e-5
    for way in np.eye(free.size):
        ends = [prior.log_prior(free.params(sign * step * way)) for sign in (1, -1)]
        slope = free.gradient(zero, case.params, prior) @ way
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-7)


@each
def test_a_fit_does_not_end_on_equal_rows(case: FamilyCase) -> None:
    """Three rows that are one are a spike of the likelihood; groups are what is asked for."""
    X, _ = case.rows(60, seed=2)
    found = fitted(case.family, np.vstack([X, X[[0, 0]]]), 2)
    assert not found.fit.floored
    assert (found.params.weights * 62).min() > 5


@each
def test_a_table_of_two_points_is_told_to_be_two_spikes(case: FamilyCase) -> None:
    X, _ = case.rows(2, seed=3)
    found = fitted(case.family, np.repeat(X, [20, 30], axis=0), 2)
    assert found.fit.penalised
    assert len(found.fit.floored) == 2
    assert np.isfinite(found.fit.loglik)

"""How sound each component of a fit is, and what is said where one is not."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura import DegenerateWarning, EigenvalueRatio, GaussianMixture, Mixture
from mixtura.result import Fit


def test_components_of_a_sound_fit_are_regular():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (80, 2)), rng.normal(6, [1.0, 0.5], (40, 2))])
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = mixture.fit_result_.standings
    assert [each.verdict for each in found] == ["regular"] * 2
    assert not any(each.held_up for each in found)
    assert [each.rows for each in found] == pytest.approx(list(120 * mixture.weights_))
    # The smallest eigenvalue against the table's covariance, by NumPy.
    table = np.cov(X.T, bias=True)
    for each, cov in zip(found, mixture.covariances_, strict=True):
        least = np.linalg.eigvals(np.linalg.solve(table, cov)).min()
        assert each.spread == pytest.approx(least, rel=0.3)


@pytest.mark.parametrize("seed", range(4))
def test_many_equal_values_among_others_are_a_collapsed_component(seed):
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(0, 1, 60), np.zeros(30), rng.normal(5, 1, 60)])[:, None]
    with pytest.warns(DegenerateWarning, match="only the penalty keeps it from collapsing"):
        fit = GaussianMixture(3, means_init=[[0.3], [0.0], [5.0]]).fit(rows).fit_result_
    assert [each.verdict for each in fit.standings].count("collapsed") == 1
    (part,) = fit.floored
    assert fit.standings[part.component].held_up
    assert 25 < part.count < 40
    assert fit.verdict == "boundary"


def test_a_few_rows_close_together_are_said_to_be_spurious():
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (60, 2))
    rows[:4] = [1.0, 1.0] + 0.05 * rng.normal(size=(4, 2))
    settings = {
        "means_init": [[0.0, 0.0], [1.0, 1.0]],
        "precisions_init": [np.eye(2), 400 * np.eye(2)],
        "weights_init": [0.93, 0.07],
    }
    with pytest.warns(DegenerateWarning, match="component 1 looks spurious"):
        mixture = GaussianMixture(2, **settings).fit(rows)
    one = mixture.fit_result_.standings[1]
    assert (one.verdict, one.held_up) == ("spurious", False)
    assert "some few rows always lie close together" in " ".join(mixture.summary().split())


def test_a_floor_or_a_bound_that_is_active_is_told():
    rng = np.random.default_rng(2)
    rows = np.vstack([rng.normal(0, 1, (50, 1)), rng.normal(9, 0.05, (50, 1))])
    floor = GaussianMixture(2, reg_covar=0.05, random_state=0).fit(rows).fit_result_
    bound = GaussianMixture(2, constraint=EigenvalueRatio(5), random_state=0).fit(rows).fit_result_
    for fit in (floor, bound):
        assert sorted(each.held_up for each in fit.standings) == [False, True]
    plain = GaussianMixture(2, random_state=0).fit(rows).fit_result_
    assert not any(each.held_up for each in plain.standings)


def test_families_without_a_width_tell_their_rows():
    rows = np.random.default_rng(0).poisson([[2.0]] * 50 + [[9.0]] * 50)
    fit = Mixture("poisson", 2, random_state=0).fit(rows).fit_result_
    assert [each.spread for each in fit.standings] == [None, None]
    assert sum(each.rows for each in fit.standings) == pytest.approx(100)


def test_a_fit_keeps_them_through_a_file():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    fit = GaussianMixture(1).fit(rows).fit_result_
    assert Fit.from_dict(fit.to_dict()).standings == fit.standings


@pytest.mark.parametrize("seed", [0, 1, 18])
def test_a_race_is_not_won_by_what_the_fit_would_warn_of(seed):
    # Four components on a cloud and a handful of rows: some few rows always lie on a plane.
    rng = np.random.default_rng(seed)
    rows = np.vstack([rng.normal(4 * rng.normal(size=3), 1.0, (n, 3)) for n in (400, 16)])
    fit = GaussianMixture(4, random_state=seed).fit(rows[rng.permutation(416)][::2]).fit_result_
    assert {each.verdict for each in fit.standings} == {"regular"}


def test_only_what_is_constant_in_the_rows_is_said_to_be():
    # Beside 1e8 a standard deviation of 1 is nothing, but it is no constant.
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=100), np.full(100, 1e8)])
    rows[:3, 1] = rng.normal(size=3)
    with pytest.warns(DegenerateWarning) as said:
        fit = GaussianMixture(2, random_state=0).fit(rows).fit_result_
    told = " ".join(str(each.message) for each in said)
    assert "all with x2 = 1e+08" in told
    assert "x2 = 0" not in told
    assert sorted(part.constant for part in fit.floored) == [(), ((1, 1e8),)]

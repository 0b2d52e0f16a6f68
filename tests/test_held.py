"""Directions without variance are no parameters, weigh in no criterion, and are not drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import GaussianMixture, GaussianMixtureSearch, bootstrap_lrt
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.families.equations import constants
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.records import factor_params
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.prior import table_prior
from mixtura.fitting.mixture_fit import surveyed

rng = np.random.default_rng(0)
PLAIN = np.concatenate([rng.normal(size=(60, 2)), rng.normal([5.0, 0.0], size=(60, 2))])
CONSTANT = np.column_stack([np.full(120, 2024.0), PLAIN, np.full(120, 0.1)])
ONE = np.array([False, True, False, False])
SUM = np.column_stack([PLAIN, PLAIN @ [1.0, 2.0]])


def worth(X: np.ndarray, K: int, **settings: object) -> tuple[int, float]:
    gm = GaussianMixture(K, random_state=0, solver="em", **settings).fit(X)
    fit = gm.fit_result_
    assert fit.n_parameters == gm._n_parameters()
    return fit.n_parameters, gm.bic(X)


@pytest.mark.parametrize("reg_covar", [None, 1e-6])
@pytest.mark.parametrize("name", ["full", "tied", "diag", "EEV", "EEI"])
def test_constant_columns_change_no_criterion(name: str, reg_covar: float | None) -> None:
    settings = {"covariance_type": name, "reg_covar": reg_covar}
    plain = [worth(PLAIN, K, **settings) for K in (1, 2)]
    constant = [worth(CONSTANT, K, **settings) for K in (1, 2)]
    assert [p for p, _ in constant] == [p for p, _ in plain]
    gain, same = (two[1] - one[1] for one, two in (plain, constant))
    assert same == pytest.approx(gain, abs=2e-3)


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_sum_of_others_changes_no_criterion(name: str) -> None:
    plain = [worth(PLAIN, K, covariance_type=name) for K in (1, 2)]
    with_sum = [worth(SUM, K, covariance_type=name) for K in (1, 2)]
    assert [p for p, _ in with_sum] == [p for p, _ in plain]
    gain, same = (two[1] - one[1] for one, two in (plain, with_sum))
    assert same == pytest.approx(gain, abs=2e-3)


def test_constant_columns_of_factors_are_no_parameters() -> None:
    kind = mixtura.FactorAnalytic(3)
    plain = FactorAnalysers(kind)
    constant = FactorAnalysers(kind, equations=constants(ONE, np.ones(4)))
    params = factor_params(np.zeros((2, 4)), np.ones((2, 4, 3)), np.ones((2, 4)))
    of_three = factor_params(np.zeros((2, 3)), np.ones((2, 3, 3)), np.ones((2, 3)))
    assert constant.n_parameters(params) == plain.n_parameters(of_three) < 2 * (4 + 9 + 4)
    made = GaussianMixture(2, covariance_type=kind, solver="em", max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning), pytest.warns(UserWarning, match="Ledermann's bound"):
        fit = made.fit(CONSTANT).fit_result_
    # Weights, then means, loadings and noise in two columns: there is no third factor in them.
    assert fit.n_parameters == 1 + 2 * (2 + 3 + 2)


def test_a_table_of_constants_has_only_weights_to_estimate() -> None:
    gm = GaussianMixture(reg_covar=1e-6).fit(np.ones((5, 3)))
    assert gm.fit_result_.n_parameters == 0


def test_the_search_counts_alike() -> None:
    asked = GaussianMixtureSearch([1, 2, 3], covariance_type=["EEE", "VVV"], random_state=0)
    counts = [asked.fit(X).cv_results_["n_parameters"].tolist() for X in (PLAIN, CONSTANT)]
    assert counts[0] == counts[1] == [5, 8, 11, 5, 11, 17]


@pytest.mark.parametrize("name", ["full", "tied", "diag"])
@pytest.mark.parametrize("n", [50, 20_000])
def test_draws_repeat_constants_to_the_last_bit(name: str, n: int, tmp_path: Path) -> None:
    gm = GaussianMixture(2, covariance_type=name, random_state=0, solver="em").fit(CONSTANT)
    gm.save(tmp_path / "model.json")
    loaded = mixtura.load(tmp_path / "model.json")
    X, _ = loaded.sample(n)
    assert (X[:, [0, 3]] == [2024.0, 0.1]).all()
    assert loaded._n_parameters() == gm.fit_result_.n_parameters
    np.testing.assert_array_equal(X, np.concatenate([x for x, _ in gm.sample_chunks(n)]))
    np.testing.assert_allclose(np.cov(X[:, 1:3].T), np.cov(PLAIN.T), rtol=1.0, atol=1.0)


def test_draws_keep_sums_whatever_the_units() -> None:
    units = np.array([1e-4, 1e5, 1.0])
    X, _ = GaussianMixture(2, random_state=0).fit(SUM * units).sample(20_000)
    X = X / units
    assert np.abs(X @ [1.0, 2.0, -1.0]).max() < 1e-10
    np.testing.assert_allclose(np.cov(X.T), np.cov(SUM.T), atol=0.15)


def test_parts_of_a_mixture_draw_alike() -> None:
    gm = GaussianMixture(2, random_state=0).fit(np.column_stack([CONSTANT, SUM[:, 2]]))
    X, _ = gm.marginal([4, 3, 2, 1]).sample(100)
    assert (X[:, 1] == 0.1).all()
    assert np.abs(X @ [1.0, 0.0, -2.0, -1.0]).max() < 1e-10
    at = gm.condition({"x1": 2024.0})
    assert at._n_parameters() == gm._n_parameters()
    given = PLAIN[:9]
    drawn = gm.condition(on=["x2", "x3"]).sample(given)
    assert (drawn[:, :2] == [2024.0, 0.1]).all()
    np.testing.assert_allclose(drawn[:, 2], given @ [1.0, 2.0], atol=1e-10)


def test_the_bootstrap_draws_tables_of_the_same_kind() -> None:
    asked = {"max_components": 2, "max_resamples": 19, "risk": 0.0, "random_state": 0}
    p = [bootstrap_lrt(X, 1, **asked).trials[0].p_value for X in (CONSTANT, SUM)]
    # With noise in the constant columns it was above 0.9, with noise in the sum 0.5.
    assert p == [0.05, 0.05]


@pytest.mark.parametrize("seed", range(20))
def test_constants_beside_other_columns_are_found(seed: int) -> None:
    """A robust covariance used to give them a variance of 1e-30, which then was their scale."""
    rng = np.random.default_rng(seed)
    varied = rng.normal(size=(60, 6)) * 10.0 ** rng.integers(-4, 5, size=6)
    X = np.column_stack([varied, np.full(60, 0.1), varied[:, 0] - varied[:, 1], np.full(60, -3e5)])
    known = surveyed(Rows(X), 2, np.random.RandomState(0))
    found = table_prior(structure("full").form, known.moments).equations
    constant = [(each.columns, each.value) for each in found if len(each.columns) == 1]
    assert constant == [((6,), 0.1), ((8,), -3e5)]
    assert len(found) == 3


@pytest.mark.parametrize("name", ["full", "tied", "diag", "EEV", "UUU:1"])
@pytest.mark.parametrize("unit", [1.0, 1e6, 1e-9])
def test_a_column_constant_but_for_rounding_is_constant(name: str, unit: float) -> None:
    a = np.random.default_rng(1).uniform(size=120)
    groups = np.repeat([0, 1], 60)
    for third in (a / (a * 3), np.sqrt(a) ** 2 - a + 1):
        assert 1 < len(np.unique(third)) < 9
        X = np.column_stack([PLAIN, third * unit])
        kind = mixtura.FactorAnalytic(1) if name == "UUU:1" else name
        gm = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
        assert gm.fit_result_.held == (2,)
        assert abs((gm.predict(X) == groups).mean() - 0.5) > 0.45


@pytest.mark.parametrize("name", ["full", "tied", "diag", "EEV", "UUU:1"])
@pytest.mark.parametrize(("factor", "unit"), [(3.0, 1.0), (1e2, 1.0), (1e2, 1e-6), (1e6, 12.7)])
def test_so_is_one_that_larger_numbers_were_rounded_for(
    name: str, factor: float, unit: float
) -> None:
    a = np.random.default_rng(1).normal(size=120)
    X = np.column_stack([PLAIN, ((factor * a + 0.1) - factor * a) * unit])
    gm = GaussianMixture(2, covariance_type=name, random_state=0).fit(X)
    assert gm.fit_result_.held == (2,)
    assert "x3" in gm.summary()


def test_few_numbers_far_from_zero_that_somebody_wrote_are_not_constant() -> None:
    codes = np.random.default_rng(1).integers(0, 3, size=120)
    for third in (1e12 + codes, 1e15 + 3 * codes, 1e3 + 1e-9 * codes):
        moments = (table_moments(np.c_[PLAIN, third], None).variance > 0).tolist()
        assert moments == [True] * 3


def test_a_narrow_column_far_from_zero_is_not_constant() -> None:
    narrow = 1.0 + 1e-12 * np.random.default_rng(1).normal(size=120)
    assert GaussianMixture(2, random_state=0).fit(np.c_[PLAIN, narrow]).fit_result_.held == ()


def test_noise_refuses_a_column_constant_but_for_rounding() -> None:
    a = np.random.default_rng(1).uniform(size=120)
    with pytest.raises(ValueError, match=r"noise: column 2 .* is the same in all rows"):
        GaussianMixture(2, noise=True).fit(np.c_[PLAIN, a / (a * 3)])

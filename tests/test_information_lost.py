"""What gaps cost, against closed forms and the Jacobian of an EM step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture, Mixture, load
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.fitting.mixture_fit import prepare
from mixtura.records import Array
from mixtura.solvers.charted import Charted
from mixtura.solvers.deviations import inverse_roots, observed, slopes, variances


def test_one_gaussian_with_gaps_in_one_column() -> None:
    """Given the first column of all n rows and the second of n (1 - m), the mean of the second has
    the variance v (rho^2 / n + (1 - rho^2) / (n (1 - m))) (Little & Rubin 2019, section 7.2)."""
    rng, rho, m = np.random.default_rng(0), 0.8, 0.4
    X = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=20_000)
    X[rng.random(len(X)) < m, 1] = np.nan
    found = GaussianMixture(1, tol=1e-10).fit(X).information_lost(X)
    lost = 1 - 1 / (rho**2 + (1 - rho**2) / (1 - m))
    np.testing.assert_allclose(found["means"], [[0, lost]], atol=0.01)
    assert found["covariances"][0, 0, 0] == pytest.approx(0, abs=1e-3)
    assert found["weights"] == [0]


@pytest.mark.parametrize("kind", ["normal", "poisson"])
def test_of_a_column_by_itself_the_share_missing_is_lost(kind: str) -> None:
    rng, missing = np.random.default_rng(1), np.array([0.1, 0.5])
    X = rng.poisson(5, size=(5000, 2)).astype(float)
    X[rng.random(X.shape) < missing] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    found = Mixture(kind, 1, random_state=0).fit(X).information_lost(X)
    del found["weights"]
    for lost in found.values():
        np.testing.assert_allclose(lost[0], np.isnan(X).mean(axis=0), atol=0.02)


def two_groups(n: int = 800) -> Array:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 2)) @ [[1, 0.7], [0, 0.7]] + 2.5 * rng.integers(0, 2, size=(n, 1))
    X[rng.random(X.shape) < [0.1, 0.4]] = np.nan
    return np.asarray(X[~np.isnan(X).all(axis=1)])


def test_the_information_is_one_less_the_rate_of_em() -> None:
    """In the chart the complete information is the identity (Dempster, Laird & Rubin 1977; Meng &
    Rubin 1991, J. American Statistical Association 86)."""
    X = two_groups()
    mixture = GaussianMixture(2, random_state=0, tol=1e-12).fit(X)
    params = mixture._fitted()[1]
    rows, family = Rows(X), mixture.fitted_family().filling(X)
    model = prepare(rows, family, 2, np.random.RandomState(0)).model.unpenalised()
    sweep = open_sweep(resolve("auto", model), model, rows)
    here = Charted.around(model, sweep, params, sweep(params))
    chart = model.chart(params)
    moves = slopes(chart)
    seen = observed(here, moves)
    assert seen is not None
    roots = inverse_roots(*seen)

    def step(free: Array) -> Array:
        at = chart.params(free)
        return np.asarray(chart.coordinates(model.m_step(sweep(at), at)))

    h = 1e-5
    rate = np.stack([(step(h * e) - step(-h * e)) / (2 * h) for e in np.eye(chart.size)], axis=1)
    information = np.linalg.inv(roots @ roots.T) / len(X)
    np.testing.assert_allclose(information, np.eye(chart.size) - rate, atol=2e-3)
    spread = variances(moves["means"], roots)
    assert spread.shape == (2, 2)
    assert (spread > 1 / len(X)).all()


def test_reports_tell_of_it_until_the_next_fit() -> None:
    X = two_groups()
    mixture = GaussianMixture(2, random_state=0).fit(X)
    assert "lost to gaps" not in mixture.summary()
    found = mixture.information_lost(X)
    assert (found["means"][:, 1] > found["means"][:, 0]).all()
    assert 0 < found["weights"][0] < 0.4
    text = mixture.summary()
    assert "lost to gaps" in text
    assert "(x2)" in text
    twice = mixture.information_lost(X, sample_weight=np.full(len(X), 2.0))
    np.testing.assert_allclose(twice["means"], found["means"], atol=1e-6)
    assert "lost to gaps" not in mixture.fit(X).summary()


def test_what_cannot_be_told_is_refused_in_a_sentence() -> None:
    X = two_groups()
    mixture = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="no cell of X is missing"):
        mixture.information_lost(X[~np.isnan(X).any(axis=1)])
    far = GaussianMixture.from_parameters([0.5, 0.5], [[0, 0], [0, 0]], [np.eye(2)] * 2)
    with pytest.raises(ValueError, match="flat or rises"):
        far.information_lost(X)
    none = GaussianMixture(2, covariance_type="VEE", random_state=0).fit(X)
    with pytest.raises(ValueError, match="no simple free coordinates"):
        none.information_lost(X)


def test_of_a_heywood_case_fewer_factors_are_named() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)) + rng.normal(size=(300, 1)) * [1, 1, 1, 0]
    X[::7, 0] = np.nan
    mixture = GaussianMixture(1, covariance_type="UUU:1", random_state=0).fit(X)
    mixture.noise_variance_[0, 3] = 1e-9
    with pytest.raises(ValueError, match="fewer components, or fewer factors"):
        mixture.information_lost(X)


def test_where_the_penalty_holds_the_noise_nothing_is_told() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(150, 4)) + rng.normal(size=(150, 1)) * [0.1, 0.1, 0.1, 3]
    X[rng.random(X.shape) < 0.2] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    mixture = GaussianMixture(1, covariance_type="UUU:1", random_state=0).fit(X)
    assert mixture.fit_result_.penalised
    with pytest.raises(ValueError, match=r"the penalty .* holds this fit .* or fewer factors"):
        mixture.information_lost(X)


def test_numbers_at_an_edge_are_nan_and_the_others_told() -> None:
    """A rate of 0, as if it were known; counts that vary as a Poisson's have no finite size."""
    rng = np.random.default_rng(5)
    z = rng.integers(0, 2, size=(2000, 1))
    X = rng.binomial(1000, 0.001 * np.where(z, [2, 2, 0], [12, 12, 5])).astype(float)
    X[rng.random(X.shape) < 0.3] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    poisson = Mixture("poisson", 2, random_state=0).fit(X)
    lost = poisson.information_lost(X)
    at_edge = poisson.rates_ < 1e-9
    assert at_edge.sum() == 1
    np.testing.assert_array_equal(np.isnan(lost["rates"]), at_edge)
    assert "lost to gaps" in poisson.summary()
    counts = Mixture("negativebinomial", 2, random_state=0).fit(X)
    assert (counts.sizes_[~at_edge] > 1e6).any()
    same = counts.information_lost(X)
    assert np.isnan(same["sizes"]).any()
    np.testing.assert_allclose(same["means"], lost["rates"], atol=0.03)


def test_weights_of_the_fit_are_asked_for_again(tmp_path: Path) -> None:
    """Also where they add up to the number of rows; from a model file, where they do not."""
    X = two_groups(200)
    w = np.where(np.arange(len(X)) % 2, 0.5, 1.5)
    w *= len(X) / w.sum()
    for weights in (w, 2 * w):
        found = GaussianMixture(1).fit(X, None, weights)
        with pytest.raises(ValueError, match="the fit was given sample_weight"):
            found.information_lost(X)
        assert found.information_lost(X, weights)["means"].shape == (1, 2)
    found.save(tmp_path / "model.json")
    with pytest.raises(ValueError, match="information_lost: the fit was given sample_weight"):
        load(tmp_path / "model.json").information_lost(X)
    assert GaussianMixture(1).fit(X, None, np.ones(len(X))).information_lost(X)

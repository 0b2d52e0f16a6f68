"""Factor analysers against dense densities, scikit-learn, closed forms and finite differences."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import FactorAnalysis

from mixtura import DegenerateWarning, FactorAnalytic, GaussianMixture
from mixtura.data.column_moments import column_moments, robust
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.families.factor.chart import factor_chart
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.prior import HEYWOOD, no_noise_prior, noise_prior
from mixtura.families.factor.records import FAR, FactorParams, canonical, factor_params
from mixtura.families.factor.structure import LETTERS, parsed
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem
from mixtura.solvers.registry import SOLVERS

every_kind = pytest.mark.parametrize("letters", LETTERS)


def made(letters: str, K: int = 3, d: int = 8, q: int = 2, seed: int = 0) -> FactorParams:
    rng, kind = np.random.default_rng(seed), FactorAnalytic(q, letters)
    noise = rng.uniform(0.3, 0.8, size=kind.noise_shape(K, d))
    loadings = rng.normal(size=kind.loadings_shape(K, d))
    return factor_params(2.0 * rng.normal(size=(K, d)), loadings, noise)


def drawn(letters: str, n: int, **shape: int) -> tuple[Mixture, Array, MixtureParams]:
    """The model at maximum likelihood, rows of it, and the parameters they are from."""
    parts = made(letters, **shape)
    K, q = len(parts.means), parts.loadings.shape[2]
    family = FactorAnalysers(FactorAnalytic(q, letters))
    params = MixtureParams(np.full(K, 1.0 / K), parts)
    bare = Mixture(family, no_noise_prior(family.kind, parts.noise.shape[1]))
    X, _ = bare.sample(n, params, np.random.RandomState(0))
    prior = noise_prior(family.kind, column_moments(Rows(X)))
    return Mixture(family, prior.without_penalty()), X, params


def one_group(n: int = 500, d: int = 10, q: int = 3, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, d)) * rng.uniform(0.5, 1.5, size=d)
    return np.asarray(rng.normal(size=(n, q)) @ rng.normal(size=(q, d)) + noise + 3.0)


def dense_log_density(X: Array, parts: FactorParams) -> Array:
    K, d = parts.means.shape
    loadings = np.broadcast_to(parts.loadings, (K, *parts.loadings.shape[1:]))
    noise = np.broadcast_to(parts.noise, (K, d))
    return np.stack(
        [
            multivariate_normal(m, L @ L.T + np.diag(s)).logpdf(X)
            for m, L, s in zip(parts.means, loadings, noise, strict=True)
        ],
        axis=1,
    )


@every_kind
def test_the_density_is_that_of_the_dense_covariance(letters: str) -> None:
    parts = made(letters)
    X = np.random.default_rng(5).normal(size=(700, 8)) * 3
    family = FactorAnalysers(FactorAnalytic(2, letters))
    np.testing.assert_allclose(
        family.log_density(X, parts), dense_log_density(X, parts), rtol=1e-11, atol=1e-11
    )
    np.testing.assert_allclose(np.linalg.inv(parts.covariances), parts.precisions, atol=1e-12)


def test_components_far_apart_lose_no_digits() -> None:
    """The common centre is a million standard deviations away: each is looked at by itself."""
    parts = made("UUU")
    far = factor_params(
        parts.means + 1e6 * np.array([[0.0], [1.0], [-1.0]]), parts.loadings, parts.noise
    )
    assert len(far.groups) == 3
    assert len(parts.groups) == 1
    assert max(group.lengths.max() for group in parts.groups) < FAR
    # Steps that are exact in binary, so that rows lie as far from either mean.
    steps = np.random.default_rng(2).integers(-64, 64, size=(50, 8)) / 16
    family = FactorAnalysers(FactorAnalytic(2))
    for k in range(3):
        near = family.log_density(parts.means[k] + steps, parts)[:, k]
        moved = family.log_density(far.means[k] + steps, far)[:, k]
        np.testing.assert_allclose(moved, near, rtol=1e-8)


@pytest.mark.parametrize(
    ("letters", "free"),
    [
        # McNicholas & Murphy (2008), table 1, at p = 7, q = 3, G = 4.
        ("CCC", (7 * 3 - 3) + 1),
        ("CCU", (7 * 3 - 3) + 7),
        ("CUC", (7 * 3 - 3) + 4),
        ("CUU", (7 * 3 - 3) + 4 * 7),
        ("UCC", 4 * (7 * 3 - 3) + 1),
        ("UCU", 4 * (7 * 3 - 3) + 7),
        ("UUC", 4 * (7 * 3 - 3) + 4),
        ("UUU", 4 * (7 * 3 - 3) + 4 * 7),
    ],
)
def test_free_parameters_are_those_of_the_table_and_of_the_chart(letters: str, free: int) -> None:
    kind = FactorAnalytic(3, letters)
    assert kind.n_parameters(4, 7) == free
    parts = made(letters, K=4, d=7, q=3)
    assert factor_chart(parts, np.full(4, 0.25), kind).size == 4 * 7 + free


@every_kind
def test_a_rotation_of_the_factors_moves_nothing_in_the_chart(letters: str) -> None:
    parts, rng = made(letters), np.random.default_rng(4)
    chart = factor_chart(parts, np.array([0.2, 0.3, 0.5]), FactorAnalytic(2, letters))
    turn, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    turned = factor_params(parts.means, parts.loadings @ turn, parts.noise)
    assert np.abs(chart.coordinates(turned)).max() < 1e-12
    free = 0.2 * rng.normal(size=chart.size)
    np.testing.assert_allclose(chart.coordinates(chart.params(free)), free, atol=1e-12)


@every_kind
def test_the_charts_gradient_is_the_finite_difference(letters: str) -> None:
    model, X, params = drawn(letters, 200)
    model = Mixture(model.family, noise_prior(model.family.kind, column_moments(Rows(X))))
    chart, rng = model.chart(params), np.random.default_rng(6)
    direction = rng.normal(size=chart.size)
    for free in (np.zeros(chart.size), 0.3 * rng.normal(size=chart.size)):
        here = chart.params(free)
        slope = chart.gradient(model.e_step(Chunk(X), here), here) @ direction

        def value(step: float, free: Array = free) -> float:
            there = chart.params(free + step * direction)
            return model.e_step(Chunk(X), there).loglik + model.log_prior(there)

        numeric = (value(1e-5) - value(-1e-5)) / 2e-5
        assert slope == pytest.approx(numeric, rel=1e-6, abs=1e-4)


@every_kind
def test_em_never_falls_and_every_solver_ends_on_one_summit(letters: str) -> None:
    model, X, params = drawn(letters, 400)
    sweep = open_sweep("local", model, Rows(X))
    top = SOLVERS["lbfgs"].solver(Problem(model, sweep, params, tol=1e-12, max_iter=300))
    steps = em(Problem(model, sweep, params, tol=0, max_iter=100))
    assert np.all(np.diff(steps.logliks) >= -1e-9)
    assert steps.summary.loglik <= top.summary.loglik + 1e-8
    for name in ("squarem", "auto"):
        climb = SOLVERS[name].solver(Problem(model, sweep, steps.params, tol=1e-9, max_iter=500))
        assert climb.converged, name
        assert climb.summary.loglik == pytest.approx(top.summary.loglik, abs=1e-4), name
        covariances = climb.params.components.covariances
        np.testing.assert_allclose(covariances, top.params.components.covariances, atol=0.02)
    gradient = model.chart(top.params).gradient(top.summary, top.params) / len(X)
    assert np.abs(gradient).max() < 1e-5
    # There EM has no step to take either.
    after = model.m_step(top.summary, top.params).components
    np.testing.assert_allclose(after.covariances, top.params.components.covariances, atol=1e-4)


def test_one_component_is_scikit_learns_factor_analysis() -> None:
    X = one_group()
    theirs = FactorAnalysis(3, tol=1e-9, max_iter=10_000, svd_method="lapack").fit(X)
    ours = GaussianMixture(1, covariance_type=FactorAnalytic(3), tol=1e-9).fit(X)
    assert ours.fit_result_.verdict == "interior maximum"
    assert ours.score(X) == pytest.approx(theirs.score(X), abs=1e-7)
    np.testing.assert_allclose(ours.covariances_[0], theirs.get_covariance(), atol=2e-3)
    # Scores are known up to a rotation of the factors.
    scores, other = ours.factors(X)[:, 0], theirs.transform(X)
    turn, left, _, _ = np.linalg.lstsq(scores, other, rcond=None)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=5e-3)
    assert left.max() < 1e-3 * len(X)


def test_isotropic_noise_is_probabilistic_principal_components() -> None:
    """Tipping & Bishop's closed form: the noise is the mean of the eigenvalues left out."""
    X, q = one_group(), 3
    gm = GaussianMixture(1, covariance_type="UUC:3", tol=1e-12).fit(X)
    values, axes = np.linalg.eigh(np.cov(X.T, bias=True))
    noise = values[:-q].mean()
    leading = axes[:, -q:] * np.sqrt(values[-q:] - noise)
    assert gm.noise_variance_.shape == (1, 1)
    assert gm.noise_variance_[0, 0] == pytest.approx(noise, rel=1e-6)
    expected = leading @ leading.T + noise * np.eye(10)
    np.testing.assert_allclose(gm.covariances_[0], expected, atol=1e-5)
    top = multivariate_normal(X.mean(axis=0), expected).logpdf(X).mean()
    assert gm.score(X) == pytest.approx(top, abs=1e-10)


def test_as_many_factors_as_columns_but_one_are_any_covariance() -> None:
    X = one_group(d=6)
    full = GaussianMixture(1).fit(X)
    for letters in ("UUC", "CCC"):
        gm = GaussianMixture(1, covariance_type=FactorAnalytic(5, letters), tol=1e-10).fit(X)
        assert gm.score(X) == pytest.approx(full.score(X), abs=1e-8)
        assert gm._n_parameters() == full._n_parameters()


@every_kind
def test_loadings_come_in_one_rotation(letters: str) -> None:
    parts = made(letters)
    turn, _ = np.linalg.qr(np.random.default_rng(8).normal(size=(2, 2)))
    one = canonical(parts)
    other = canonical(factor_params(parts.means, parts.loadings @ turn, parts.noise))
    np.testing.assert_allclose(one.loadings, other.loadings, atol=1e-10)
    np.testing.assert_allclose(one.covariances, parts.covariances, atol=1e-12)
    inverse = 1.0 / parts.noise
    if letters[0] == "C":
        inverse = inverse.mean(axis=0, keepdims=True)
    weighed = np.swapaxes(one.loadings, 1, 2) @ (one.loadings * inverse[:, :, None])
    diagonal = np.diagonal(weighed, axis1=1, axis2=2)
    assert np.abs(weighed - np.eye(2) * diagonal[:, None]).max() < 1e-9
    assert np.all(diagonal[:, 0] >= diagonal[:, 1])
    assert np.all(one.loadings.sum(axis=1) >= 0)


def test_units_of_columns_change_nothing_but_units() -> None:
    _, X, _ = drawn("UUU", 400)
    units = 10.0 ** np.array([6, -6, 0, 3, -3, 1, 0, 2])
    one = GaussianMixture(3, covariance_type="UUU:2", random_state=0).fit(X)
    other = GaussianMixture(3, covariance_type="UUU:2", random_state=0).fit(X * units)
    shift = np.log(units).sum()
    assert other.score(X * units) == pytest.approx(one.score(X) - shift, abs=1e-5)
    np.testing.assert_allclose(other.means_ / units, one.means_, atol=1e-2)


def with_covariance(n: int, covariance: Array) -> Array:
    """Rows whose covariance is exactly that."""
    Z = np.random.default_rng(0).normal(size=(n, len(covariance)))
    Z -= Z.mean(axis=0)
    Z = np.linalg.solve(np.linalg.cholesky(np.cov(Z.T, bias=True)), Z.T).T
    return Z @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize("n", [200, 20_000])
def test_a_fit_never_ends_at_a_heywood_case_and_says_how_near_it_was(n: int) -> None:
    """One factor would have to explain 0.8 x 0.8 / 0.5 of the first column's variance."""
    X = with_covariance(n, np.array([[1.0, 0.8, 0.8], [0.8, 1.0, 0.5], [0.8, 0.5, 1.0]]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gm = GaussianMixture(1, covariance_type="UUU:1", random_state=0).fit(X)
    fit = gm.fit_result_
    assert fit.penalised
    assert fit.converged
    # What the penalty leaves is small and far from nothing; it weighs less where rows are many.
    assert 1e-6 < gm.noise_variance_[0, 0] < HEYWOOD
    near = [str(w.message) for w in caught if w.category is DegenerateWarning]
    assert len(near) == (n > 1000)
    assert len(fit.floored) == (n > 1000)
    words = " ".join(gm.summary().split())
    said = "The noise of x1 in group 0 runs to zero" if n > 1000 else "with its penalty against"
    assert said in words


def test_precise_columns_are_no_heywood_case() -> None:
    """Three columns that tell each other to a thousandth have little noise, and keep it."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2000, 6)) * np.array([1e-3, 1e-3, 1e-3, 1, 1, 1])
    X = rng.normal(size=(2000, 1)) @ np.ones((1, 6)) + noise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gm = GaussianMixture(1, covariance_type="UUU:1", random_state=0).fit(X)
    assert not gm.fit_result_.penalised
    # 2000 rows know a variance to about 4 %: five standard errors, a false alarm in 1e6.
    np.testing.assert_allclose(gm.noise_variance_[0, :3], 1e-6, rtol=0.2)


def test_the_start_leads_to_the_higher_of_two_optima() -> None:
    """scikit-learn's FactorAnalysis(4, tol=1e-9) ends at -14886.16; the other is at -14892.54."""
    rng = np.random.default_rng(23)
    loadings = rng.normal(size=(20, 3))
    X = rng.normal(size=(500, 3)) @ loadings.T
    X += rng.normal(size=(500, 20)) * np.sqrt(rng.uniform(0.2, 1.5, 20))
    fit = GaussianMixture(1, covariance_type="UUU:4", random_state=0).fit(X).fit_result_
    assert abs(fit.loglik + 14886.16) < 0.02


def test_constant_columns_are_held() -> None:
    X = one_group(300)
    X[:, 4] = 7.0
    gm = GaussianMixture(2, covariance_type="UUU:2", random_state=0).fit(X)
    assert gm.fit_result_.held == (4,)
    np.testing.assert_allclose(gm.means_[:, 4], 7.0)
    assert np.isfinite(gm.score(X))
    # scikit-learn's constant floor serves as well; without any there is no density.
    floored = GaussianMixture(2, covariance_type="UUU:2", reg_covar=1e-6, random_state=0).fit(X)
    np.testing.assert_allclose(floored.noise_variance_[:, 4], 1e-6)
    with pytest.raises(ValueError, match="ill-defined"):
        GaussianMixture(2, covariance_type="UUU:2", reg_covar=0.0, random_state=0).fit(X)


def test_variances_are_not_set_by_a_few_far_rows() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4))
    X[:, 2] = rng.random(2000) < 0.1  # mostly zeros: half of the rows tell nothing
    X[:, 3] = 7.0
    tidy = column_moments(Rows(X))
    np.testing.assert_array_equal(robust(tidy, Rows(X)).variance, tidy.variance)
    X[0] = 1e6
    moments = column_moments(Rows(X))
    np.testing.assert_allclose(moments.mean, X.mean(axis=0))
    np.testing.assert_allclose(moments.variance, X.var(axis=0))
    spread = robust(moments, Rows(X)).variance
    np.testing.assert_allclose(spread[:2], tidy.variance[:2], rtol=0.3)
    np.testing.assert_array_equal(spread[2:], moments.variance[2:])
    weights = np.r_[0.0, np.ones(1999)]
    weighted = column_moments(Rows(X, weights))
    np.testing.assert_allclose(weighted.variance, X[1:].var(axis=0), atol=1e-12)


def test_nothing_grows_with_the_square_of_the_columns() -> None:
    d = 5000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2)) @ rng.normal(size=(2, d)) + rng.normal(size=(150, d))
    settings = {"init_params": "kmeans", "solver": "em", "max_iter": 3, "random_state": 0}
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gm = GaussianMixture(2, covariance_type="UUU:2", **settings).fit(X)
    gm.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One matrix of the columns would be 200 MB; the table is 6.
    assert peak < 120e6


def test_names_and_what_they_refuse() -> None:
    assert parsed("factor:3") == parsed("UUU:3") == FactorAnalytic(3)
    assert str(FactorAnalytic(3, "CUC")) == "CUC:3"
    assert parsed("full") is None
    assert parsed("UUX:3") is None
    with pytest.raises(ValueError, match="n_factors must be an integer from 1, got 0"):
        FactorAnalytic(0)
    with pytest.raises(ValueError, match="structure must be one of UUU"):
        FactorAnalytic(2, "UU")
    X = one_group()
    with pytest.raises(ValueError, match="has 10 factors for 10 columns"):
        GaussianMixture(1, covariance_type="UUU:10").fit(X)
    with pytest.raises(ValueError, match="covariance_type"):
        GaussianMixture(1, covariance_type="UUU:x").fit(X)

"""Numbers in extreme units: the same fit as in plain ones, or one sentence that says why not."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

from mixtura import GaussianMixture, GaussianMixtureSearch, LightWeightsWarning
from mixtura.errors import Drowned
from mixtura.families.factor.look import FactorLook
from mixtura.families.factor.records import factor_params
from mixtura.families.gaussian.spectrum import spectra
from mixtura.records import Array
from mixtura.result import Fit

# Fits of these are the same in any units of any columns; those of the others in a common one.
FREE = ["VVV", "EEE", "VVI", "EEI", "VEI", "EVI", "VEE", "EVV"]
TURNED = ["EVE", "VVE", "EEV", "VEV"]
FACTORS = ["UUU:1", "UUC:1", "CUU:1"]
ENGINES = ["auto", "local"]
every_engine = pytest.mark.parametrize("engine", ENGINES)
# In C all of them, in NumPy those whose M-step is more than sums.
every_structure = pytest.mark.parametrize(
    ("covariance", "engine"),
    [(name, "auto") for name in FREE] + [(name, engine) for name in TURNED for engine in ENGINES],
)


def clouds(d: int = 2) -> Array:
    rng = np.random.default_rng(1)
    label = rng.integers(3, size=240)
    mix = np.eye(d) + np.diag(np.full(d - 1, 0.5), 1)
    return np.asarray(rng.normal(size=(240, d)) @ mix + 6.0 * np.eye(3, d)[label])


def one_factor() -> Array:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 1)) @ [[1.0, 0.8, 0.6, 0.9]] + 0.5 * rng.normal(size=(300, 4))
    X[150:] += 5.0
    return np.asarray(X)


def table_for(covariance: str) -> tuple[Array, int]:
    """A table, and the number of components that it has."""
    return (one_factor(), 2) if covariance in FACTORS else (clouds(), 3)


def fitted(X: Array, covariance: str, weight: float = 1.0, K: int = 3, **settings: object) -> Fit:
    model = GaussianMixture(K, covariance_type=covariance, random_state=0, **settings)
    with warnings.catch_warnings():
        # Shares are given here to see that the unit of the weights does not matter.
        warnings.simplefilter("ignore", LightWeightsWarning)
        return model.fit(X, sample_weight=np.full(len(X), weight)).fit_result_


def mean_loglik(X: Array, covariance: str, unit: object = 1.0, **settings: object) -> float:
    """The log-likelihood per row in the units of X, of a fit in others."""
    scale = np.broadcast_to(np.asarray(unit, dtype=float), X.shape[1])
    fit = fitted(X * scale, covariance, **settings)
    assert fit.converged, fit.reason
    assert not fit.penalised, fit.reason
    return fit.loglik / fit.weight + float(np.log(scale).sum())


@every_structure
def test_columns_of_1e_100_beside_columns_of_1e100(covariance: str, engine: str) -> None:
    X = clouds()
    far = mean_loglik(X, covariance, [1e-100, 1e100], engine=engine)
    # Where orientations are shared, the units do matter, up to where one column rules them.
    plain = mean_loglik(X, covariance, [1e-8, 1e8] if covariance in TURNED else 1.0, engine=engine)
    assert far == pytest.approx(plain, abs=1e-7)


@every_structure
def test_one_extreme_unit_for_all_columns(covariance: str, engine: str) -> None:
    X = clouds()
    plain = mean_loglik(X, covariance, engine=engine)
    for unit in (2.0**332, 2.0**-332):
        assert mean_loglik(X, covariance, unit, engine=engine) == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("covariance", FREE + TURNED + FACTORS)
def test_the_unit_of_the_weights(covariance: str) -> None:
    X, K = table_for(covariance)
    plain = mean_loglik(X, covariance, K=K)
    for weight in (2.0**700, 2.0**40, 1e-200):
        found = mean_loglik(X, covariance, weight=weight, K=K)
        assert found == pytest.approx(plain, abs=1e-9)


@pytest.mark.filterwarnings("ignore:Best performing", "ignore:component")
@pytest.mark.parametrize("start", ["hierarchical", "ward"])
@pytest.mark.parametrize("weight", [1e155, 1e-155])
def test_merges_do_not_depend_on_the_unit_of_the_weights(start: str, weight: float) -> None:
    X = np.random.default_rng(0).normal(size=(400, 1))
    settings = {"K": 15, "init_params": start, "max_iter": 1}
    plain = fitted(X, "EVV", **settings)
    other = fitted(X, "EVV", weight, **settings)
    assert other.loglik / other.weight == pytest.approx(plain.loglik / 400, abs=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_a_search_does_not_depend_on_the_unit_of_the_weights() -> None:
    X, found = clouds(), []
    for weight in (1e120, 1e155):
        search = GaussianMixtureSearch(n_components=range(2, 4), random_state=0)
        best = search.fit(X, sample_weight=np.full(len(X), weight)).best_estimator_.fit_result_
        found.append(best.loglik / best.weight)
    assert found[0] == pytest.approx(found[1], abs=1e-9)


@pytest.mark.parametrize("weight", [1e-310, 1e280])
def test_weights_that_float64_cannot_add_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match=r"sample_weight is 1e.* divide the weights by their mean"):
        fitted(clouds(), "VVV", weight)


@pytest.mark.parametrize("covariance", ["VVV", "EVI", "EEV", "UUU:1"])
def test_an_offset_that_takes_the_digits_of_the_means(covariance: str) -> None:
    X, K = table_for(covariance)
    fit = fitted(X + 1e15, covariance, K=K)
    assert fit.converged
    assert not fit.penalised
    if covariance != "EEV":
        assert fit.certificate is not None
        assert "subtract an offset" in fit.certificate.detail


@every_engine
@pytest.mark.parametrize("covariance", ["VVV", "EEE", "VEE", "EVV", *TURNED])
def test_one_component_in_mixed_units_is_closed_form(covariance: str, engine: str) -> None:
    Z = np.random.default_rng(0).normal(size=(100, 3)) @ [[1, 0.3, 0.2], [0, 1, 0.3], [0, 0, 1]]
    entropy = 0.5 * (np.linalg.slogdet(np.cov(Z.T, bias=True))[1] + 3 * (np.log(2 * np.pi) + 1))
    for unit in ([1, 1e-6, 1e6], [1e-9, 1e3, 1e5]):
        found = mean_loglik(Z, covariance, unit, K=1, engine=engine)
        assert found == pytest.approx(-entropy, abs=1e-9)


@pytest.mark.filterwarnings("ignore:Best performing", "ignore:component")
@pytest.mark.parametrize("covariance", TURNED)
def test_no_step_falls_in_mixed_units(covariance: str) -> None:
    rng = np.random.default_rng(5)
    for d, K in ((5, 1), (3, 4), (4, 2)):
        X = rng.normal(size=(120, d)) @ rng.normal(size=(d, d)) + 3.0 * rng.normal(size=(120, 1))
        X *= 10.0 ** rng.integers(-6, 7, size=d)
        settings = {"engine": "local", "solver": "em", "max_iter": 30, "tol": 0.0}
        trace = np.array(fitted(X, covariance, K=K, init_params="kmeans", **settings).trace)
        assert (np.diff(trace) > -1e-9 * (len(X) + np.abs(trace[:-1]))).all()


def test_eigenvalues_of_scatters_in_mixed_units_keep_their_digits() -> None:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    plain = Z.T @ Z
    for unit in ([1e-100, 1.0, 1e100, 1e30], [1.0, 1e-9, 1.0, 1e9], [1.0, 1.0, 1.0, 1.0]):
        W = plain * np.outer(unit, unit)
        values, vectors = spectra(W[None])
        assert (np.diff(values[0]) > 0).all()
        np.testing.assert_allclose((vectors[0] * values[0]) @ vectors[0].T, W, rtol=1e-11)
        product = np.log(values[0]).sum() - 2.0 * np.log(unit).sum()
        assert product == pytest.approx(np.linalg.slogdet(plain)[1], abs=1e-11)
    values, _ = spectra(np.diag([4.0, 0.0])[None])
    np.testing.assert_array_equal(values[0], [0.0, 4.0])


def exact_log_density(x: Array, mean: Array, loadings: Array, noise: Array) -> float:
    """By elimination in fractions, so that only the last logarithms are rounded."""
    d = len(mean)
    L = [[Fraction(float(a)) for a in row] for row in loadings]
    y = [Fraction(float(a)) - Fraction(float(b)) for a, b in zip(x, mean, strict=True)]
    rows = [[sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0)) for b in L] for a in L]
    for i in range(d):
        rows[i][i] += Fraction(float(noise[i]))
        rows[i].append(y[i])
    logdet, distance = 0.0, Fraction(0)
    for i in range(d):
        pivot = rows[i][i]
        logdet += float(np.log(float(pivot)))
        distance += rows[i][d] ** 2 / pivot
        for j in range(i + 1, d):
            factor = rows[j][i] / pivot
            rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return -0.5 * (float(distance) + logdet + d * float(np.log(2.0 * np.pi)))


@pytest.mark.parametrize("strength", [1e1, 1e3, 1e5])
def test_strong_factors_keep_the_digits_of_densities(strength: float) -> None:
    rng = np.random.default_rng(0)
    means, noise = rng.normal(size=(2, 6)), rng.uniform(0.5, 2.0, size=(2, 6))
    loadings = strength * rng.normal(size=(2, 6, 2))
    drawn = rng.normal(size=(2, 4, 2)) @ np.swapaxes(loadings, 1, 2)
    X = means[:, None] + drawn + rng.normal(size=(2, 4, 6))
    params = factor_params(means, loadings, noise)
    for k in range(2):
        found = FactorLook(X[k], params).log_density[:, k]
        exact = [exact_log_density(x, means[k], loadings[k], noise[k]) for x in X[k]]
        np.testing.assert_allclose(found, exact, rtol=1e-11)


def test_noise_that_float64_cannot_see_beside_factors_is_said() -> None:
    X, unit = one_factor(), np.array([1e-100, 1e100, 1.0, 1.0])
    with pytest.raises(Drowned, match="Divide the columns by their typical sizes"):
        fitted(X * unit, "UUC:1", K=2)
    plain = mean_loglik(X, "UUU:1", K=2)
    assert mean_loglik(X, "UUU:1", unit, K=2) == pytest.approx(plain, abs=1e-7)


@pytest.mark.parametrize(("seed", "covariance"), [(24, "VEV"), (95, "EVE"), (3, "VVV"), (4, "EVV")])
def test_no_more_than_tol_is_left_where_a_fit_says_converged(seed: int, covariance: str) -> None:
    rng = np.random.default_rng(seed)
    rng.integers(1, 3), rng.choice(5)
    X = rng.normal(size=(60, 1)) + 3.0 * rng.normal(size=(3, 1))[rng.integers(3, size=60)]
    model = GaussianMixture(3, covariance_type=covariance, warm_start=True, random_state=0)
    fit = model.fit(X).fit_result_
    assert fit.converged
    assert not fit.penalised
    with pytest.warns(UserWarning, match="did not converge"):
        onward = model.set_params(tol=0.0, max_iter=200, solver="em").fit(X).fit_result_
    assert (onward.loglik - fit.loglik) / 60 <= 1e-6

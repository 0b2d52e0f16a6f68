"""Rows with known errors: extreme deconvolution, against densities, identities and differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from mixtura import GaussianMixture
from mixtura.estimators.measured import measured, with_errors
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.measured import MeasuredLook
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chunk

V = np.array([[[1, 0.6], [0.6, 1.5]], [[0.8, -0.3], [-0.3, 0.5]]])
MEANS = np.array([[0.0, 0.0], [5.0, 4.0]])
WEIGHTS = np.array([0.6, 0.4])


def rows(n: int, kind: str = "cells", seed: int = 0) -> tuple[Array, Array, Array]:
    """(measured rows, their errors, the covariances of these)."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(2, size=n, p=WEIGHTS)
    truth = MEANS[labels] + np.einsum(
        "nij,nj->ni", np.linalg.cholesky(V)[labels], rng.normal(size=(n, 2))
    )
    if kind == "cells":
        error = rng.uniform(0.1, 1.5, size=(n, 2))
        S = error[:, :, None] ** 2 * np.eye(2)
    else:
        A = 0.7 * rng.normal(size=(n, 2, 2))
        error = S = A @ np.swapaxes(A, 1, 2)
    X = truth + np.einsum(
        "nij,nj->ni", np.linalg.cholesky(S + 1e-12 * np.eye(2)), rng.normal(size=(n, 2))
    )
    return X, error, S


# Of each form a structure that stores it, and covariances of two components.
FORMS = {
    "full": V,
    "tied": V[0],
    "diag": np.array([[1.0, 1.5], [0.8, 0.5]]),
    "spherical": np.array([1.0, 0.6]),
}


def model(name: str = "full") -> tuple[Mixture, MixtureParams]:
    kind = measured(Gaussian(structure(name)), 2)
    parts = gaussian_params(MEANS, FORMS[name], kind.form)
    return Mixture(kind, no_prior(kind.form, 2)), MixtureParams(WEIGHTS, parts)


@pytest.mark.parametrize("kind", ["cells", "rows"])
def test_a_row_has_the_density_of_the_sum(kind: str) -> None:
    X, error, S = rows(30, kind)
    X[::3, 0] = np.nan
    given = GaussianMixture.from_parameters(WEIGHTS, MEANS, V)
    found = given.score_samples(X, error=error)
    proba = given.predict_proba(X, error=error)
    for i, row in enumerate(X):
        seen = ~np.isnan(row)
        each = [
            WEIGHTS[k]
            * multivariate_normal(
                MEANS[k][seen], V[k][np.ix_(seen, seen)] + S[i][np.ix_(seen, seen)]
            ).pdf(row[seen])
            for k in range(2)
        ]
        assert found[i] == pytest.approx(np.log(sum(each)), abs=1e-10)
        np.testing.assert_allclose(proba[i], np.array(each) / sum(each), atol=1e-10)
    np.testing.assert_array_equal(given.predict(X, error=error), proba.argmax(axis=1))


@pytest.mark.parametrize("name", FORMS)
def test_without_errors_sums_are_the_plain_ones(name: str) -> None:
    X, error, _ = rows(50)
    mixture, params = model(name)
    resp = np.random.default_rng(1).uniform(size=(len(X), 2))
    one = mixture.family.statistics(with_errors(X, 0 * error, []), resp, params.components)
    other = Gaussian(structure(name)).statistics(X, resp, params.components)
    np.testing.assert_allclose(one.first, other.first, atol=1e-10)
    np.testing.assert_allclose(one.second, other.second, atol=1e-10)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_the_gradient_is_that_of_the_likelihood(gaps: bool, name: str) -> None:
    X, error, _ = rows(60, "rows")
    if gaps:
        X[::3, 0] = np.nan
    mixture, params = model(name)
    chunk = Chunk(with_errors(X, error, []))
    chart, rng = mixture.chart(params), np.random.default_rng(2)
    here = 0.1 * rng.normal(size=chart.size)
    gradient = chart.gradient(mixture.e_step(chunk, chart.params(here)), chart.params(here))
    for _ in range(4):
        way, step = rng.normal(size=chart.size), 1e-5
        ends = [chart.params(here + sign * step * way) for sign in (1, -1)]
        one, two = (mixture.e_step(chunk, end).loglik for end in ends)
        assert gradient @ way == pytest.approx((one - two) / (2 * step), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("kind", ["cells", "rows"])
def test_equal_errors_are_taken_off_the_covariance(kind: str) -> None:
    """With one component V + S is the plain covariance, to the last digits of the climb."""
    X, _, _ = rows(300)
    S = np.diag([0.25, 0.09]) if kind == "cells" else np.array([[0.3, 0.1], [0.1, 0.2]])
    error = np.sqrt(np.diagonal(S)) if kind == "cells" else S
    error = np.broadcast_to(error, (len(X), *error.shape))
    found = GaussianMixture(1, tol=1e-12).fit(X, error=error)
    np.testing.assert_allclose(found.covariances_[0], np.cov(X.T, bias=True) - S, atol=1e-5)
    np.testing.assert_allclose(found.means_[0], X.mean(axis=0), atol=1e-6)
    plain = GaussianMixture(2, random_state=0, tol=1e-10).fit(X)
    both = GaussianMixture(2, random_state=0, tol=1e-10).fit(X, error=error)
    assert both.fit_result_.loglik == pytest.approx(plain.fit_result_.loglik, abs=1e-4)
    order = np.argsort(plain.means_[:, 0]), np.argsort(both.means_[:, 0])
    np.testing.assert_allclose(
        both.covariances_[order[1]] + S, plain.covariances_[order[0]], atol=1e-2
    )


@pytest.mark.parametrize("gaps", [False, True])
def test_the_numbers_behind_the_rows_are_found(gaps: bool) -> None:
    """EM refuses a fall; five standard errors of 2,000 rows are about 0.2."""
    X, error, _ = rows(2000)
    if gaps:
        X[::3, 0] = np.nan
    found = GaussianMixture(2, random_state=0).fit(X, error=error)
    assert found.converged_
    assert found.fit_result_.verdict == "interior maximum"
    order = np.argsort(found.means_[:, 0])
    np.testing.assert_allclose(found.covariances_[order], V, atol=0.35)
    np.testing.assert_allclose(found.means_[order], MEANS, atol=0.25)
    plain = GaussianMixture(2, random_state=0).fit(X)
    # Without errors the width of the rows is taken for that of the numbers.
    assert np.trace(plain.covariances_.sum(axis=0)) > np.trace(found.covariances_.sum(axis=0)) + 1
    total = found.score_samples(X, error=error).sum()
    assert total == pytest.approx(found.fit_result_.loglik, abs=1e-6)


@pytest.mark.parametrize("K", [1, 2])
def test_errors_that_explain_a_width_are_an_edge_and_no_ridge(K: int) -> None:
    """What a row tells of log v is (v / (v + s))^2 / 2 where an error s is normal."""
    rng = np.random.default_rng(5)
    truth = np.column_stack([np.repeat([0.0, 6.0], 60) + rng.normal(size=120), np.zeros(120)])
    X = truth + rng.normal(size=truth.shape)
    X[::9, 0] = np.nan
    found = GaussianMixture(K, random_state=0).fit(X, error=np.full_like(X, 1.2))
    assert found.fit_result_.verdict == "boundary"
    assert "errors explain the whole width of column 1" in found.fit_result_.certificate.detail
    assert "flat in some direction" not in found.summary()
    assert found.covariances_[:, 1, 1].max() < 0.02
    sound = GaussianMixture(K, random_state=0).fit(X, error=np.full_like(X, 0.5))
    assert sound.fit_result_.verdict == "interior maximum"
    whole = X[~np.isnan(X).any(axis=1)]
    look = MeasuredLook(with_errors(whole, np.ones_like(whole), []), model()[1].components)
    values, vectors = np.linalg.eigh(V[0])
    share, column = look.told(0)
    assert share == pytest.approx((values[0] / (values[0] + 1)) ** 2)
    assert column == int(np.argmax(np.abs(vectors[:, 0]) / whole.std(axis=0)))


@pytest.mark.parametrize("kind", ["tied", "diag", "spherical", "VEI", "VVE"])
def test_every_structure_takes_errors_off(kind: str) -> None:
    """EM refuses a fall; five standard errors of 2,000 rows are below 0.35."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(2000, 2)) + np.repeat(np.array([[0.0, 0.0], [6.0, 3.0]]), 1000, axis=0)
    error = rng.uniform(0.3, 1.5, size=truth.shape)
    X = truth + error * rng.normal(size=truth.shape)
    found = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X, error=error)
    dense = found.fitted_family().covariances(found._fitted()[1].components, np.arange(2))
    np.testing.assert_allclose(dense, [np.eye(2)] * 2, atol=0.35)
    assert found.score_samples(X, error=error).sum() == pytest.approx(found.fit_result_.loglik)


def test_a_weight_is_copies_of_the_row() -> None:
    X, error, _ = rows(150)
    w = np.random.default_rng(3).integers(0, 3, len(X))
    weighted = GaussianMixture(2, random_state=0, tol=1e-10).fit(X, None, w, error=error)
    X2, error2 = np.repeat(X, w, axis=0), np.repeat(error, w, axis=0)
    copies = GaussianMixture(2, random_state=0, tol=1e-10).fit(X2, error=error2)
    assert weighted.fit_result_.loglik == pytest.approx(copies.fit_result_.loglik, abs=1e-4)


def test_errors_of_0_are_none() -> None:
    X = np.random.default_rng(3).normal(size=(40, 2))
    told = GaussianMixture(3, random_state=0).fit(X, error=np.zeros((40, 2)))
    plain = GaussianMixture(3, random_state=0).fit(X)
    assert told.fit_result_.loglik == plain.fit_result_.loglik
    np.testing.assert_array_equal(told.means_, plain.means_)
    with pytest.raises(ValueError, match="error"):
        plain.fit(X, error=np.zeros((40, 3)))


def test_bad_errors_are_named() -> None:
    X, error, S = rows(40)
    bad = error.copy()
    bad[3, 1] = np.inf
    mixture = GaussianMixture(2)
    with pytest.raises(
        ValueError,
        match=r"row 3 \(counted from 0\), column 'x2' has inf: what is not known at all is a",
    ):
        mixture.fit(X, error=bad)
    bad[3, 1] = -1
    with pytest.raises(
        ValueError, match=r"row 3 \(counted from 0\), column 'x2' has -1.0: a deviation is not"
    ):
        mixture.fit(X, error=bad)
    bad[3, 1] = 1e155
    with pytest.raises(
        ValueError,
        match=r"row 3 \(counted from 0\), column 'x2' has 1e\+155, whose square is beyond",
    ):
        GaussianMixture(1).fit(X).predict_proba(X, error=bad)
    with pytest.raises(ValueError, match=r"error must have the shape \(40, 2\), standard"):
        mixture.fit(X, error=error[:5])
    with pytest.raises(ValueError, match=r"covariance of row 0 .* is not symmetric and positive"):
        mixture.fit(X, error=-S)
    with pytest.raises(ValueError, match="known for covariances without factors, found 'UUU:1'"):
        GaussianMixture(2, covariance_type="UUU:1").fit(X, error=error)
    with pytest.raises(ValueError, match="know no trim"):
        GaussianMixture(2, trim=0.1).fit(X, error=error)
    with pytest.raises(ValueError, match="engine must be one of auto, local, threads"):
        GaussianMixture(2, engine="mixed").fit(X, error=error)
    with pytest.raises(ValueError, match="checkpoint does not keep errors"):
        mixture.fit(X, error=error, checkpoint="there")
    assert not hasattr(mixture, "means_")

"""Products with Gaussian columns: exact evidence of one component, and what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import log_rows as log_normal_rows
from scipy.stats import multivariate_t, nbinom

import mixtura
from mixtura import BayesianGaussianMixture, BayesianMixture, Block, GammaPrior, Product
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.wishart import NormalWishart

FINITE = "dirichlet_distribution"


def blocks(name: str) -> Product:
    return Product([Block("poisson", [1]), Block(name, [0, 2])])


def rows(n: int = 300, seed: int = 0) -> np.ndarray:
    """Two columns that vary together and a count, in three groups, far from the origin."""
    rng = np.random.default_rng(seed)
    z = rng.integers(3, size=n)
    x = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.7], [0.0, 0.6]])
    x += np.array([[0.0, 0.0], [6.0, 0.0], [6.0, 6.0]])[z] + 1e6
    return np.column_stack([x[:, 0], rng.poisson(np.array([1.0, 1.0, 12.0])[z]), x[:, 1]])


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
def test_the_bound_of_one_component_is_the_evidence_of_both_blocks(name):
    X = rows(30)
    kinds, prior = blocks(name), [GammaPrior(1.5, 0.2), None]
    found = BayesianMixture(kinds, prior=prior, weight_concentration_prior_type=FINITE).fit(X)
    total, shape, rate = 0.0, 1.5, 0.2
    for count in X[:, 1]:
        total += nbinom.logpmf(count, shape, rate / (rate + 1.0))
        shape, rate = shape + count, rate + 1.0
    alone = BayesianGaussianMixture(
        covariance_type=name, weight_concentration_prior_type=FINITE
    ).fit(X[:, [0, 2]])
    assert found.elbo_ == pytest.approx(total + alone.elbo_, abs=1e-6)
    if name == "full":
        form, Z = structure(name).form, X[:, [0, 2]]
        given = NormalWishart(form, Z.mean(axis=0), 1.0, 2.0, np.cov(Z.T))
        assert found.elbo_ == pytest.approx(total + log_normal_rows(Z, given), abs=1e-6)
    np.testing.assert_allclose(found.gaussian_means_, alone.means_)
    np.testing.assert_allclose(found.gaussian_covariances_, alone.covariances_)
    np.testing.assert_allclose(found.gaussian_freedom_, alone.degrees_of_freedom_)


@pytest.mark.parametrize("name", ["full", "diag"])
def test_moves_find_the_number_and_files_keep_it(name, tmp_path):
    X = rows(120)
    found = BayesianMixture(blocks(name), 6, random_state=0).fit(X)
    assert found.n_components_ == 3
    assert found.n_components_posterior_[3] > 0.9
    trace = np.array(found.fit_result_.trace)
    assert np.diff(trace).min() > -1e-9 * abs(found.elbo_)
    found.save(tmp_path / "m.json")
    read = mixtura.load(tmp_path / "m.json")
    np.testing.assert_allclose(read.predict_proba(X), found.predict_proba(X), atol=1e-9)
    assert read.elbo_ == found.elbo_
    assert read.summary() == found.summary()
    assert read.sample(5)[0].shape == (5, 3)
    again = read.set_params(warm_start=True).fit(X)
    assert again.elbo_ >= found.elbo_ - 1e-6


def test_the_predictive_law_is_that_of_counts_times_a_t_density():
    X = rows(60)
    found = BayesianMixture(blocks("full"), 3, random_state=0, moves=False).fit(X)
    total = np.zeros(len(X))
    for k in range(3):
        b, v = found.gaussian_mean_precision_[k], found.gaussian_freedom_[k]
        S = found.gaussian_covariances_[k] * v * (b + 1) / (b * (v - 1))
        far = multivariate_t.pdf(X[:, [0, 2]], found.gaussian_means_[k], S, df=v - 1)
        a, r = found.poisson_gamma_shapes_[k, 0], found.poisson_gamma_rates_[k, 0]
        total += found.weights_[k] * far * nbinom.pmf(X[:, 1], a, r / (r + 1))
    told = found.score_samples(X, predictive=True)
    np.testing.assert_allclose(told, np.log(total), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "prior", "said"),
    [
        ("tied", None, "'tied' has no conjugate prior as a block of a product: use one of 'full'"),
        ("full", [None, GammaPrior()], "has the default prior alone: give None"),
        ("normal", None, "'normal' has no conjugate prior here: use one of"),
    ],
)
def test_blocks_that_have_no_posterior_are_refused(name, prior, said):
    with pytest.raises(ValueError, match=said):
        BayesianMixture(blocks(name), 2, prior=prior).fit(rows(30))


def test_gaps_and_constants_are_refused_by_column():
    X = rows(30)
    Z = X.copy()
    Z[:, 2] = 1.0
    with pytest.raises(ValueError, match=r"constant in column 'x3'.*leave that out"):
        BayesianMixture(blocks("full"), 2).fit(Z)
    Z = X.copy()
    Z[4, 0] = np.nan
    with pytest.raises(ValueError, match=r"'x1' has a gap.*row 4|row 4.*'x1' has a gap") as found:
        BayesianMixture(blocks("diag"), 2).fit(Z)
    assert "fill it in" in str(found.value)
    # A gap among the counts is left out of its row.
    Z = X.copy()
    Z[4, 1] = np.nan
    one, whole = (BayesianMixture(blocks("diag")).fit(x) for x in (Z, X))
    assert one.poisson_gamma_rates_[0, 0] == pytest.approx(
        29 + one.prior_poisson_gamma_rates_[0, 0]
    )
    np.testing.assert_allclose(one.gaussian_means_, whole.gaussian_means_)

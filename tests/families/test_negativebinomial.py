"""The negative binomial family: sizes from nearly nothing to Poisson."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import optimize, special, stats
from whole_fit import fitted

from mixtura import Mixture
from mixtura.families.negativebinomial import NegativeBinomial, NegativeBinomialParams
from mixtura.families.sizes import POISSON, _stretches, information, rising, sizes


@pytest.mark.parametrize("size", [1e-6, 0.1, 3.0, 19.9, 20.1, 1e3, 1e6, 1e10, POISSON])
def test_log_density_has_its_digits_at_every_size(size: float) -> None:
    """log Gamma(x + s) - log Gamma(s) - x log s is a sum of logarithms of 1 + j / s."""
    x = np.arange(60.0)
    by_hand = np.append(0.0, np.cumsum(np.log1p(np.arange(59) / size)))
    np.testing.assert_allclose(rising(x, np.array(size)), by_hand, rtol=1e-12, atol=1e-13)
    found = NegativeBinomial().log_density(
        x[:, None], NegativeBinomialParams(np.array([[9.0]]), np.array([[size]]))
    )[:, 0]
    if size >= 1e10:
        np.testing.assert_allclose(found, stats.poisson(9.0).logpmf(x), atol=1e-6)
    else:
        other = stats.nbinom(size, size / (size + 9.0)).logpmf(x)
        np.testing.assert_allclose(found, other, rtol=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_the_size_is_scipys_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, mean = 10 ** rng.uniform(-1.5, 2), 10 ** rng.uniform(-0.5, 2)
    x = rng.poisson(rng.gamma(size, mean / size, size=400))
    histogram = np.bincount(x)[None, :] * rng.uniform(0.5, 2, size=(1, x.max() + 1))
    values, n = np.arange(x.max() + 1), histogram.sum()
    m = float(histogram[0] @ values / n)

    def loss(log_size: float) -> float:
        s = np.exp(log_size)
        return -float(histogram[0] @ stats.nbinom(s, s / (s + m)).logpmf(values)) / n

    best = optimize.minimize_scalar(
        loss, bounds=(-8, 12), method="bounded", options={"xatol": 1e-9}
    )
    found = sizes(histogram, np.arange(float(histogram.shape[1])), np.array([m]), np.ones(1))[0]
    assert loss(np.log(found)) <= best.fun + 1e-12
    if best.x < 8:
        assert np.log(found) == pytest.approx(best.x, abs=1e-4)


def test_counts_that_vary_less_than_poisson_are_poisson_and_the_fit_says_so() -> None:
    x = np.random.default_rng(0).binomial(10, 0.5, size=(300, 1))
    found = fitted("negativebinomial", x, 1)
    assert found.params.components.sizes[0, 0] >= POISSON
    assert found.fit.loglik == pytest.approx(fitted("poisson", x, 1).fit.loglik, abs=1e-6)
    assert found.fit.verdict == "boundary"
    assert "Poisson" in found.fit.certificate.detail


def test_information_is_the_expectation_by_summing_over_all_counts() -> None:
    for s, m in ((0.3, 2.0), (5.0, 1.0), (40.0, 8.0)):
        x = np.arange(4000.0)
        p = stats.nbinom(s, s / (s + m)).pmf(x)
        trigamma = special.polygamma(1, s) - special.polygamma(1, x + s)
        by_hand = s * s * (p @ trigamma - m / (s * (s + m)))
        assert information(np.array(m), np.array(s)) == pytest.approx(by_hand, rel=1e-6)


def test_a_column_of_zeros_stays_finite() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.poisson(np.repeat([2, 12], 100)), np.zeros(200)])
    found = fitted("negativebinomial", X, 2)
    assert np.isfinite(found.fit.loglik)
    assert all(np.isfinite(value).all() for value in found.params.arrays().values())


def test_rows_beyond_the_histograms_have_a_density_but_no_statistics() -> None:
    family = NegativeBinomial((4,))
    params = NegativeBinomialParams(np.array([[3.0]]), np.array([[2.0]]))
    far = np.array([[7.0], [500_000.0], [np.nan]])
    other = stats.nbinom(2.0, 0.4).logpmf(far[:2, 0])
    np.testing.assert_allclose(family.log_density(far, params)[:2, 0], other, rtol=1e-9)
    assert family.log_density(far, params)[2, 0] == 0.0
    with pytest.raises(ValueError, match=r"column 0 .* holds 500000, and largest=\(4,\)"):
        family.statistics(far, np.ones((3, 1)), params)


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ValueError, match=r"is for counts .* column 'n' holds -1"):
        NegativeBinomial().refuse(np.array([[-1.0]]), ["n"])


def test_stretches_are_sums_of_their_terms() -> None:
    first, end = np.array([0.0, 64.0, 70.0, 5000.0]), np.array([1.0, 70.0, 5000.0, 1e5])
    for size in (1e-3, 0.7, 30.0, 1e4, 1e12):
        found = _stretches(first, end, np.array([[size]]))
        for a, b, one, two in zip(first, end, *(f[0] for f in found), strict=True):
            j = np.arange(a, b)
            assert one == pytest.approx((j / (size + j)).sum(), rel=1e-10)
            assert two == pytest.approx((j * size / (size + j) ** 2).sum(), rel=1e-7)


def test_one_huge_count_costs_nothing_and_changes_nothing() -> None:
    """The maximum with counts far out is SciPy's, and takes as long as the table is."""
    rng = np.random.default_rng(0)
    x = rng.negative_binomial(2, 2 / (2 + 900), size=600).astype(float)
    x[:3] = 20_000, 150_000, 1e6
    began = time.perf_counter()
    fitted = Mixture("negativebinomial", 1, tol=1e-12).fit(x[:, None])
    assert time.perf_counter() - began < 5.0

    def loss(free: np.ndarray) -> float:
        m, s = np.exp(free)
        return -stats.nbinom(s, s / (s + m)).logpmf(x).sum()

    best = optimize.minimize(loss, [7.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9})
    assert fitted.lower_bound_ * 600 == pytest.approx(-best.fun, abs=1e-6)
    assert fitted.sizes_[0, 0] == pytest.approx(np.exp(best.x[1]), rel=1e-4)
    two = Mixture("negativebinomial", 2, random_state=0).fit(x[:, None])
    assert two.score(x[:, None]) == pytest.approx(two.lower_bound_, abs=1e-12)
    assert two.lower_bound_ > fitted.lower_bound_
